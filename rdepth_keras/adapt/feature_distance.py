"""How far a network's features have gone from those it was pretrained with."""

import jax
import jax.numpy as jnp

from rdepth_keras.labels import IGNORE


def pure_cells(label: jax.Array, classes: int, height: int, width: int, purity: float) -> jax.Array:
    """The class that covers a cell of a coarser map: (B, H, W) labels -> (B, height, width) uint8.

    A cell is ignored, 255, where no class has ``purity`` of its pixels. Labels are filled up with
    ignore where the cells do not divide them.
    """
    rows, columns = -(-label.shape[1] // height), -(-label.shape[2] // width)
    fill = (0, height * rows - label.shape[1]), (0, width * columns - label.shape[2])
    label = jnp.pad(label, ((0, 0), *fill), constant_values=IGNORE)
    cells = label.reshape(len(label), height, rows, width, columns)
    shares = (cells[..., None] == jnp.arange(classes)).mean((2, 4), dtype=jnp.float32)
    best = shares.argmax(-1).astype(jnp.uint8)
    return jnp.where(shares.max(-1) >= purity, best, jnp.uint8(IGNORE))


def feature_distance(
    features: jax.Array,
    reference: jax.Array,
    label: jax.Array,
    classes: int,
    *,
    of: tuple[int, ...] = (),
    purity: float = 0.75,
) -> jax.Array:
    """Mean Euclidean distance of two maps over the cells that one class covers.

    Hoyer et al., "DAFormer", CVPR 2022, equations 7 to 9.

    Args:
        features: (B, h, w, C).
        reference: (B, h, w, C), of the network as it was pretrained; no gradient passes it.
        label: (B, H, W) train ids, 255 = ignore.
        classes: K.
        of: the classes that count; all where none is named.
        purity: share of a cell's pixels that the class must have.

    Returns:
        A float32 scalar; 0 where no cell counts. Where the maps are equal the gradient is 0.
    """
    height, width = features.shape[1:3]
    cells = pure_cells(label, classes, height, width, purity)
    counts = jnp.isin(cells, jnp.asarray(of or range(classes), jnp.uint8))
    difference = features.astype(jnp.float32) - jax.lax.stop_gradient(reference).astype(jnp.float32)
    squares = jnp.square(difference).sum(-1)
    apart = squares > 0  # the root's gradient at 0 is infinite
    distances = jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1.0)), 0.0)
    return jnp.where(counts, distances, 0.0).sum() / jnp.maximum(counts.sum(), 1)
