"""The contract of a method: *what* is minimised, never *how*.

A method is a frozen dataclass; its fields are its hyper-parameters and so its configuration. It
has no optimizer, loop, logging or plotting. Every member but :meth:`Method.losses` has a default.

One training step, the same for all methods, does this::

    for loss in method.losses(networks):
        (value, (logs, buffers)), gradients = value_and_grad(loss)(params, ...)
        params = one optimizer update for each network
    memory = method.remember(memory, params, step)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from rdepth_keras.network import Network

SEGMENTER = "segmenter"

Networks = Mapping[str, Network]
Variables = Mapping[str, Mapping[str, jax.Array]]  # network -> variable path -> array
Logs = Mapping[str, jax.Array]
# (params, buffers, memory, source, target, key, step) -> scalar, (logs, buffers)
Loss = Callable[..., tuple[jax.Array, tuple[Logs, Variables]]]


@dataclass(frozen=True)
class Method:
    """Base of all methods; the docstring of a subclass names the paper and where it differs."""

    @property
    def uses_target(self) -> bool:
        """Whether training reads unlabelled tiles of the target domain."""
        return False

    def networks(self) -> dict[str, Network]:
        """Trainable networks beside the segmenter, e.g. ``{"critic": ...}``."""
        return {}

    def memory(self, params: Variables, key: jax.Array) -> dict[str, Any]:
        """Arrays carried across steps, e.g. a teacher. Copy what you keep: params are donated."""
        return {}

    def losses(self, networks: Networks) -> tuple[Loss, ...]:
        """Pure loss functions; each is followed by one update, in order.

        Each is ``(params, buffers, memory, source, target, key, step) -> scalar, (logs,
        buffers)``; ``source`` and ``target`` are batches (``target`` is None for a method that
        does not use it), ``key`` is fresh in every step, ``buffers`` are those to keep.
        """
        raise TypeError(f"{type(self).__name__} defines no losses.")

    def remember(self, memory: dict[str, Any], params: Variables, step: jax.Array):
        """Memory after a step, e.g. a moving average of the params."""
        return memory
