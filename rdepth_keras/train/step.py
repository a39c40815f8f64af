"""The training step: one for all methods."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import Partial

from rdepth_keras.adapt.method import Given, Method, Networks, Phase
from rdepth_keras.optimizers import Optimizer
from rdepth_keras.packing import norm
from rdepth_keras.train.state import State

Step = Callable[[State, Any, Any], tuple[State, dict[str, jax.Array]]]


def training_step(
    networks: Networks,
    method: Method,
    optimizers: Mapping[str, Optimizer],
    *,
    steps: int,
    seed: int,
    average_decay: float | None = None,
    placement: jax.sharding.Sharding | None = None,
) -> Step:
    """The compiled step ``(state, source, target) -> state, logs``; the state is donated.

    A step's random key and rates depend on seed and number alone: a resumed run draws what an
    undisturbed one would have drawn. ``logs`` holds scalars, among them ``gradient_norm``, the
    largest of the phases, and ``finite``: True while all losses and gradients are.

    Args:
        networks: those of the method, by name.
        method: what is minimised.
        optimizers: one for each network that trains.
        steps: of the whole run, which the learning rates go by.
        seed: of all random draws.
        average_decay: of the moving average that the state keeps; None where it keeps none.
        placement: of the state and logs, e.g. replicated over a mesh; None is JAX's choice.
    """
    phases = method.phases(networks)

    def step(state: State, source, target, seeds):
        key = jax.random.fold_in(jax.random.wrap_key_data(seeds), state.step)
        _, packed, buffers, _, states, memory = state
        params = {name: dict(own) for name, own in packed.items()}
        logs, norms, finite = {}, [], jnp.ones((), bool)
        for index, phase in enumerate(phases):
            key_now = jax.random.fold_in(key, index)
            given = Given(source, target, buffers, memory, key_now, state.step, state.step / steps)
            outcome, gradients = _differentiate(phase, params, given)
            norms.append(_norm(gradients))
            finite &= jnp.isfinite(outcome.loss) & jnp.isfinite(norms[-1])
            logs |= outcome.logs
            buffers, memory = outcome.buffers, outcome.memory
            for name, gradient in gradients.items():
                rule = optimizers[name]
                clipped = rule.clip(gradient) if phase.clips else gradient
                own: Any = packed[name]
                rows = own.packing.pack(clipped)
                change, new = rule.build(own.packing).update(rows, states[name], own.arrays)
                rate = jnp.asarray(rule.rate(steps)(state.step))
                change = jax.tree.map(lambda value, rate=rate: -rate * value, change)
                moved = own.with_arrays(optax.apply_updates(own.arrays, change))
                packed, params = {**packed, name: moved}, {**params, name: dict(moved)}
                states = {**states, name: new}
        memory = method.remember(memory, params, buffers, state.step)
        average = _average(state.average, packed, average_decay)
        logs |= {"gradient_norm": jnp.stack(norms).max(), "finite": finite}
        # The buffers of a network that never trains are in no checkpoint: they stay.
        buffers = {name: (buffers if name in states else state.buffers)[name] for name in params}
        return State(state.step + 1, packed, buffers, average, states, memory), logs

    compiled = jax.jit(step, donate_argnums=0, out_shardings=placement)
    # Handed over, not compiled in: one program for all seeds.
    return Partial(compiled, seeds=jax.device_get(jax.random.key_data(jax.random.key(seed))))


def _differentiate(phase: Phase, params, given: Given):
    """The outcome of a phase's loss, and its gradients by the params of what it trains."""

    def loss(trained):
        outcome = phase.loss({**params, **trained}, given)
        return outcome.loss, outcome

    trained = {name: params[name] for name in phase.trains}
    (_, outcome), gradients = jax.value_and_grad(loss, has_aux=True)(trained)
    return outcome, gradients


def _norm(variables: Mapping[str, Mapping[str, jax.Array]]) -> jax.Array:
    """Of the variables of several networks."""
    return jnp.linalg.norm(jnp.stack([norm(own) for own in variables.values()]))


def _average(average, params, decay):
    """decay * average + (1 - decay) * params, where an average is kept."""
    if decay is None:
        return average
    params = {name: params[name] for name in average}
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, average, params)
