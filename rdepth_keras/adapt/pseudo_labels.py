"""From the probabilities of all tiles to their pseudo-labels: which guesses are sure enough.

Pure NumPy. ``probabilities`` yields a tile's, (H, W, K), each time one is asked for; a label map is
uint8 (H, W), 255 where nothing is sure. Everything is decided in float32, tile after tile in order.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from rdepth_keras.labels import IGNORE


def class_balanced(
    probabilities: Sequence[np.ndarray], *, share: float, every: int = 4
) -> Iterator[np.ndarray]:
    """A threshold for each class, so that a share of the pixels guessed as it pass.

    Zou, Yu, Vijaya Kumar, Wang, "Unsupervised Domain Adaptation for Semantic Segmentation via
    Class-Balanced Self-Training", ECCV 2018. Two passes: :func:`confidence_thresholds`, then
    :func:`relative_labels`.
    """
    thresholds = confidence_thresholds(probabilities, share=share, every=every)
    for scores in probabilities:
        yield relative_labels(scores, thresholds)


def confidence_thresholds(
    probabilities: Iterable[np.ndarray], *, share: float, every: int = 4
) -> np.ndarray:
    """The confidence (K,) that the surest ``share`` of the pixels guessed as a class have at least.

    1 for a class that is guessed nowhere, or so rarely that its share is no pixel. Of each tile and
    class every ``every``-th pixel is looked at and kept, 4 bytes each: a byte a pixel with 4.
    """
    found: list[list[np.ndarray]] = []
    for scores in probabilities:
        guess, sure = _guesses(scores)
        found = found or [[] for _ in range(scores.shape[-1])]
        for train_id, kept in enumerate(found):
            kept.append(sure[guess == train_id][::every])
    thresholds = np.ones(len(found), np.float32)
    for train_id in range(len(found)):
        values, found[train_id] = np.concatenate(found[train_id]), []
        passing = math.floor(share * len(values))
        if passing:
            place = len(values) - passing
            values.partition(place)
            thresholds[train_id] = values[place]
    return thresholds


def relative_labels(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The class whose probability is the largest in parts of its threshold, if that is 1 or more.

    ``scores`` (H, W, K), ``thresholds`` (K,).
    """
    relative = scores.astype(np.float32) / thresholds
    return _where(relative.max(-1) >= 1, relative.argmax(-1))


def instance_adaptive(
    probabilities: Iterable[np.ndarray],
    *,
    start: float = 0.9,
    share: float = 0.2,
    exponent: float = 8.0,
    inertia: float = 0.9,
    ceiling: float = 0.999,
    batch: int = 2,
) -> Iterator[np.ndarray]:
    """Thresholds that follow the tiles: one pass, in order.

    Mei, Zhu, Zou, Zhang, "Instance Adaptive Self-Training for Unsupervised Domain Adaptation", ECCV
    2020. Before tiles are labelled, a class's threshold t moves towards the quantile
    1 - share t^exponent of its own confidences in these tiles, t itself among them::

        t <- inertia t + (1 - inertia) quantile, at most ceiling

    Args:
        probabilities: of each tile.
        start: all thresholds before the first tiles.
        share: of the pixels of a class that would pass, were its threshold 1.
        exponent: how much fewer pass of a class whose threshold is low: of a hard one.
        inertia: of the thresholds.
        ceiling: of the thresholds, so that pixels of probability 1 pass.
        batch: tiles that move the thresholds together, and are labelled with what comes out.
    """
    thresholds = np.empty(0)
    for tiles in _batched(probabilities, batch):
        if not len(thresholds):
            thresholds = np.full(tiles[0].shape[-1], start)
        guesses = [_guesses(scores) for scores in tiles]
        for train_id, old in enumerate(thresholds):
            own = [sure[guess == train_id] for guess, sure in guesses]
            values = np.concatenate([[old], *own])
            quantile = np.quantile(values, 1 - share * old**exponent)
            moved = inertia * old + (1 - inertia) * quantile
            thresholds[train_id] = min(moved, ceiling)
        for guess, sure in guesses:
            yield _where(sure >= thresholds[guess], guess)


def class_maximum(
    probabilities: Iterable[np.ndarray], *, fraction: float = 0.8, floor: float = 0.6
) -> Iterator[np.ndarray]:
    """In each tile a class needs more than a fraction of its own largest probability there.

    The rule of Wu, Lu, Fang, "Deep Covariance Alignment", IEEE TGRS 2022 (Luffy03/DCA): a pixel's
    class has a probability above ``fraction`` of the class's maximum over the tile and above
    ``floor``; a pixel where that holds for no class, or for several, is ignored.
    """
    for scores in probabilities:
        scores = scores.astype(np.float32)
        needed = np.maximum(np.float32(fraction) * scores.max((0, 1)), np.float32(floor))
        passes = scores > needed
        yield _where(passes.sum(-1) == 1, passes.argmax(-1))


def _guesses(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most probable class of each pixel, and its probability, float32."""
    scores = scores.astype(np.float32)
    return scores.argmax(-1), scores.max(-1)


def _where(sure: np.ndarray, guess: np.ndarray) -> np.ndarray:
    return np.where(sure, guess, IGNORE).astype(np.uint8)


def _batched(items: Iterable, size: int) -> Iterator[list]:
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
