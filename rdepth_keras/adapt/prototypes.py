"""Prototypes of the classes, and how alike those of two sets of images are.

Wu, Lu, Fang, "Deep Covariance Alignment for Domain Adaptive Remote Sensing Image Segmentation",
IEEE TGRS 2022; Luffy03/DCA, ``module/my_modules.py``.
"""

import jax
import jax.numpy as jnp

FLOOR = 1e-6  # of a correlation, and of its distance from 1, within logarithms


def prototypes(
    features: jax.Array, probabilities: jax.Array, *, across_classes: bool = False
) -> jax.Array:
    """The mean over the images of each one's prototypes at unit length: (K, C), float32.

    An image's prototype of a class is the mean of its features, weighted by the probability of the
    class. No gradient passes the probabilities.

    Args:
        features: (B, h, w, C).
        probabilities: (B, h, w, K); classes that have no prototype are left out.
        across_classes: instead of each prototype, each channel has unit length over the image's
            classes, as in the released code, where it looks like a slip of the axis.
    """
    features = features.astype(jnp.float32)
    weights = jax.lax.stop_gradient(probabilities.astype(jnp.float32))
    sums = jnp.einsum("bhwk,bhwc->bkc", weights, features, precision="highest")
    sizes = weights.sum((1, 2))[..., None]
    means = sums / jnp.maximum(sizes, jnp.finfo(jnp.float32).tiny)
    return _unit(means, 1 if across_classes else 2).mean(0)


def correlations(one: jax.Array, other: jax.Array) -> jax.Array:
    """Pearson's, over the channels, of every pair of prototypes: (K, C), (K, C) -> (K, K)."""
    one, other = (_unit(x - x.mean(1, keepdims=True), 1) for x in (one, other))
    return jnp.einsum("ic,jc->ij", one, other, precision="highest")


def misalignment(correlation: jax.Array) -> jax.Array:
    """Mean over the classes of -log R_ii plus mean over the pairs i != j of -log(1 - R_ij).

    0 where prototypes of a class are alike and those of two classes unrelated or opposed. R_ij and
    1 - R_ij are held above 1e-6; the original holds R_ij alone, off the diagonal, and is NaN where
    prototypes of a class are opposed.
    """
    classes = len(correlation)
    same = jnp.eye(classes, dtype=bool)
    held = jnp.maximum(correlation, FLOOR)
    apart = jnp.where(same, 1.0, jnp.maximum(1 - held, FLOOR))
    alike = jnp.where(same, held, 1.0)
    pairs = max(classes * (classes - 1), 1)
    return -jnp.log(alike).sum() / classes - jnp.log(apart).sum() / pairs


def _unit(x: jax.Array, axis: int) -> jax.Array:
    """At unit length along an axis; zeros stay, and have a gradient."""
    squares = jnp.square(x).sum(axis, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squares, 1e-24))
