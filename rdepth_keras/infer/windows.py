"""A tile seen through windows, in batches, blended where they overlap: one compiled loop."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdepth_keras.infer.inference import Inference
from rdepth_keras.infer.views import Look
from rdepth_keras.tiling import Windows, blend_weights, coverage, windows

Forward = Callable[[Mapping[str, jax.Array]], jax.Array]
FIRST = np.int32(0)  # a place like the corners: a plain 0 is of 64 bits where JAX allows them


def slide(
    forward: Forward,
    inputs: Mapping[str, jax.Array],
    inference: Inference,
    look: Look,
) -> jax.Array:
    """The prediction (h, w, K) of a tile as it is looked at, at that view's height and width."""
    height, width = next(iter(inputs.values())).shape[:2]
    if look.turned:
        height, width = width, height
    window = inference.window_pixels or max(height, width)
    grid = windows(height, width, window, inference.stride_pixels or window)
    weight = blend_weights(grid.window_height, grid.window_width, inference.blend)
    corners, real = _batches(grid, inference.window_batch)

    def one_batch(total, batch):
        found = forward(_cut(inputs, batch[0], grid, look)).astype(jnp.float32)
        if inference.average == "probabilities":
            found = jax.nn.softmax(found)
        found = found * weight[None, ..., None] * batch[1][:, None, None, None]
        for index in range(found.shape[0]):
            top, left = batch[0][index]
            part = jax.lax.dynamic_slice(total, (top, left, FIRST), found.shape[1:])
            total = jax.lax.dynamic_update_slice(total, part + found[index], (top, left, FIRST))
        return total, None

    first = jax.eval_shape(
        lambda arrays: forward(_cut(arrays, corners[0], grid, look)), dict(inputs)
    )
    check_scores(first, (corners.shape[1], grid.window_height, grid.window_width))
    total = jnp.zeros((height, width, first.shape[-1]), jnp.float32)
    total = jax.lax.scan(one_batch, total, (corners, real))[0]
    return total / coverage(grid, weight)[..., None]


def check_scores(found: Any, seen: tuple[int, int, int]) -> None:
    """Raises ValueError for other scores than (N, h, w, K) of the windows (N, h, w) that were seen.

    Others might be spread over the windows without a word, one window's over them all.
    """
    if len(found.shape) != 4 or tuple(found.shape[:3]) != seen:
        raise ValueError(
            f"A network gives scores for each pixel of its windows {seen}; received scores of "
            f"shape {tuple(found.shape)}. Return them all, or enlarge them in the network."
        )


def _batches(grid: Windows, window_batch: int) -> tuple[jax.Array, jax.Array]:
    """Corners (batches, n, 2), the last batch filled up, and 1.0 for real windows (batches, n)."""
    size = min(window_batch, len(grid))
    count = -(-len(grid) // size)
    corners = np.zeros((count * size, 2), np.int32)
    corners[: len(grid)] = np.stack([grid.tops, grid.lefts], axis=-1)
    real = np.arange(count * size) < len(grid)
    real = real.astype(np.float32)
    return jnp.asarray(corners.reshape(count, size, 2)), jnp.asarray(real.reshape(count, size))


def _cut(inputs: Mapping[str, jax.Array], corners: jax.Array, grid: Windows, look: Look):
    """The windows at corners of the view, cut out of the tile as it is and then turned."""
    high, wide = grid.window_height, grid.window_width

    def cut(array, corner):
        top = jnp.where(look.rows, grid.height - high - corner[0], corner[0])
        left = jnp.where(look.columns, grid.width - wide - corner[1], corner[1])
        if not look.turned:
            part = jax.lax.dynamic_slice(array, (top, left, FIRST), (high, wide, array.shape[-1]))
        else:  # row r and column c of the turned tile are its row c and column H - 1 - r
            shape, right = (wide, high, array.shape[-1]), grid.height - high - top
            part = jnp.rot90(jax.lax.dynamic_slice(array, (left, right, FIRST), shape))
        return look.flip(part)

    return {
        name: jax.vmap(cut, in_axes=(None, 0))(array, corners) for name, array in inputs.items()
    }
