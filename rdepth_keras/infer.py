"""A network over windows, test-time views and scales of one tile: scores for every pixel.

Everything runs inside one compiled function per tile size: views and batches of windows are a
loop with one accumulator, so that more views cost time, not memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rdepth_keras.arrays import Params, Tile
from rdepth_keras.network import Network
from rdepth_keras.tiling import Blend, Windows, blend_weights, windows

Average = Literal["logits", "probabilities"]
Views = Literal["one", "flips", "symmetries"]
Forward = Callable[[Mapping[str, jax.Array]], jax.Array]

LEAST_PIXELS = 32  # of a side, which the networks need; smaller windows are filled up

# A view is (quarter turns, mirrored): the symmetries of the square.
VIEWS: dict[str, tuple[tuple[int, bool], ...]] = {
    "one": ((0, False),),
    "flips": ((0, False), (0, True), (2, True), (2, False)),
    "symmetries": tuple((turns, mirror) for mirror in (False, True) for turns in range(4)),
}


@dataclass(frozen=True)
class Inference:
    """How a tile is predicted. The defaults are the paper's: 512/512, logits averaged.

    Attributes:
        window_pixels: side of the square window; None takes the tile as a whole.
        stride_pixels: distance between windows; None is the window itself (no overlap).
        blend: weights of overlapping windows, ``"uniform"`` or ``"tapered"``.
        average: what is averaged over windows and views, ``"logits"`` or ``"probabilities"``.
        views: ``"one"``, the four ``"flips"``, or the eight ``"symmetries"`` of the square.
        scales: sizes at which the tile is seen, as factors of its own; the windows stay as large.
        window_batch: windows that go through the network together on each device.
    """

    window_pixels: int | None = 512
    stride_pixels: int | None = None
    blend: Blend = "uniform"
    average: Average = "logits"
    views: Views = "one"
    scales: tuple[float, ...] = (1.0,)
    window_batch: int = 4

    def __post_init__(self):
        for name, value, known in (
            ("blend", self.blend, get_args(Blend)),
            ("average", self.average, get_args(Average)),
            ("views", self.views, get_args(Views)),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {known}; received {value!r}.")
        if not self.scales or not all(0 < scale <= 8 for scale in self.scales):
            raise ValueError(f"scales must be factors above 0, at most 8; received {self.scales}.")
        if self.window_batch < 1:
            raise ValueError(f"window_batch must be at least 1; received {self.window_batch}.")


def predict_scores(
    forward: Forward, inputs: Mapping[str, jax.Array], inference: Inference
) -> jax.Array:
    """Mean scores of a tile, float32 (H, W, K): logits or probabilities, as the inference says.

    Args:
        forward: maps a batch of inputs, e.g. image (N, h, w, 3) and depth (N, h, w, 1), to
            full-size logits (N, h, w, K).
        inputs: the same arrays of one tile without the batch axis, all (H, W, ...).
        inference: windows, views and averaging.
    """
    height, width = next(iter(inputs.values())).shape[:2]
    total = jnp.zeros(())
    for scale in inference.scales:
        # One scale after the other: side by side, each would hold its memory.
        inputs, total = jax.lax.optimization_barrier((dict(inputs), total))
        seen = {name: _resize(array, height, width, scale) for name, array in inputs.items()}
        scores = _predict_views(forward, seen, inference)
        total += _resize(scores, height, width, 1.0)
    return total / len(inference.scales)


def _resize(array: jax.Array, height: int, width: int, scale: float) -> jax.Array:
    """Bilinear to ``scale`` times height x width, antialiased; the very array where it fits."""
    shape = (max(1, round(height * scale)), max(1, round(width * scale)), array.shape[-1])
    if array.shape == shape:
        return array
    return jax.image.resize(array.astype(jnp.float32), shape, "linear")


def _predict_views(
    forward: Forward, inputs: Mapping[str, jax.Array], inference: Inference
) -> jax.Array:
    """Mean scores over the views, at the size of the inputs."""
    shape = jax.eval_shape(lambda arrays: _slide(forward, arrays, inference), dict(inputs)).shape
    total = jnp.zeros(shape)
    # Upright and turned views of a tile that is not square have different shapes: two loops, with
    # one accumulator that turns along. The tile itself is never turned: its windows are.
    for turned in (0, 1):
        views = [(k - turned, m) for k, m in VIEWS[inference.views] if k % 2 == turned]
        if views:
            total = jnp.rot90(total, turned)
            total = _add_views(total, forward, inputs, inference, turned, views)
            total = jnp.rot90(total, -turned)
    return total / len(VIEWS[inference.views])


def tile_scorer(
    network: Network, inference: Inference
) -> Callable[[Params, Params, Tile], np.ndarray]:
    """The compiled ``(params, buffers, tile) -> mean scores``, float32 (H, W, K).

    ``network`` has full-size logits as its output, i.e. it was built without taps. The windows are
    shared by the devices that hold the params. It is compiled once for each size of tile.
    """

    @partial(jax.jit, static_argnames="mesh")
    def scores(params, buffers, inputs, mesh):
        def apply(batch):
            return network.apply(params, buffers, batch)[0]

        forward = partial(_fill_up, apply)
        if mesh is None:
            return predict_scores(forward, inputs, inference)
        together = replace(inference, window_batch=inference.window_batch * mesh.size)
        found = predict_scores(partial(_share, forward, mesh), inputs, together)
        return jax.lax.with_sharding_constraint(found, NamedSharding(mesh, PartitionSpec()))

    def score(params: Params, buffers: Params, tile: Tile) -> np.ndarray:
        inputs = {name: tile[name] for name in network.input_names}
        return np.asarray(scores(params, buffers, inputs, mesh=_mesh(params)))

    return score


def _mesh(params: Params) -> Mesh | None:
    """The devices that hold the params, where there are several."""
    mesh = getattr(next(iter(params.values())).sharding, "mesh", None)
    return mesh if isinstance(mesh, Mesh) and mesh.size > 1 else None


def _share(forward: Forward, mesh: Mesh, batch: Mapping[str, jax.Array]) -> jax.Array:
    """The logits of windows that the devices share evenly; repeated windows fill up the rest."""
    count = len(next(iter(batch.values())))
    margins = ((0, -count % mesh.size), (0, 0), (0, 0), (0, 0))
    split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (mesh.axis_names, ()))
    shared = {
        name: jax.lax.with_sharding_constraint(jnp.pad(array, margins, "edge"), split)
        for name, array in batch.items()
    }
    return jax.lax.with_sharding_constraint(forward(shared), whole)[:count]


def _fill_up(forward: Forward, batch: Mapping[str, jax.Array]) -> jax.Array:
    """The logits of windows below :data:`LEAST_PIXELS`, whose edges are repeated to that size."""
    height, width = next(iter(batch.values())).shape[1:3]
    below, right = (max(LEAST_PIXELS - side, 0) for side in (height, width))
    if not below and not right:
        return forward(batch)
    margins = ((0, 0), (0, below), (0, right), (0, 0))
    filled = {name: jnp.pad(array, margins, "edge") for name, array in batch.items()}
    return forward(filled)[:, :height, :width]


def _add_views(total, forward, inputs, inference, turned, views) -> jax.Array:
    """``total`` and the scores of the views that keep the shape: half turns and mirrors."""
    half_turns = jnp.array([turns // 2 for turns, _ in views])
    mirrors = jnp.array([mirror for _, mirror in views])

    def one_view(total, view):
        half_turn, mirror = view
        look = _Look(turned, half_turn, jnp.logical_xor(half_turn, mirror))
        return total + _flip(_slide(forward, inputs, inference, look), look), None

    return jax.lax.scan(one_view, total, (half_turns, mirrors))[0]


class _Look(NamedTuple):
    """How a tile is looked at: a quarter turn or none, then its rows and its columns flipped."""

    turned: int = 0
    rows: jax.Array | bool = False
    columns: jax.Array | bool = False


def _flip(array: jax.Array, look: _Look) -> jax.Array:
    array = jnp.where(look.rows, array[::-1], array)
    return jnp.where(look.columns, array[:, ::-1], array)


def _slide(
    forward: Forward,
    inputs: Mapping[str, jax.Array],
    inference: Inference,
    look: _Look = _Look(),
) -> jax.Array:
    """Scores of the tile as it is looked at, at that view's height and width."""
    height, width = next(iter(inputs.values())).shape[:2]
    if look.turned:
        height, width = width, height
    window = inference.window_pixels or max(height, width)
    grid = windows(height, width, window, inference.stride_pixels or window)
    weight = blend_weights(grid.window_height, grid.window_width, inference.blend)
    corners, real = _batches(grid, inference.window_batch)

    def one_batch(total, batch):
        scores = forward(_cut(inputs, batch[0], grid, look)).astype(jnp.float32)
        if inference.average == "probabilities":
            scores = jax.nn.softmax(scores)
        scores = scores * weight[None, ..., None] * batch[1][:, None, None, None]
        for index in range(scores.shape[0]):
            top, left = batch[0][index]
            part = jax.lax.dynamic_slice(total, (top, left, 0), scores.shape[1:])
            total = jax.lax.dynamic_update_slice(total, part + scores[index], (top, left, 0))
        return total, None

    first = jax.eval_shape(
        lambda arrays: forward(_cut(arrays, corners[0], grid, look)), dict(inputs)
    )
    total = jnp.zeros((height, width, first.shape[-1]), jnp.float32)
    total = jax.lax.scan(one_batch, total, (corners, real))[0]
    return total / _coverage(grid, weight)[..., None]


def _batches(grid: Windows, window_batch: int) -> tuple[jax.Array, jax.Array]:
    """Corners (batches, n, 2), the last batch filled up, and 1.0 for real windows (batches, n)."""
    size = min(window_batch, len(grid))
    count = -(-len(grid) // size)
    corners = np.zeros((count * size, 2), np.int32)
    corners[: len(grid)] = np.stack([grid.tops, grid.lefts], axis=-1)
    real = np.arange(count * size) < len(grid)
    real = real.astype(np.float32)
    return jnp.asarray(corners.reshape(count, size, 2)), jnp.asarray(real.reshape(count, size))


def _cut(inputs: Mapping[str, jax.Array], corners: jax.Array, grid: Windows, look: _Look):
    """The windows at corners of the view, cut out of the tile as it is and then turned."""
    high, wide = grid.window_height, grid.window_width

    def cut(array, corner):
        top = jnp.where(look.rows, grid.height - high - corner[0], corner[0])
        left = jnp.where(look.columns, grid.width - wide - corner[1], corner[1])
        if not look.turned:
            part = jax.lax.dynamic_slice(array, (top, left, 0), (high, wide, array.shape[-1]))
        else:  # row r and column c of the turned tile are its row c and column H - 1 - r
            shape, right = (wide, high, array.shape[-1]), grid.height - high - top
            part = jnp.rot90(jax.lax.dynamic_slice(array, (left, right, 0), shape))
        return _flip(part, look)

    return {
        name: jax.vmap(cut, in_axes=(None, 0))(array, corners) for name, array in inputs.items()
    }


def _coverage(grid: Windows, weight: np.ndarray) -> np.ndarray:
    """Sum of the blend weights at every pixel (H, W)."""
    total = np.zeros((grid.height, grid.width), np.float32)
    for top, left in zip(grid.tops, grid.lefts, strict=True):
        total[top : top + grid.window_height, left : left + grid.window_width] += weight
    return total
