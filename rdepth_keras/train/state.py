"""Everything a training step reads and writes, as one tree of arrays."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from rdepth_keras.adapt.method import Method, Networks


class State(NamedTuple):
    """The state of a run between two steps.

    Attributes:
        step: int32 scalar, number of steps done.
        params: network -> variable path -> array.
        buffers: network -> variable path -> array.
        average: exponential moving average of the params; empty where none is kept.
        optimizer: network -> optax state.
        memory: what the method carries across steps.
    """

    step: jax.Array
    params: dict[str, dict[str, jax.Array]]
    buffers: dict[str, dict[str, jax.Array]]
    average: dict[str, dict[str, jax.Array]]
    optimizer: dict[str, Any]
    memory: dict[str, Any]

    @property
    def best_params(self) -> dict[str, dict[str, jax.Array]]:
        """The params to predict with: their moving average where one is kept."""
        return self.average or self.params


def initial_state(
    networks: Networks,
    method: Method,
    optimizers: dict[str, optax.GradientTransformation],
    *,
    seed: int,
    average: bool = False,
) -> State:
    """The state before the first step, from the networks' own values.

    ``average`` says whether a moving average of the params is kept.
    """
    values = {name: network.init() for name, network in networks.items()}
    params = {name: trained for name, (trained, _) in values.items()}
    return State(
        step=jnp.zeros((), jnp.int32),
        params=params,
        buffers={name: buffers for name, (_, buffers) in values.items()},
        average=jax.tree.map(jnp.copy, params) if average else {},
        optimizer={name: optimizers[name].init(params[name]) for name in networks},
        memory=method.memory(params, jax.random.key(seed)),
    )
