"""A teacher: the moving average of a network, and the labels it gives to images that have none."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from rdepth_keras.losses import resize_logits


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


def pseudo_labels(
    logits: jax.Array, height: int, width: int, confidence: float
) -> tuple[jax.Array, jax.Array]:
    """The likeliest class of every pixel, and how much of the batch is sure.

    Args:
        logits: (B, h, w, K) at any stride.
        height: of the labels, in pixels.
        width: of the labels, in pixels.
        confidence: probability from which on a pixel is sure.

    Returns:
        Labels (B, height, width) uint8, and a float32 scalar in [0, 1]: the share of all pixels
        that are sure (Tranheden et al., "DACS", WACV 2021, weigh the labels of a batch by it).
    """
    probabilities = jax.nn.softmax(resize_logits(logits, height, width), -1)
    sure = (probabilities.max(-1) >= confidence).mean(dtype=jnp.float32)
    return probabilities.argmax(-1).astype(jnp.uint8), sure
