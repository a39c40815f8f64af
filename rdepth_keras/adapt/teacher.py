"""A teacher: the moving average of a network, and the labels it gives to images that have none."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp


def follow(
    teacher: Mapping[str, jax.Array], params: Mapping[str, jax.Array], step, decay: float
) -> dict[str, jax.Array]:
    """The teacher after a step: decay * teacher + (1 - decay) * params, of the teacher's paths.

    Early on the average is short: the decay is at most 1 - 1 / (step + 2), where ``step`` counts
    the steps before the one that made ``params`` (Tarvainen and Valpola, "Mean teachers are better
    role models", NeurIPS 2017, with the ramp of DAFormer's code). A teacher may hold some of the
    paths alone.
    """
    kept = jnp.minimum(1 - 1 / (step + 2), decay)
    return {path: kept * old + (1 - kept) * params[path] for path, old in teacher.items()}


def likeliest(logits: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The likeliest class of every pixel, uint8, and its probability, float32, both (B, H, W)."""
    probabilities = jax.nn.softmax(logits.astype(jnp.float32), -1)
    return probabilities.argmax(-1).astype(jnp.uint8), probabilities.max(-1)


def pseudo_labels(logits: jax.Array, confidence: float) -> tuple[jax.Array, jax.Array]:
    """The likeliest class of every pixel, and how much of the batch is sure.

    Args:
        logits: (B, H, W, K).
        confidence: probability from which on a pixel is sure.

    Returns:
        Labels (B, H, W) uint8, and a float32 scalar in [0, 1]: the share of all pixels that are
        sure (Tranheden et al., "DACS", WACV 2021, weigh the labels of a batch by it).
    """
    labels, probability = likeliest(logits)
    return labels, (probability >= confidence).mean(dtype=jnp.float32)
