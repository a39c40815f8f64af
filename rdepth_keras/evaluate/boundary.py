"""Boundary IoU: how well the outlines of the classes are met.

Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR
2021: the IoU of the two masks' pixels within d of their own contours, d being 2 % of the image's
diagonal. The image's edge counts as a contour, as in the authors' code. An edge against ignored
pixels is none, for nobody knows whether the class ends there.
"""

import cv2
import numpy as np

from rdepth_keras.arrays import check_count, check_shape
from rdepth_keras.evaluate.confusion import divide
from rdepth_keras.labels import IGNORE, check_ids

DIAGONAL_SHARE = 0.02


def boundary_counts(
    truth: np.ndarray,
    prediction: np.ndarray,
    classes: int,
    distance_pixels: int | None = None,
) -> np.ndarray:
    """Intersection and union of the boundaries of each class, int64 (2, classes).

    Args:
        truth: train ids (H, W), 255 = ignore; what is predicted there has no influence.
        prediction: train ids (H, W).
        classes: number of classes.
        distance_pixels: d, in steps of king's moves; None is 2 % of the diagonal, at least 1.

    Raises:
        ValueError: for different shapes, train ids beyond the classes, or a distance below 1.
    """
    check_shape("truth", truth, (None, None))
    check_shape("prediction", prediction, truth.shape)
    known = truth != IGNORE
    check_ids("truth", truth[known], classes)
    check_ids("prediction", prediction[known], classes)
    if distance_pixels is None:
        distance_pixels = max(1, round(DIAGONAL_SHARE * float(np.hypot(*truth.shape))))
    check_count("distance_pixels", distance_pixels)
    truth = truth.astype(np.uint8)
    seen = np.where(known, prediction, IGNORE).astype(np.uint8)
    edge_truth, edge_seen = boundary(truth, distance_pixels), boundary(seen, distance_pixels)
    shared = edge_truth & edge_seen & (truth == seen)
    counted = truth[shared], truth[edge_truth], seen[edge_seen]
    counts = [np.bincount(values, minlength=classes)[:classes] for values in counted]
    both, of_truth, of_prediction = counts
    return np.stack([both, of_truth + of_prediction - both])


def boundary_iou(counts: np.ndarray) -> np.ndarray:
    """Boundary IoU of each class (..., classes) from (..., 2, classes); NaN for one nowhere."""
    return divide(counts[..., 0, :], counts[..., 1, :])


def boundary(label: np.ndarray, distance_pixels: int) -> np.ndarray:
    """Where another class, or the image's edge, is within the distance: bool (H, W).

    A pixel is inside its class when the smallest and the largest class around it are its own, so
    two filters serve all classes. Ignored pixels hide in both.
    """
    side = 2 * distance_pixels + 1
    around = np.ones((side, side), np.uint8)
    unknown = label == IGNORE
    known = np.where(unknown, 0, label).astype(np.uint8)
    edge = cv2.BORDER_CONSTANT
    largest = cv2.dilate(known, around, borderType=edge, borderValue=IGNORE)
    smallest = cv2.erode(label, around, borderType=edge, borderValue=IGNORE)
    return ~unknown & ((largest != label) | (smallest != label))
