"""Depth for many images: cached, batched, and read ahead while the device works."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TypeVar

import numpy as np

from rdepth_keras.depth.estimator import DepthEstimator, prepare
from rdepth_keras.depth.normalise import StoredDepth, quantise
from rdepth_keras.depth.scene import is_single_view
from rdepth_keras.depth.store import DepthCache

Item = TypeVar("Item")
Result = TypeVar("Result")
Read = Callable[[], np.ndarray]  # reads one image, (H, W, 3) uint8


@dataclass(frozen=True)
class _Known:
    """An image with its place in the cache and what lies there."""

    image: np.ndarray
    key: str
    stored: StoredDepth | None


def stream_depth(
    estimator: DepthEstimator,
    cache: DepthCache,
    readers: Iterable[Read],
    *,
    batch_size: int = 1,
    workers: int = 4,
) -> Iterator[StoredDepth]:
    """The stored depth of each image, in order, lazily.

    Batches are runs of equal size in the given order, and one with a single image missing from
    the cache is computed whole: a run that goes on after a kill sees the batches, and so to the
    bit the numbers, of an undisturbed one.
    """

    def know(read: Read) -> _Known:
        image = read()
        key = cache.key(image)
        return _Known(image, key, cache.get(key))

    with ThreadPoolExecutor(workers) as pool:
        known = map_ahead(pool, know, readers, ahead=2 * batch_size + workers)
        finished: deque[Future] = deque()
        for batch in _batches(known, batch_size):
            finished.extend(_estimate(estimator, cache, pool, batch, batch_size))
            while len(finished) > batch_size:
                yield finished.popleft().result()
        while finished:
            yield finished.popleft().result()


def _batches(known: Iterable[_Known], batch_size: int) -> Iterator[list[_Known]]:
    for _, run in groupby(known, key=lambda item: item.image.shape):
        while batch := list(islice(run, batch_size)):
            yield batch


def _estimate(estimator, cache, pool, batch: list[_Known], batch_size: int) -> list[Future]:
    if all(item.stored for item in batch):
        return [pool.submit(lambda item=item: item.stored) for item in batch]
    size = batch[0].image.shape[:2]
    if is_single_view(*size):
        inputs = list(pool.map(prepare, [item.image for item in batch]))
        inputs += inputs[-1:] * (batch_size - len(batch))  # one shape, one compilation
        depths = estimator.estimate(np.stack(inputs), size)[: len(batch)]
    else:
        depths = [estimator(item.image) for item in batch]
    return [pool.submit(_keep, cache, *pair) for pair in zip(batch, depths, strict=True)]


def _keep(cache: DepthCache, item: _Known, depth: np.ndarray) -> StoredDepth:
    if item.stored:
        return item.stored
    stored = quantise(depth)
    cache.put(item.key, stored)
    return stored


def map_ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
) -> Iterator[Result]:
    """`map` in threads, in order, never more than ``ahead`` items before the consumer."""
    source, waiting = iter(items), deque()
    for item in source:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
