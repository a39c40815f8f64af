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
    *,
    seed: int,
    average_decay: float | None = None,
    placement: jax.sharding.Sharding | None = None,
) -> Step:
    """The compiled step ``(state, source, target) -> state, logs``; the state is donated.

    The random key of a step depends on the seed and the step's number alone, so that a resumed
    run draws what an undisturbed one would have drawn. ``logs`` holds scalars, among them
    ``finite``: True while all losses, gradients and params are.

    Args:
        networks: the segmenter and the method's own networks.
        method: what is minimised.
        optimizers: one for each network.
        seed: of all random draws.
        average_decay: of the moving average that the state keeps; None where it keeps none.
        placement: of the state and logs, e.g. replicated over a mesh; None is JAX's choice.
    """
    losses = method.losses(networks)

    def step(state: State, source, target):
        key = jax.random.fold_in(jax.random.key(seed), state.step)
        params: Any = state.params
        buffers, states = state.buffers, state.optimizer
        logs, finite = {}, jnp.ones((), bool)
        for index, loss in enumerate(losses):
            key_now = jax.random.fold_in(key, index)
            (value, (new, buffers)), gradients = jax.value_and_grad(loss, has_aux=True)(
                params, buffers, state.memory, source, target, key_now, state.step
            )
            norm = optax.tree.norm(gradients)
            finite &= jnp.isfinite(value) & jnp.isfinite(norm)
            logs |= {"gradient_norm": norm, **new}
            params, states = _update(optimizers, gradients, states, params)
        finite &= jnp.isfinite(optax.tree.norm(params))
        average = _average(state.average, params, average_decay)
        memory = method.remember(state.memory, params, state.step)
        new_state = State(state.step + 1, params, buffers, average, states, memory)
        return new_state, {**logs, "finite": finite}

    return jax.jit(step, donate_argnums=0, out_shardings=placement)


def _update(optimizers, gradients, states, params):
    updated = {
        name: optimizer.update(gradients[name], states[name], params[name])
        for name, optimizer in optimizers.items()
    }
    new = {name: optax.apply_updates(params[name], change) for name, (change, _) in updated.items()}
    return new, {name: state for name, (_, state) in updated.items()}


def _average(average, params, decay):
    """decay * average + (1 - decay) * params, where an average is kept."""
    if decay is None:
        return average
    return jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, average, params)
