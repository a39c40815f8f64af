"""Rare-class sampling: tiles that show rare classes are drawn more often.

Hoyer et al., "DAFormer", CVPR 2022, arXiv 2111.14887, equations 9 and 10: a class is drawn with
``softmax((1 - share) / temperature)``, then one of the tiles that show it. Here a tile shows a
class from a thousandth of its labelled pixels on, there from 3000 pixels on.
"""

from collections.abc import Sequence

import numpy as np

from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.data.pipeline import in_order
from rdepth_keras.labels import IGNORE, check_ids

READ = 100  # tiles whose labels are read at most, only to see whether they show every class
SMALLEST_SHARE = 1e-3  # of a tile's pixels that a class must cover to be shown by it


def count_pixels(tiles: Tiles, classes: int) -> np.ndarray:
    """(tiles, K) int64: pixels of each class.

    Tiles with a ``pixels_per_class()`` method have been counted before; of others, every label is
    read once.
    """
    counted = getattr(tiles, "pixels_per_class", None)
    if counted is not None:
        return counted()
    rows = [_pixels(tile, classes) for tile in in_order(tiles)]
    return np.array(rows, np.int64).reshape(-1, classes)


def unseen(parts: Sequence[Tiles], classes: int) -> tuple[list[int], int]:
    """Train ids that no tile shows, and how many tiles were looked at.

    Counted tiles are known. Of the others, spread over all of them, one after the other is read
    until every class is seen, :data:`READ` at most.
    """
    shown, known, others = np.zeros(classes, bool), 0, []
    for part in parts:
        if hasattr(part, "pixels_per_class"):
            shown |= count_pixels(part, classes).any(0)
            known += len(part)
        else:
            others += [(part, index) for index in range(len(part))]
    order = np.random.default_rng(0).permutation(len(others))[:READ]
    for read, place in enumerate(order):
        if shown.all():
            return [], known + read
        part, index = others[place]
        shown |= _pixels(part[index], classes) > 0
    return np.flatnonzero(~shown).tolist(), known + len(order)


def _pixels(tile: Tile, classes: int) -> np.ndarray:
    """(K,) of each class; ValueError for labels that are none."""
    counts = np.bincount(tile["label"].ravel(), minlength=IGNORE + 1)
    check_ids(f"label of tile {tile['id']}", np.flatnonzero(counts[:IGNORE]), classes)
    return counts[:classes]


def shows(pixels: np.ndarray) -> np.ndarray:
    """(tiles, K) bool: whether a tile may be drawn for a class, from its (tiles, K) pixels."""
    total = np.maximum(pixels.sum(1, keepdims=True), 1)
    return (pixels > 0) & (pixels >= SMALLEST_SHARE * total)


def chances(pixels: np.ndarray, temperature: float) -> np.ndarray:
    """(K, tiles) chances of a class and one of its tiles, sum 1, from (tiles, K) pixels.

    A small temperature favours the rare. Summed over the classes they are the tiles' chances.
    Classes that no tile shows take no part, nor do tiles that show no class. Raises ValueError
    where no tile shows any, and for a temperature that is not above 0.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"A temperature is above 0 and finite; received {temperature}.")
    shown = shows(pixels)
    tiles_per_class = shown.sum(0)
    if not tiles_per_class.any():
        raise ValueError("No tile has labels, so no class is rarer than another.")
    shares = pixels.sum(0) / pixels.sum()
    rarity = np.where(tiles_per_class > 0, 1 - shares, -np.inf)
    with np.errstate(over="ignore"):  # to -inf, whose power is 0
        weights = np.exp((rarity - rarity.max()) / temperature)
    weights /= weights.sum()
    return (shown * (weights / np.maximum(tiles_per_class, 1))).T
