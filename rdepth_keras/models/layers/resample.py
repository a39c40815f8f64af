"""Resizing and pooling of feature maps, with PyTorch's conventions on every backend.

Both are products with a small matrix along the rows and along the columns. A matrix of
interpolation is nearly empty, and so is its transpose, the gradient: under JAX only what is not
zero is multiplied, which is five to ten times as fast on a CPU.
"""

import functools

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
            if keras.backend.backend() == "jax":
                x = _jax_interpolate()(x, new, axis, align_corners)
            else:
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


MOST_TERMS = 16  # of a sum written out; a wider one is a matrix product


@functools.cache
def _jax_interpolate():
    """Interpolation of one axis under JAX; a function of its own, as other backends may lack it."""
    import jax
    import jax.numpy as jnp

    def multiply(x, matrix, axis):
        index, weights = nonzero(matrix)
        if len(index) > MOST_TERMS:
            return mix(x, matrix, axis)
        shape = [len(matrix) if each == axis else 1 for each in range(4)]
        terms = (
            jnp.take(x, places, axis, mode="clip").astype(jnp.float32) * weight.reshape(shape)
            for places, weight in zip(index, weights, strict=True)
        )
        return sum(terms).astype(x.dtype)

    @functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
    def interpolate(x, new, axis, align_corners):
        return multiply(x, interpolation(x.shape[axis], new, align_corners), axis)

    def forward(x, new, axis, align_corners):
        return interpolate(x, new, axis, align_corners), x.shape[axis]

    def backward(new, axis, align_corners, old, cotangent):
        return (multiply(cotangent, interpolation(old, new, align_corners).T, axis),)

    interpolate.defvjp(forward, backward)
    return interpolate


def nonzero(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns that the rows of a matrix (new, old) of bands need, and their weights.

    Both are (terms, new): ``matrix @ x == (weights * x[index]).sum(0)``.
    """
    terms = max((matrix != 0).sum(1).max(), 1)
    first = np.minimum((matrix != 0).argmax(1), matrix.shape[1] - terms)
    index = first + np.arange(terms, dtype=np.int32)[:, None]
    return index, matrix[np.arange(len(matrix)), index]


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
