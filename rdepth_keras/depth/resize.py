"""Resizing as Depth Anything's own code does it, where Keras and PIL differ from PyTorch."""

from typing import Any

import keras
import numpy as np

ops: Any = keras.ops  # its annotations say that everything may be None


def resize_bicubic(grid: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, C) -> (height, width, C): a = -0.75, pixel centres, edges clamped, no antialias.

    That is PyTorch's ``interpolate(mode="bicubic", align_corners=False)``; JAX and TensorFlow use
    a = -0.5 (Keys, "Cubic convolution interpolation", 1981, equation 4 for a general a).
    """
    rows = _cubic_matrix(grid.shape[0], height)
    columns = _cubic_matrix(grid.shape[1], width)
    return np.einsum("yh,xw,hwc->yxc", rows, columns, grid, optimize=True).astype(grid.dtype)


def _cubic_matrix(source: int, target: int) -> np.ndarray:
    centre = (np.arange(target) + 0.5) * source / target - 0.5
    first = np.floor(centre).astype(int)
    matrix = np.zeros((target, source))
    for tap in range(-1, 3):
        index = np.clip(first + tap, 0, source - 1)
        np.add.at(matrix, (np.arange(target), index), _cubic(centre - first - tap))
    return matrix


def _cubic(distance: np.ndarray, a: float = -0.75) -> np.ndarray:
    x = np.abs(distance)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def resize_corners(features: Any, height: int, width: int) -> Any:
    """(B, h, w, C) -> (B, height, width, C), bilinear with the corner pixels on each other."""
    features = _lerp(features, height, axis=1)
    return _lerp(features, width, axis=2)


def _lerp(features, target: int, axis: int):
    source = features.shape[axis]
    if source == target:
        return features
    position = np.linspace(0, source - 1, target) if target > 1 else np.zeros(1)
    low = np.minimum(position.astype(int), source - 1)
    high = np.minimum(low + 1, source - 1)
    shape = [1, 1, 1, 1]
    shape[axis] = target
    weight = ops.cast((position - low).reshape(shape), features.dtype)
    below = ops.take(features, low, axis=axis)
    return below + (ops.take(features, high, axis=axis) - below) * weight
