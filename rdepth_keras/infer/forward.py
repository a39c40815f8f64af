"""A network's forward pass over windows of any size, shared by any number of devices."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rdepth_keras.arrays import Params
from rdepth_keras.infer.inference import LEAST_PIXELS
from rdepth_keras.infer.windows import Forward, check_scores


def fill_up(forward: Forward, batch: Mapping[str, jax.Array]) -> jax.Array:
    """The logits of windows; edges of those below ``LEAST_PIXELS`` are repeated to that size.

    Raises ValueError where ``forward`` gives logits of another size than its windows.
    """
    count, height, width = next(iter(batch.values())).shape[:3]
    below, right = (max(LEAST_PIXELS - side, 0) for side in (height, width))
    if below or right:
        margins = ((0, 0), (0, below), (0, right), (0, 0))
        batch = {name: jnp.pad(array, margins, "edge") for name, array in batch.items()}
    found = forward(batch)
    check_scores(found, (count, height + below, width + right))
    return found[:, :height, :width]


def share(forward: Forward, mesh: Mesh, batch: Mapping[str, jax.Array]) -> jax.Array:
    """The logits of windows that the devices share evenly; repeated windows fill up the rest."""
    count = len(next(iter(batch.values())))
    margins = ((0, -count % mesh.size), (0, 0), (0, 0), (0, 0))
    split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (mesh.axis_names, ()))
    shared = {
        name: jax.lax.with_sharding_constraint(jnp.pad(array, margins, "edge"), split)
        for name, array in batch.items()
    }
    return jax.lax.with_sharding_constraint(forward(shared), whole)[:count]


def mesh_of(params: Params) -> Mesh | None:
    """The devices that hold the params, where there are several."""
    mesh = getattr(next(iter(params.values())).sharding, "mesh", None)
    return mesh if isinstance(mesh, Mesh) and mesh.size > 1 else None
