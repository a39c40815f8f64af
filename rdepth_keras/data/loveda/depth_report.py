"""Does depth tell roofs from roads here? A picture sheet and the depth of each class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from rdepth_keras.arrays import Tile
from rdepth_keras.labels import IGNORE, LOVEDA, ClassTable

BINS = 64


@dataclass(frozen=True)
class ClassDepth:
    """Depth of each class over many tiles, from histograms of [0, 1] in 64 bins.

    ``histograms`` (K, 64) counts pixels.
    """

    names: Sequence[str]
    histograms: np.ndarray

    def mean(self) -> np.ndarray:
        """(K,) mean depth; NaN for a class without pixels."""
        return _divide(self.histograms @ _centres(), self.histograms.sum(1))

    def std(self) -> np.ndarray:
        """(K,) standard deviation of depth."""
        square = _divide(self.histograms @ _centres() ** 2, self.histograms.sum(1))
        return np.sqrt(np.maximum(square - self.mean() ** 2, 0))

    def nearer(self, one: str, other: str) -> float:
        """Probability that a pixel of ``one`` is nearer than one of ``other``; ties count half.

        0.5 says that depth does not tell the two apart (the area under the ROC curve).
        """
        a, b = (self.histograms[self.names.index(name)] for name in (one, other))
        below = np.cumsum(b) - b
        pairs = float(a.sum()) * float(b.sum())
        return float((a * (below + b / 2)).sum() / pairs) if pairs else float("nan")

    def __str__(self):
        lines = [f"{'class':12s} {'pixels':>12s} {'mean':>6s} {'std':>6s}   nearer than road"]
        for name, row, mean, std in zip(
            self.names, self.histograms, self.mean(), self.std(), strict=True
        ):
            against = self.nearer(name, "road") if "road" in self.names else float("nan")
            lines.append(f"{name:12s} {row.sum():12d} {mean:6.3f} {std:6.3f}   {against:.2f}")
        return "\n".join(lines)


def class_depth(tiles: Iterable[Tile], table: ClassTable = LOVEDA) -> ClassDepth:
    """Counts the depth of every labelled pixel."""
    histograms = np.zeros((len(table), BINS), np.int64)
    for tile in tiles:
        bins = np.minimum((tile["depth"][..., 0] * BINS).astype(np.int64), BINS - 1)
        known = tile["label"] != IGNORE
        flat = tile["label"][known].astype(np.int64) * BINS + bins[known]
        histograms += np.bincount(flat, minlength=histograms.size).reshape(histograms.shape)
    return ClassDepth(table.names, histograms)


def draw_sheet(tiles: Sequence[Tile], table: ClassTable = LOVEDA, side: int = 256) -> np.ndarray:
    """One row a tile: image, depth (bright = near), depth histogram by class; RGB uint8."""
    rows = []
    for tile in tiles:
        grey = np.repeat(np.rint(tile["depth"] * 255).astype(np.uint8), 3, axis=2)
        pictures = [
            cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in (tile["image"], grey)
        ]
        rows.append(np.concatenate([*pictures, _draw_histogram(tile, table, side)], axis=1))
    return np.concatenate(rows, axis=0)


def _draw_histogram(tile: Tile, table: ClassTable, side: int) -> np.ndarray:
    """Stacked bars from far (left) to near (right), coloured by class, grey where unlabelled."""
    counts = class_depth([tile], table).histograms
    colors = np.array(table.colors, np.uint8)
    if not counts.any():
        whole = Tile(tile)
        whole["label"] = np.zeros_like(tile["label"])
        counts = class_depth([whole], table).histograms
        colors = np.full((len(table), 3), 128, np.uint8)
    heights = np.cumsum(counts, axis=0) * (side - 8) / counts.sum(0).max()
    level = np.arange(side)[::-1, None]
    picture = np.full((side, BINS, 3), 32, np.uint8)
    for index in range(len(table))[::-1]:
        picture[level < heights[index]] = colors[index]
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_NEAREST)


def _centres() -> np.ndarray:
    return (np.arange(BINS) + 0.5) / BINS


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
