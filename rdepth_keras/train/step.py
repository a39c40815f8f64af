"""The training step: one for all methods."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from rdepth_keras.adapt.method import Method, Networks
from rdepth_keras.train.state import State

Step = Callable[[State, Any, Any], tuple[State, dict[str, jax.Array]]]


def training_step(
    networks: Networks,
    method: Method,
    optimizers: dict[str, optax.GradientTransformation],
    seed: int,
) -> Step:
    """The compiled step ``(state, source, target) -> state, logs``; the state is donated.

    The random key of a step depends on the seed and the step's number alone, so that a resumed
    run draws what an undisturbed one would have drawn. ``logs`` holds float32 scalars, among
    them ``finite``: 1 while all losses and gradients are.
    """
    losses = method.losses(networks)

    def step(state: State, source, target):
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        params, buffers, optimizer = state.params, state.buffers, state.optimizer
        logs, finite = {}, jnp.ones((), bool)
        for index, loss in enumerate(losses):
            (value, (new, buffers)), gradients = jax.value_and_grad(loss, has_aux=True)(
                params, buffers, state.memory, source, target, jax.random.fold_in(key, index),
                state.step,
            )
            norm = optax.global_norm(gradients)
            finite &= jnp.isfinite(value) & jnp.isfinite(norm)
            logs |= {"gradient_norm": norm, **new}
            params, optimizer = _update(optimizers, gradients, optimizer, params)
        memory = method.remember(state.memory, params, state.step)
        logs["finite"] = finite
        return State(state.step + 1, params, buffers, optimizer, memory), logs

    return jax.jit(step, donate_argnums=0)


def _update(optimizers, gradients, states, params):
    updated = {
        name: optimizer.update(gradients[name], states[name], params[name])
        for name, optimizer in optimizers.items()
    }
    new = {name: optax.apply_updates(params[name], change) for name, (change, _) in updated.items()}
    return new, {name: state for name, (_, state) in updated.items()}
