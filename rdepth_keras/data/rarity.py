"""Rare-class sampling: tiles that show rare classes are drawn more often.

Hoyer et al., "DAFormer", CVPR 2022, arXiv 2111.14887, equations 9 and 10: a class is drawn with
``softmax((1 - share) / temperature)``, then one of the tiles that show it. Here a tile shows a
class from a thousandth of its labelled pixels on, there from 3000 pixels on.
"""

import numpy as np

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.pipeline import in_order
from rdepth_keras.labels import IGNORE

SMALLEST_SHARE = 1e-3  # of a tile's pixels that a class must cover to be shown by it


def count_pixels(tiles: Tiles, classes: int) -> np.ndarray:
    """(tiles, K) int64: pixels of each class.

    Tiles with a ``pixels_per_class()`` method have been counted before; of others, every label is
    read once.
    """
    counted = getattr(tiles, "pixels_per_class", None)
    if counted is not None:
        return counted()
    rows = [
        np.bincount(tile["label"].ravel(), minlength=IGNORE + 1)[:classes]
        for tile in in_order(tiles)
    ]
    return np.array(rows, np.int64).reshape(-1, classes)


def chances(pixels: np.ndarray, temperature: float) -> np.ndarray:
    """(K, tiles) chances of a class and one of its tiles, sum 1, from (tiles, K) pixels.

    A small temperature favours the rare. Summed over the classes they are the tiles' chances.
    Classes that no tile shows take no part, nor do tiles that show no class.
    """
    total = np.maximum(pixels.sum(1, keepdims=True), 1)
    shown = (pixels > 0) & (pixels >= SMALLEST_SHARE * total)
    tiles_per_class = shown.sum(0)
    if not tiles_per_class.any():
        raise ValueError("No tile has labels, so no class is rarer than another.")
    shares = pixels.sum(0) / pixels.sum()
    rarity = np.where(tiles_per_class > 0, 1 - shares, -np.inf)
    with np.errstate(over="ignore"):  # to -inf, whose power is 0
        weights = np.exp((rarity - rarity.max()) / temperature)
    weights /= weights.sum()
    return (shown * (weights / np.maximum(tiles_per_class, 1))).T
