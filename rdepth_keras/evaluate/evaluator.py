"""A prediction function over labelled tiles -> counts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdepth_keras.arrays import Label, Tile
from rdepth_keras.evaluate.confusion import class_iou, confusion_matrix, mean_iou
from rdepth_keras.labels import ClassTable


@dataclass(frozen=True)
class Evaluation:
    """Pixel counts of every tile.

    Attributes:
        ids: tile numbers, in the order of the matrices.
        confusions: int64 (tiles, classes, classes); rows are the truth.
    """

    ids: tuple[int, ...]
    confusions: np.ndarray

    @property
    def confusion(self) -> np.ndarray:
        """The sum over the tiles, int64 (classes, classes)."""
        return self.confusions.sum(0)

    def scores(self, table: ClassTable) -> dict[str, Any]:
        """``{"miou": …, "iou": {class: …}}`` as fractions of 1; None where a class is nowhere."""
        iou = class_iou(self.confusion)
        return {
            "miou": _number(mean_iou(self.confusion)),
            "iou": {name: _number(value) for name, value in zip(table.names, iou, strict=True)},
        }

    def commonest_class_miou(self) -> float:
        """The mIoU of predicting the truth's commonest class everywhere: the bar to clear."""
        truth = self.confusion.sum(1)
        constant = np.zeros_like(self.confusion)
        constant[:, truth.argmax()] = truth
        return mean_iou(constant)


def evaluate_tiles(
    predict: Callable[[Tile], Label], tiles: Iterable[Tile], classes: int
) -> Evaluation:
    """Predicts every tile and counts its pixels.

    Args:
        predict: tile -> train ids (H, W).
        tiles: labelled tiles, e.g. wrapped in a progress bar.
        classes: number of classes.
    """
    ids, confusions = [], []
    for tile in tiles:
        ids.append(int(tile["id"]))
        confusions.append(confusion_matrix(tile["label"], predict(tile), classes))
    return Evaluation(tuple(ids), np.stack(confusions))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
