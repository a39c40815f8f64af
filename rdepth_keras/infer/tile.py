"""The compiled function that predicts a tile.

Everything runs inside one compiled function per tile size: views and batches of windows are a
loop with one accumulator, so that more views cost time, not memory.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from rdepth_keras.arrays import Params, Tile
from rdepth_keras.infer.forward import fill_up, mesh_of, share
from rdepth_keras.infer.inference import Inference
from rdepth_keras.infer.prediction import check_finite, check_inputs, check_output
from rdepth_keras.infer.scales import mean_over_scales
from rdepth_keras.infer.views import mean_over_views
from rdepth_keras.infer.windows import Forward, slide
from rdepth_keras.network import Network


def tile_predictor(
    network: Network, inference: Inference
) -> Callable[[Params, Params, Tile], np.ndarray]:
    """The compiled ``(params, buffers, tile) -> prediction``, float32 (H, W, K).

    ``network`` has full-size logits as its output, i.e. it was built without taps. The windows are
    shared by the devices that hold the params. It is compiled once for each size of tile. Raises
    ValueError for taps, wrong sizes and scales, FloatingPointError for a result not finite.
    """
    check_output(network.model.output)

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
        check_inputs(inputs, tile)
        found = compiled(params, buffers, inputs, mesh=mesh_of(params))
        return check_finite(np.asarray(found), tile)

    return predict


def predict_tile(
    forward: Forward, inputs: Mapping[str, jax.Array], inference: Inference
) -> jax.Array:
    """The mean prediction of a tile, float32 (H, W, K): logits or probabilities.

    Args:
        forward: a batch, e.g. image (N, h, w, 3) and depth (N, h, w, 1), -> logits (N, h, w, K).
        inputs: the same arrays of one tile without the batch axis, all (H, W, ...).
        inference: windows, views, scales and what is averaged.

    Raises ValueError for scores of another shape, and for inputs as :func:`check_inputs` does.
    """
    check_inputs(inputs)

    def see(inputs: Mapping[str, jax.Array]) -> jax.Array:
        look = partial(slide, forward, inputs, inference)
        return mean_over_views(look, inference.views)

    return mean_over_scales(see, inputs, inference.scales)
