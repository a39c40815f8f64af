"""Masked losses for dense prediction, as pure JAX functions.

Logits of another size than the label's are resized to it with half-pixel centres, which is not how
every network predicts: methods enlarge by :func:`rdepth_keras.adapt.outputs.see` before. Everything
is computed in float32, whatever the dtype of the logits. Pixels labelled
:data:`~rdepth_keras.labels.IGNORE` never carry a gradient.
"""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from rdepth_keras.arrays import check_logits, check_shape
from rdepth_keras.labels import IGNORE, check_integers
from rdepth_keras.models.layers.resample import resize

Average = Literal["valid", "all"]


def resize_logits(logits: jax.Array, height: int, width: int) -> jax.Array:
    """Bilinear resize (B, h, w, K) -> (B, height, width, K), half-pixel centres, float32.

    The convention of PyTorch's ``interpolate(..., align_corners=False)``: no antialiasing when
    the logits shrink.
    """
    return jnp.asarray(resize(logits.astype(jnp.float32), (height, width)))


def pixel_cross_entropy(logits: jax.Array, label: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy of every pixel, 0 where ignored, and the mask of valid pixels.

    Args:
        logits: (B, h, w, K) at any stride.
        label: (B, H, W) train ids, 255 = ignore.

    Returns:
        Two float32 arrays (B, H, W): the cross-entropy in nats and 1.0 where labelled. The entropy
        is NaN where a label is neither a class nor 255.

    Raises:
        ValueError: for shapes that do not belong together, logits of one class, or that are no
            floats, and labels that are no integers.
    """
    check_logits(logits, label)
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"Logits must be floats; received {logits.dtype}. Are they labels?")
    if logits.shape[-1] == 1:
        raise ValueError(
            "Logits of one class always have the entropy 0; give two or more, or take a loss for "
            "one channel, such as optax.sigmoid_binary_cross_entropy."
        )
    check_integers("label", label)
    logits = resize_logits(logits, *label.shape[1:])
    label = _as_int32(label)
    valid = label != IGNORE
    known = (label >= 0) & (label < logits.shape[-1])
    safe = jnp.where(known, label, 0)
    entropy = optax.softmax_cross_entropy_with_integer_labels(logits, safe)
    entropy = jnp.where(known, entropy, jnp.nan)
    return jnp.where(valid, entropy, 0.0), valid.astype(jnp.float32)


def _as_int32(label: jax.Array | np.ndarray) -> jax.Array:
    """Train ids as int32, where -1 of int8 is not 255, nor 2^32 of int64 0: that becomes 256."""
    if label.dtype.itemsize > 4:
        where = np.where if isinstance(label, np.ndarray) else jnp.where
        label = where((label >= 0) & (label <= IGNORE), label, IGNORE + 1)
    return jnp.asarray(label.astype(np.int32))


def cross_entropy(
    logits: jax.Array,
    label: jax.Array,
    *,
    average: Average = "valid",
    class_weights: tuple[float, ...] | None = None,
    pixel_weights: jax.Array | None = None,
) -> jax.Array:
    """Mean cross-entropy over pixels.

    Args:
        logits: (B, h, w, K) at any stride.
        label: (B, H, W) train ids, 255 = ignore.
        average: ``"valid"`` divides by the number of labelled pixels (0 for none);
            ``"all"`` divides by the number of all pixels, the ignored included, as
            mmsegmentation does by default (``avg_non_ignore=False``) and the paper did.
        class_weights: K factors on the terms; the divisor counts pixels, not weights.
        pixel_weights: (B, H, W) factors on the terms, e.g. the confidence of pseudo-labels. Within
            a compiled function their values are not looked at.

    Returns:
        A float32 scalar.

    Raises:
        ValueError: for shapes that do not belong together, logits that are no floats, labels that
            are no integers, weights that are negative or not finite, and an unknown ``average``.
    """
    check_average(average)
    entropy, valid = pixel_cross_entropy(logits, label)
    if class_weights is not None:
        _check_weights("class_weights", class_weights)
        factors = jnp.asarray(class_weights, jnp.float32)
        check_shape("class_weights", factors, logits.shape[-1:])
        # Index 255 reads a clamped, unused weight: the entropy there is 0.
        entropy = entropy * factors[label.astype(jnp.int32)]
    if pixel_weights is not None:
        _check_weights("pixel_weights", pixel_weights)
        check_shape("pixel_weights", pixel_weights, label.shape)
        entropy = entropy * pixel_weights
    count = valid.sum() if average == "valid" else float(label.size)
    return entropy.sum() / jnp.maximum(count, 1.0)


def check_average(average: str) -> None:
    """Raises ValueError for what is no way of averaging."""
    if average not in get_args(Average):
        raise ValueError(f"average must be one of {get_args(Average)}; received {average!r}.")


def _check_weights(name: str, weights) -> None:
    """Raises ValueError for factors that are complex and, where they are known, not all >= 0."""
    known = not isinstance(weights, Tracer)
    if jnp.iscomplexobj(weights) or (known and not np.all(_amounts(np.asarray(weights)))):
        raise ValueError(f"{name} must be finite numbers, at least 0; received {weights}.")


def _amounts(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return np.isfinite(values) & (values >= 0)
