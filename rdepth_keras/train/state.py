"""Everything a training step reads and writes, as one tree of arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.method import SEGMENTER, Method, Networks
from rdepth_keras.adapt.outputs import check_norms, check_prediction
from rdepth_keras.optimizers import Optimizer
from rdepth_keras.packing import Packed, packed_as


class State(NamedTuple):
    """The state of a run between two steps.

    Attributes:
        step: int32 scalar, number of steps done.
        params: network -> variable path -> array; of networks that train packed, see
            :class:`~rdepth_keras.packing.Packed`, and so is the average.
        buffers: network -> variable path -> array.
        average: exponential moving average of the params that train; empty where none is kept.
        optimizer: network -> optax state, of the networks that train and of no other.
        memory: what the method carries across steps.
    """

    step: jax.Array
    params: dict[str, Mapping[str, jax.Array]]
    buffers: dict[str, dict[str, jax.Array]]
    average: dict[str, Packed]
    optimizer: dict[str, Any]
    memory: dict[str, Any]

    def with_params(self, params: Mapping[str, Mapping[str, jax.Array]]) -> Self:
        """The state with other params, network -> variable path -> array, packed as its own are."""
        packed = {name: packed_as(own, params[name]) for name, own in self.params.items()}
        return self._replace(params=packed)

    @property
    def best_params(self) -> dict[str, dict[str, jax.Array]]:
        """The params to predict with, unpacked: their moving average where one is kept."""
        return {name: dict(own) for name, own in (self.average or self.params).items()}


def initial_state(
    networks: Networks,
    method: Method,
    optimizers: Mapping[str, Optimizer],
    *,
    seed: int,
    average: bool = False,
) -> State:
    """The state before the first step, from the networks' own values.

    ``optimizers`` are those of the networks that train (:func:`trained`); ``average`` says whether
    a moving average of their params is kept.
    """
    values = {name: network.init() for name, network in networks.items()}
    params = {name: variables for name, (variables, _) in values.items()}
    buffers = {name: variables for name, (_, variables) in values.items()}
    packings = {
        name: optimizers[name].packing(params[name], buffers[name])
        for name in trained(method, networks)
    }
    packed = {name: Packed.of(params[name], packing) for name, packing in packings.items()}
    return State(
        step=jnp.zeros((), jnp.int32),
        params={**params, **packed},
        buffers=buffers,
        average=jax.tree.map(jnp.copy, packed) if average else {},
        optimizer={
            name: optimizers[name].build(own.packing).init(own.arrays)
            for name, own in packed.items()
        },
        memory=method.memory(networks, params, buffers, jax.random.key(seed)),
    )


def trained(method: Method, networks: Networks) -> tuple[str, ...]:
    """Names of the networks that some phase trains, in the order of the networks.

    Raises ValueError where a phase names a network that is not there or that has regularizers, or
    where the segmenter wants both domains in one batch and the method gives it one after the other,
    or predicts with a map that no term of the method trains.
    """
    check_norms(method, networks[SEGMENTER])
    check_prediction(method, networks[SEGMENTER])
    names = {name for phase in method.phases(networks) for name in phase.trains}
    if unknown := sorted(names - networks.keys()):
        raise ValueError(
            f"{type(method).__name__} trains {', '.join(unknown)}, but its networks are "
            f"{', '.join(networks)}. Add them in its networks(parts)."
        )
    for name in names:
        networks[name].check_plain()
    return tuple(name for name in networks if name in names)
