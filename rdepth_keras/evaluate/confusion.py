"""Confusion matrices and the scores they give: NumPy, integers until the last division.

Rows are the truth, columns the prediction. Ignored pixels are never counted. Every score takes
matrices with any leading axes, (..., classes, classes), e.g. one a tile or one a bootstrap draw,
and raises ValueError for what are no numbers of pixels.
"""

from typing import Literal, get_args

import numpy as np

from rdepth_keras.arrays import check_count, check_whole
from rdepth_keras.labels import IGNORE, MOST_CLASSES, check_ids

Absent = Literal["union", "truth", "zero"]


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Pixel counts, int64 (classes, classes), of two arrays of train ids of one shape.

    Raises:
        ValueError: for different shapes, masked arrays, numbers that are no integers, values beyond
            the classes (the truth may also hold 255 = ignore), more classes than there are train
            ids, or a truth that says each class by a 0 or 1 of its own.
    """
    check_count("classes", classes, MOST_CLASSES)
    check_whole("The truth", truth)
    check_whole("The prediction", prediction)
    if truth.shape != prediction.shape:
        raise ValueError(
            f"Truth and prediction must have one shape; received {truth.shape} and "
            f"{prediction.shape}."
        )
    if truth.ndim > 1 and truth.shape[-1] == classes > 1 and _is_one_hot(truth):
        raise ValueError(
            f"Truth and prediction are train ids; received one 0 or 1 for each of {classes} "
            "classes. Take .argmax(-1) of both."
        )
    valid = truth != IGNORE
    rows, columns = truth[valid], prediction[valid]
    check_ids("truth", rows, classes)
    check_ids("prediction", columns, classes)
    rows, columns = rows.astype(np.int64), columns.astype(np.int64)
    counts = np.bincount(rows * classes + columns, minlength=classes**2)
    return counts.reshape(classes, classes)


def _is_one_hot(array: np.ndarray) -> bool:
    return bool(np.isin(array, (0, 1)).all() and (array.sum(-1) == 1).all())


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, float64 (..., classes).

    NaN for a class in neither truth nor prediction; 0 for one predicted but absent.
    """
    hit, truth, predicted = _margins(confusion)
    return divide(hit, truth + predicted - hit)


def class_f1(confusion: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall of each class, NaN as in :func:`class_iou`."""
    hit, truth, predicted = _margins(confusion)
    return divide(2 * hit, truth + predicted)


def class_precision(confusion: np.ndarray) -> np.ndarray:
    """Share of the pixels predicted as a class that are of it; NaN where never predicted."""
    hit, _, predicted = _margins(confusion)
    return divide(hit, predicted)


def class_recall(confusion: np.ndarray) -> np.ndarray:
    """Share of a class's pixels that are found; NaN where the class is absent."""
    hit, truth, _ = _margins(confusion)
    return divide(hit, truth)


def mean_iou(confusion: np.ndarray, absent: Absent = "union") -> np.ndarray:
    """Mean IoU over the classes, float64 (...); NaN where there is no pixel.

    Args:
        confusion: pixel counts.
        absent: which classes are averaged. ``"union"``: those in truth or prediction, so that one
            predicted but absent counts 0. ``"truth"``: those in the truth. ``"zero"``: all, a
            class that is nowhere counts 0.

    Raises:
        ValueError: for an unknown ``absent``.
    """
    if absent not in get_args(Absent):
        raise ValueError(f"absent must be one of {get_args(Absent)}; received {absent!r}.")
    confusion = _pixels(confusion)
    iou, counted = class_iou(confusion), confusion.sum((-2, -1)) > 0
    if absent == "truth":
        iou = np.where(confusion.sum(-1) > 0, iou, np.nan)
    if absent == "zero":
        return np.where(counted, np.nan_to_num(iou).mean(-1), np.nan)
    return divide(np.nansum(iou, -1), np.isfinite(iou).sum(-1))


def overall_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of the pixels that are right, float64 (...)."""
    hit, truth, _ = _margins(confusion)
    return divide(hit.sum(-1), truth.sum(-1))


def kappa(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa: agreement beyond chance, float64 (...).

    Source: Cohen, "A coefficient of agreement for nominal scales", 1960. NaN where truth and
    prediction are one and the same single class: there is no chance to be better than.
    """
    _, truth, predicted = _margins(confusion)
    pixels = np.asarray(truth.sum(-1), np.float64)
    right = overall_accuracy(confusion)
    chance = divide((truth.astype(np.float64) * predicted).sum(-1), pixels**2)
    return divide(right - chance, 1 - chance)


def frequency_weighted_iou(confusion: np.ndarray) -> np.ndarray:
    """Mean IoU weighted by the classes' shares of the truth, float64 (...)."""
    iou, truth = np.nan_to_num(class_iou(confusion)), _margins(confusion)[1]
    return divide((iou * truth).sum(-1), truth.sum(-1))


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient as float64, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    quotient = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=quotient, where=denominator != 0)


def _pixels(confusion: np.ndarray) -> np.ndarray:
    """Integers as int64, in which sums do not overflow; floats as they are.

    Raises ValueError for what is no square.
    """
    confusion = np.asarray(confusion)
    if confusion.ndim < 2 or confusion.shape[-1] != confusion.shape[-2]:
        raise ValueError(
            "A confusion matrix must be (..., classes, classes), truth before prediction; received "
            f"{confusion.shape}."
        )
    return confusion.astype(np.int64) if confusion.dtype.kind in "iu" else confusion


def _margins(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels right, in the truth and predicted, each (..., classes).

    Raises ValueError for what is no number of pixels.
    """
    confusion = _pixels(confusion)
    counted = (confusion >= 0) & (confusion % 1 == 0)
    if not counted.all():
        strange = np.unique(confusion[~counted])[:8].tolist()
        raise ValueError(
            f"A confusion matrix must hold whole numbers of pixels; received {strange}."
        )
    return confusion.diagonal(axis1=-2, axis2=-1), confusion.sum(-1), confusion.sum(-2)
