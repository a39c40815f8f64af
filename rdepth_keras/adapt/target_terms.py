"""What can be asked of predictions without labels: entropy, evenness, a prior, consent of boxes.

Pure functions of logits (B, H, W, K), float32 scalars in nats. Where no pixel is asked, they are 0.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

STEADY = 1e-6  # added to probabilities within logarithms, as in PyCDA's code


def entropy(logits: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean entropy of the pixels where ``mask`` (B, H, W) holds, divided by K.

    A mean over pixels and classes: IAST's entropy of ignored pixels.
    """
    logarithms = jax.nn.log_softmax(logits.astype(jnp.float32), -1)
    return _mean(-jnp.exp(logarithms) * logarithms, mask)


def unevenness(logits: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean divergence KL(uniform, p) of the pixels where ``mask`` (B, H, W) holds, divided by K.

    A mean over pixels and classes: IAST's regulariser of pseudo-labelled pixels. Its code leaves
    out the constant -log(K) / K, by which this is 0 for even probabilities.
    """
    classes = logits.shape[-1]
    logarithms = jax.nn.log_softmax(logits.astype(jnp.float32), -1)
    return _mean(-(logarithms + jnp.log(float(classes))) / classes, mask)


def prior_cross_entropy(logits: jax.Array, prior: Sequence[float] | None = None) -> jax.Array:
    """Mean over the classes of the binary cross-entropy of their shares with a prior.

    A class's share is its mean probability over all pixels of the batch. ``prior`` holds K shares;
    None is 1 / K each, which PyCDA's released code comes to whatever prior it reads, since it
    compares every class's share with the priors of all classes.
    """
    share = jax.nn.softmax(logits.astype(jnp.float32), -1).mean((0, 1, 2))
    wanted = jnp.full_like(share, 1 / len(share)) if prior is None else jnp.asarray(prior)
    terms = wanted * jnp.log(share + STEADY) + (1 - wanted) * jnp.log(1 - share + STEADY)
    return -terms.mean()


def box_cross_entropy(logits: jax.Array, confidence: float, boxes: Sequence[int]) -> jax.Array:
    """Mean cross-entropy of sure pixels and sure boxes with the class that they are surest of.

    PyCDA's pseudo-labels. The logits of a box are its pixels' mean; ``boxes`` are sides in pixels,
    1 for the pixels themselves. What does not fill a box at the bottom and right has none. Sure is
    what has a probability above ``confidence``; all of them, of any size, are one mean. Where the
    cross-entropy is rounded to 0, a place is not counted, as in the original.
    """
    total = count = jnp.zeros((), jnp.float32)
    for side in boxes:
        pooled = pool(logits.astype(jnp.float32), side)
        best = jax.lax.stop_gradient(pooled).argmax(-1)
        terms = optax.softmax_cross_entropy_with_integer_labels(pooled, best)
        sure = (jnp.exp(-terms) > confidence) & (terms > 0)
        total += jnp.where(sure, terms, 0).sum()
        count += sure.sum()
    return total / jnp.maximum(count, 1)


def pool(x: jax.Array, side: int) -> jax.Array:
    """Means over boxes that do not overlap: (B, H, W, C) -> (B, H // side, W // side, C)."""
    batch, height, width, channels = x.shape
    rows, columns = height // side, width // side
    x = x[:, : rows * side, : columns * side]
    return x.reshape(batch, rows, side, columns, side, channels).mean((2, 4))


def _mean(terms: jax.Array, mask: jax.Array) -> jax.Array:
    """Of (B, H, W, K), over the classes and where the mask (B, H, W) holds."""
    total = jnp.where(mask[..., None], terms, 0).sum()
    return total / jnp.maximum(mask.sum() * terms.shape[-1], 1)
