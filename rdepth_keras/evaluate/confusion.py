"""Confusion matrices and the scores they give: NumPy, integers until the last division.

Rows are the truth, columns the prediction. Ignored pixels are never counted.
"""

import numpy as np

from rdepth_keras.labels import IGNORE


def confusion_matrix(truth: np.ndarray, prediction: np.ndarray, classes: int) -> np.ndarray:
    """Pixel counts, int64 (classes, classes), of two arrays of train ids of one shape.

    Raises:
        ValueError: for different shapes, or values beyond the classes (the truth may also hold
            255 = ignore).
    """
    if truth.shape != prediction.shape:
        raise ValueError(
            f"Truth and prediction must have one shape; received {truth.shape} and "
            f"{prediction.shape}."
        )
    valid = truth != IGNORE
    rows, columns = truth[valid].astype(np.int64), prediction[valid].astype(np.int64)
    for name, values in (("truth", rows), ("prediction", columns)):
        if values.size and not (0 <= values.min() and values.max() < classes):
            raise ValueError(
                f"The {name} must hold train ids 0..{classes - 1}; received values up to "
                f"{values.max()}."
            )
    counts = np.bincount(rows * classes + columns, minlength=classes**2)
    return counts.reshape(classes, classes)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, float64 (classes,).

    NaN for a class in neither truth nor prediction; 0 for one predicted but absent.
    """
    hit = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - hit
    return np.divide(hit, union, out=np.full(len(hit), np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean IoU over the classes in truth or prediction; NaN where there is none."""
    iou = class_iou(confusion)
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")
