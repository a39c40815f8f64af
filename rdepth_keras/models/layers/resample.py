"""Resizing and pooling of feature maps, with PyTorch's conventions on every backend.

Both are products with a small matrix along the rows and along the columns.
"""

import keras
import numpy as np
from keras import ops


def resize(x, size: tuple[int, int], align_corners: bool = False):
    """Bilinear (B, h, w, C) -> (B, *size, C) without antialiasing, as PyTorch's ``interpolate``.

    ``align_corners=False`` lets the outer edges of the corner pixels coincide, ``True`` their
    centres.
    """
    for axis, new in zip((1, 2), size, strict=True):
        if x.shape[axis] != new:
            x = mix(x, interpolation(x.shape[axis], new, align_corners), axis)
    return x


def adaptive_average_pool(x, bins: int):
    """Mean over ``bins`` x ``bins`` boxes: (B, H, W, C) -> (B, bins, bins, C), for any H and W."""
    dtype = x.dtype
    x = ops.cast(x, "float32")
    for axis in (1, 2):
        x = mix(x, boxes(x.shape[axis], bins), axis)
    return ops.cast(x, dtype)


def interpolation(old: int, new: int, align_corners: bool = False) -> np.ndarray:
    """The weights (new, old) of linear interpolation from ``old`` samples to ``new``."""
    position = np.arange(new)
    if align_corners:
        position = position * ((old - 1) / max(new - 1, 1))
    else:
        position = np.clip((position + 0.5) * (old / new) - 0.5, 0, old - 1)
    distance = np.abs(position[:, None] - np.arange(old))
    return np.maximum(1 - distance, 0).astype(np.float32)


def boxes(size: int, bins: int) -> np.ndarray:
    """The weights (bins, size) of the mean over boxes.

    Box i reaches from floor(i size / bins) to ceil((i + 1) size / bins): boxes overlap where
    ``bins`` does not divide ``size``, and repeat where ``size`` is smaller.
    """
    index, box = np.arange(size), np.arange(bins)[:, None]
    inside = (index >= box * size // bins) & (index < -(-(box + 1) * size // bins))
    return (inside / inside.sum(1, keepdims=True)).astype(np.float32)


def mix(x, matrix: np.ndarray, axis: int):
    """Multiply one axis of (B, H, W, C), 1 or 2, by a matrix (new, old)."""
    pattern = {1: "oh,bhwc->bowc", 2: "ow,bhwc->bhoc"}[axis]
    matrix = ops.cast(matrix, x.dtype)
    if keras.backend.backend() == "jax":
        import jax.numpy as jnp

        return jnp.einsum(pattern, matrix, x, precision="highest")  # no TF32 on a GPU
    return ops.einsum(pattern, matrix, x)
