"""A prediction function over labelled tiles -> counts, and the scores they give."""

import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.arrays import Label, Tile, check_shape
from rdepth_keras.atomic import writing
from rdepth_keras.evaluate.bootstrap import bootstrap
from rdepth_keras.evaluate.boundary import boundary_counts, boundary_iou
from rdepth_keras.evaluate.calibration import Confidence, count_confidence
from rdepth_keras.evaluate.confusion import (
    Absent,
    class_f1,
    class_iou,
    class_precision,
    class_recall,
    confusion_matrix,
    frequency_weighted_iou,
    kappa,
    mean_iou,
    overall_accuracy,
)
from rdepth_keras.infer import classify
from rdepth_keras.labels import ClassTable
from rdepth_keras.naming import shorten

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError),
    *(KeyError, TypeError),  # of an older version
)
CLASS_SCORES = {"f1": class_f1, "precision": class_precision, "recall": class_recall}


@dataclass(frozen=True)
class Counts:
    """Pixel counts of every tile.

    Attributes:
        ids: tile numbers, in the order of the matrices.
        confusions: int64 (tiles, classes, classes); rows are the truth.
        boundaries: int64 (tiles, 2, classes), intersections and unions of the boundaries; None
            where only predicted classes were counted.
        confidence: counts over all tiles; None likewise.
        written_with: digest of the scores that were written with them; empty where nobody says.
    """

    ids: tuple[int, ...]
    confusions: np.ndarray
    boundaries: np.ndarray | None = None
    confidence: Confidence | None = None
    written_with: str = ""

    @property
    def confusion(self) -> np.ndarray:
        """The sum over the tiles, int64 (classes, classes)."""
        return self.confusions.sum(0)

    def scores(self, table: ClassTable, absent: Absent = "union") -> dict[str, Any]:
        """``{"miou": …, "iou": {class: …}}`` as fractions of 1; None where a class is nowhere.

        ``absent`` says which classes are averaged, see
        :func:`~rdepth_keras.evaluate.confusion.mean_iou`.
        """
        return {
            "miou": _number(mean_iou(self.confusion, absent)),
            "iou": _by_class(table, class_iou(self.confusion)),
        }

    def all_scores(self, table: ClassTable, absent: Absent = "union") -> dict[str, Any]:
        """:meth:`scores` and everything else there is to say, ready for JSON.

        ``miou_interval`` is None where tiles are too few for one.
        """
        interval = bootstrap(self.confusions, lambda counts: mean_iou(counts, absent))
        found = {
            **self.scores(table, absent),
            "absent": absent,
            "miou_interval": None
            if interval.unknown
            else [float(interval.low), float(interval.high)],
            "interval_level": interval.level,
            **{
                name: _by_class(table, score(self.confusion))
                for name, score in CLASS_SCORES.items()
            },
            "overall_accuracy": _number(overall_accuracy(self.confusion)),
            "kappa": _number(kappa(self.confusion)),
            "frequency_weighted_iou": _number(frequency_weighted_iou(self.confusion)),
            "commonest_class_miou": self.commonest_class_miou(absent),
            "tiles": len(self.ids),
        }
        if self.boundaries is not None:
            found["boundary_iou"] = _by_class(table, boundary_iou(self.boundaries.sum(0)))
        if self.confidence is not None:
            found["calibration_error"] = _number(self.confidence.calibration_error())
            found["risk_coverage_area"] = _number(self.confidence.risk_area())
            found["risk_coverage_bound"] = _number(self.confidence.risk_bound())
        return found

    def commonest_class_miou(self, absent: Absent = "union") -> float:
        """The mIoU of predicting the truth's commonest class everywhere: the bar to clear."""
        truth = self.confusion.sum(1)
        constant = np.zeros_like(self.confusion)
        constant[:, truth.argmax()] = truth
        return float(mean_iou(constant, absent))

    def save(self, path: Path) -> None:
        """Writes the counts as NPZ, whole or not at all."""
        arrays = {"ids": np.array(self.ids), "confusions": self.confusions}
        if self.written_with:
            arrays["written_with"] = np.array(self.written_with)
        if self.boundaries is not None:
            arrays["boundaries"] = self.boundaries
        if self.confidence is not None:
            arrays |= {f"confidence_{name}": part for name, part in vars(self.confidence).items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)


def load_counts(path: Path) -> Counts:
    """The counts that :meth:`Counts.save` wrote.

    Raises FileNotFoundError where there are none, ValueError for a damaged or older file; both say
    the remedy.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no counts of an evaluation; evaluate the run again.")
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = dict(file)
        return _from_arrays(arrays)
    except _UNREADABLE as error:
        raise ValueError(
            f"{path}: damaged, or of an older version ({error}); evaluate the run again."
        ) from error


def _from_arrays(arrays: dict[str, np.ndarray]) -> Counts:
    start = "confidence_"
    parts = {name[len(start) :]: part for name, part in arrays.items() if name.startswith(start)}
    tiles, classes = arrays["ids"].size, arrays["confusions"].shape[-1]
    _expect("ids", arrays["ids"], (tiles,))
    _expect("confusions", arrays["confusions"], (tiles, classes, classes))
    if "boundaries" in arrays:
        _expect("boundaries", arrays["boundaries"], (tiles, 2, classes))
    return Counts(
        tuple(arrays["ids"].tolist()),
        arrays["confusions"],
        arrays.get("boundaries"),
        Confidence(**parts) if parts else None,
        str(arrays.get("written_with", "")),
    )


def _expect(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype.kind not in "iu" or (array < 0).any():
        raise ValueError(f"{name} must be counts {shape}, are {array.dtype} {array.shape}")


def count_labels(predict: Callable[[Tile], Label], tiles: Iterable[Tile], classes: int) -> Counts:
    """Predicts every tile and counts its pixels.

    Args:
        predict: tile -> train ids (H, W), e.g. by :func:`~rdepth_keras.infer.classify`, which
            refuses predictions that are not finite.
        tiles: labelled tiles, each with a number of its own as ``id``; e.g. in a progress bar.
        classes: number of classes.

    Raises:
        ValueError: without tiles, for several of one number, and as
            :func:`~rdepth_keras.evaluate.confusion.confusion_matrix`.
    """
    ids, confusions = [], []
    for tile in tiles:
        ids.append(int(tile["id"]))
        confusions.append(confusion_matrix(tile["label"], predict(tile), classes))
    return _counts(ids, confusions)


def count_probabilities(
    predict: Callable[[Tile], np.ndarray], tiles: Iterable[Tile], classes: int
) -> Counts:
    """As :func:`count_labels`, with boundaries and confidence.

    Args:
        predict: tile -> class probabilities (H, W, classes).
        tiles: labelled tiles.
        classes: number of classes.

    Raises:
        FloatingPointError: at the first prediction that is not finite, naming the tile.
        ValueError: at the first that is not of the tile's size and of so many classes, and as
            :func:`count_labels`.
    """
    ids, confusions, boundaries, confidence = [], [], [], None
    for tile in tiles:
        truth, probabilities = tile["label"], predict(tile)
        check_shape("A prediction", probabilities, (*truth.shape, classes))
        label = classify(probabilities, tile)
        ids.append(int(tile["id"]))
        confusions.append(confusion_matrix(truth, label, classes))
        boundaries.append(boundary_counts(truth, label, classes))
        counted = count_confidence(truth, probabilities)
        confidence = confidence + counted if confidence else counted
    return _counts(ids, confusions, boundaries, confidence)


def _counts(ids, confusions, boundaries=None, confidence: Confidence | None = None) -> Counts:
    if not ids:
        raise ValueError("There are no tiles to score.")
    if twice := sorted(number for number, times in Counter(ids).items() if times > 1):
        raise ValueError(
            f"Every tile has a number of its own in `id`; several have {shorten(twice)}. Were they "
            "counted twice?"
        )
    edges = None if boundaries is None else np.stack(boundaries)
    return Counts(tuple(ids), np.stack(confusions), edges, confidence)


def _by_class(table: ClassTable, values: np.ndarray) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(table.names, values, strict=True)}


def _number(value: float | np.ndarray) -> float | None:
    return None if np.isnan(value) else float(value)
