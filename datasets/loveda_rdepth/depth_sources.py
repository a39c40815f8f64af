"""Where the depth of a build comes from: ready-made maps, or an estimator behind a cache."""

import functools
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tensorflow_datasets.core.utils import tqdm

from rdepth_keras.data.loveda.depth_origin import describe_origin
from rdepth_keras.data.loveda.raw import read_depth, read_image
from rdepth_keras.data.loveda.tree import TileFiles
from rdepth_keras.depth.normalise import StoredDepth, quantise
from rdepth_keras.depth.store import DepthCache

CHUNK = 16  # images of a batch on a GPU, and of a work item under Beam


@dataclass(frozen=True)
class Opening:
    """What a depth source is opened with, in this process or in a worker.

    ``name`` is a config, ``origin`` its checkpoint ("" for ready-made maps) and ``licence`` that of
    the depth; ``total`` is the number of tiles of the whole build, for a forecast.
    """

    name: str
    origin: str
    licence: str
    cache_dir: Path
    total: int


class DepthSource(Protocol):
    """Gives every tile its depth."""

    def describe(self) -> dict[str, str]:
        """For the record: ``source``, ``licence``, and what else identifies the depth."""
        ...

    def stream(self, tiles: Sequence[TileFiles]) -> Iterator[StoredDepth]:
        """The depth of each tile, in order; as lazy as its caller."""
        ...


class ReadyMade:
    """Maps that lie beside the images in ``depths_png``."""

    def describe(self) -> dict[str, str]:
        return {"source": "depths_png", "licence": "your own"}

    def stream(self, tiles: Sequence[TileFiles]) -> Iterator[StoredDepth]:
        for tile in tiles:
            yield quantise(read_depth(tile, read_image(tile).shape[:2]))


class Estimated:
    """Maps by Depth Anything, each kept in a cache as soon as it is there."""

    def __init__(self, opening: Opening):
        from rdepth_keras.depth.estimator import has_gpu, load_estimator

        on_gpu = has_gpu()
        self._opening = opening
        self._batch_size = CHUNK if on_gpu else 1
        precision = "mixed_bfloat16" if on_gpu else "float32"
        self._estimator = load_estimator(opening.origin, precision=precision)
        forecast = Forecast(opening.total, self._batch_size)
        self._cache = WatchedCache(opening.cache_dir, self._estimator.fingerprint, forecast)

    def describe(self) -> dict[str, str]:
        return {
            "source": self._opening.name,
            **describe_origin(self._opening.origin),
            "licence": self._opening.licence,
            "fingerprint": self._estimator.fingerprint,
        }

    def stream(self, tiles: Sequence[TileFiles]) -> Iterator[StoredDepth]:
        from rdepth_keras.depth.stream import stream_depth

        readers = [functools.partial(read_image, tile) for tile in tiles]
        depths = stream_depth(self._estimator, self._cache, readers, batch_size=self._batch_size)
        yield from tqdm(depths, desc="Depth...", total=len(tiles), unit=" images")


class Forecast:
    """Says how long the rest will take: early on, and whenever twice as much is done.

    Images that lie in the cache take no time: they count neither for the rate nor for the rest.
    ``total`` is the number of images; they are ready in batches, the first of which waits for the
    compilation and does not count either. May be used from several threads.
    """

    def __init__(self, total: int, batch_size: int = 1, after_seconds: float = 20.0):
        self._left, self._batch_size, self._after_seconds = total, batch_size, after_seconds
        self._done, self._start, self._next = 0, 0.0, 0
        self._lock = threading.Lock()

    def skip(self) -> None:
        """One image lies in the cache."""
        with self._lock:
            self._left -= 1

    def count(self) -> None:
        """One more image is estimated."""
        with self._lock:
            self._left, self._done = self._left - 1, self._done + 1
            if self._done % self._batch_size or self._done < self._next:
                return
            if self._done == self._batch_size:
                self._start = time.monotonic()
            elapsed = time.monotonic() - self._start
            if elapsed > self._after_seconds:
                self._next = 2 * self._done
                rate = (self._done - self._batch_size) / elapsed
                print(f"Depth: {rate:.2f} images/s, {_duration(self._left / rate)} for the rest.")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


class WatchedCache(DepthCache):
    """A cache that tells the forecast what was there and what had to be estimated."""

    def __init__(self, folder: Path, fingerprint: str, forecast: Forecast):
        super().__init__(folder, fingerprint)
        self._forecast = forecast

    def get(self, key: str) -> StoredDepth | None:
        found = super().get(key)
        if found is not None:
            self._forecast.skip()
        return found

    def put(self, key: str, depth: StoredDepth) -> None:
        super().put(key, depth)
        self._forecast.count()


@functools.cache
def open_source(opening: Opening) -> DepthSource:
    """The depth source behind a config, opened once a process.

    A missing checkpoint or package is an error here, before anything else is done.
    """
    return Estimated(opening) if opening.origin else ReadyMade()
