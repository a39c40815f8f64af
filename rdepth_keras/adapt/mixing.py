"""Images made of two, and images with holes: what a segmenter is trained on beside real ones.

Image and depth are hidden alike. Where images are mixed the depth may stay one tile's: it is
relative to its own tile, so that a part of another tells where it was cut out, and not how high it
is.
"""

from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp

from rdepth_keras.labels import IGNORE
from rdepth_keras.models.layers.basic import DEPTH_MEAN, IMAGE_MEAN

BLANK = {"image": IMAGE_MEAN, "depth": (sum(DEPTH_MEAN) / 3,)}  # what a network sees as nothing


def class_masks(
    label: jax.Array, key: jax.Array, classes: int, *, as_released: bool = False
) -> jax.Array:
    """Where images are pasted: half of each one's classes, rounded up, drawn anew.

    Olsson et al., "ClassMix", WACV 2021, algorithm 1.

    Args:
        label: (B, H, W) train ids, 255 = ignore.
        key: draws the classes.
        classes: K.
        as_released: draws among the classes of the whole batch, and takes ignored pixels for a
            class of their own, as DACS's and DAFormer's code does.

    Returns:
        (B, H, W) bool. Without ``as_released`` ignored pixels are never pasted.
    """
    kinds = jnp.where(label == IGNORE, classes, label).astype(jnp.int32)
    present = (kinds[..., None] == jnp.arange(classes + 1)).any((1, 2))
    if as_released:
        present = jnp.broadcast_to(present.any(0), present.shape)
    else:
        present = present.at[:, classes].set(False)
    scores = jnp.where(present, jax.random.uniform(key, present.shape), -1.0)
    rank = jnp.argsort(jnp.argsort(-scores, axis=-1), axis=-1)
    taken = present & (rank < (present.sum(-1, keepdims=True) + 1) // 2)
    return jax.vmap(lambda own, kind: own[kind])(taken, kinds)


def paste(
    mask: jax.Array,
    source: Mapping[str, jax.Array],
    target: Mapping[str, jax.Array],
    names: Iterable[str],
    *,
    depth: bool = True,
) -> dict[str, jax.Array]:
    """The named inputs of ``source`` where ``mask`` (B, H, W) holds, else those of ``target``.

    Without ``depth`` that is the target's everywhere.
    """
    pasted = {name: mask[..., None] & (depth or name != "depth") for name in names}
    return {name: jnp.where(own, source[name], target[name]) for name, own in pasted.items()}


def hide(
    inputs: Mapping[str, jax.Array],
    key: jax.Array,
    names: Iterable[str],
    *,
    share: float,
    block_pixels: int,
) -> dict[str, jax.Array]:
    """The named inputs with square blocks hidden, each with a chance of ``share``.

    Hoyer et al., "MIC: Masked Image Consistency", CVPR 2023, equation 4. Image and depth are hidden
    at the same places, by what networks see as 0, the depth nearly so. Raises ValueError for blocks
    as large as the images, which would hide all or nothing.
    """
    batch, height, width = inputs["image"].shape[:3]
    if block_pixels >= min(height, width):
        raise ValueError(
            f"Blocks of {block_pixels} pixels hide all or nothing of {height} x {width}: lower "
            "--method.masked-block, or enlarge --crop."
        )
    rows, columns = -(-height // block_pixels), -(-width // block_pixels)
    hidden = jax.random.bernoulli(key, share, (batch, rows, columns, 1))
    hidden = hidden.repeat(block_pixels, 1).repeat(block_pixels, 2)[:, :height, :width]
    return {
        name: jnp.where(hidden, jnp.asarray(BLANK[name], jnp.float32), inputs[name])
        for name in names
    }
