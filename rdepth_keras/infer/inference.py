"""How a tile is predicted, and the compiled function that does it.

Everything runs inside one compiled function per tile size: views and batches of windows are a
loop with one accumulator, so that more views cost time, not memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from rdepth_keras.arrays import Params, Tile
from rdepth_keras.infer.forward import fill_up, mesh_of, share
from rdepth_keras.infer.prediction import check_finite
from rdepth_keras.infer.scales import mean_over_scales
from rdepth_keras.infer.views import Views, mean_over_views
from rdepth_keras.infer.windows import Average, Forward, slide
from rdepth_keras.network import Network
from rdepth_keras.tiling import Blend


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
        for name, kind in (("blend", Blend), ("average", Average), ("views", Views)):
            value, known = getattr(self, name), get_args(kind)
            if value not in known:
                raise ValueError(f"{name} must be one of {known}; received {value!r}.")
        for name in ("window_pixels", "stride_pixels", "window_batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; received {value}.")
        if not self.scales or not all(0 < scale <= 8 for scale in self.scales):
            raise ValueError(f"scales must be factors above 0, at most 8; received {self.scales}.")
        if self.stride_pixels and self.stride_pixels > (self.window_pixels or 0):
            raise ValueError(
                f"stride_pixels ({self.stride_pixels}) must be at most window_pixels "
                f"({self.window_pixels}), or pixels between the windows would have no prediction; "
                "use a smaller stride, or None where there is no window."
            )

    def seamless(self) -> "Inference":
        """The same with windows that overlap by half and fade into one another."""
        if self.window_pixels is None:
            return self
        return replace(self, stride_pixels=-(-self.window_pixels // 2), blend="tapered")


def tile_predictor(
    network: Network, inference: Inference
) -> Callable[[Params, Params, Tile], np.ndarray]:
    """The compiled ``(params, buffers, tile) -> prediction``, float32 (H, W, K).

    ``network`` has full-size logits as its output, i.e. it was built without taps. The windows are
    shared by the devices that hold the params. It is compiled once for each size of tile. The
    predictor raises FloatingPointError, naming the tile, where its prediction is not finite.
    """

    @partial(jax.jit, static_argnames="mesh")
    def compiled(params, buffers, inputs, mesh):
        forward = partial(fill_up, lambda batch: network.apply(params, buffers, batch)[0])
        if mesh is None:
            return predict_tile(forward, inputs, inference)
        together = replace(inference, window_batch=inference.window_batch * mesh.size)
        found = predict_tile(partial(share, forward, mesh), inputs, together)
        return jax.lax.with_sharding_constraint(found, NamedSharding(mesh, PartitionSpec()))

    def predict(params: Params, buffers: Params, tile: Tile) -> np.ndarray:
        inputs = {name: tile[name] for name in network.input_names}
        found = compiled(params, buffers, inputs, mesh=mesh_of(params))
        return check_finite(np.asarray(found), tile)

    return predict


def predict_tile(
    forward: Forward, inputs: Mapping[str, jax.Array], inference: Inference
) -> jax.Array:
    """The mean prediction of a tile, float32 (H, W, K): logits or probabilities.

    Args:
        forward: maps a batch of inputs, e.g. image (N, h, w, 3) and depth (N, h, w, 1), to
            full-size logits (N, h, w, K).
        inputs: the same arrays of one tile without the batch axis, all (H, W, ...).
        inference: windows, views, scales and what is averaged.
    """

    def see(inputs: Mapping[str, jax.Array]) -> jax.Array:
        look = partial(
            slide,
            forward,
            inputs,
            window_pixels=inference.window_pixels,
            stride_pixels=inference.stride_pixels,
            blend=inference.blend,
            average=inference.average,
            window_batch=inference.window_batch,
        )
        return mean_over_views(look, inference.views)

    return mean_over_scales(see, inputs, inference.scales)
