"""The contract of a method: *what* is minimised, never *how*.

A method is a frozen dataclass of its hyper-parameters, without optimizer, loop or logging. Every
member but :meth:`Method.phases` has a default.

One training step, the same for all methods, does this::

    for phase in method.phases(networks):
        outcome = phase.loss(params, given)     # given: batches, buffers, memory, key, step
        params = one optimizer update of each network in phase.trains, and of no other
    memory = method.remember(memory, params, buffers, step)

Networks that one loss trains share its forward passes, with ``stop_gradient`` where a term trains
one of them; phases are for losses that must see the update before.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import numpy as np

from rdepth_keras.infer import Inference
from rdepth_keras.network import Network

SEGMENTER = "segmenter"

Networks = Mapping[str, Network]
Variables = Mapping[str, Mapping[str, jax.Array]]  # network -> variable path -> array
Memory = dict[str, Any]  # arrays, by the method's own names


class Parts(NamedTuple):
    """What a method makes its networks of."""

    segmenter: Network  # the experiment's own, with taps
    build: Callable[..., Network]  # (name, architecture=None, weights="the experiment's"): another
    classes: int
    dtype: str  # Keras dtype policy
    seed: int


class Given(NamedTuple):
    """All that a loss may look at beside the params. ``key`` is fresh in every step and phase."""

    source: Mapping[str, jax.Array]
    target: Mapping[str, jax.Array] | None  # None for a method that does not use it
    buffers: Variables
    memory: Memory
    key: jax.Array
    step: jax.Array  # number of steps done, from 0
    progress: jax.Array  # part of the run that is done, from 0 to below 1


class Outcome(NamedTuple):
    """What a loss returns; it states whose batch statistics are kept as buffers."""

    loss: jax.Array
    logs: Mapping[str, jax.Array]  # scalars; one phase logs "loss"
    buffers: Variables
    memory: Memory


@dataclass(frozen=True)
class Phase:
    """A loss and the networks that its gradient updates."""

    loss: Callable[[Variables, Given], Outcome]
    trains: tuple[str, ...] = (SEGMENTER,)
    clips: bool = True  # whether the optimizers' clip_norm applies


@dataclass(frozen=True)
class Method:
    """Base of all methods; a subclass's docstring names the paper and where it differs."""

    joins_domains: ClassVar[bool] = False  # source and target go through the network as one batch
    predictions: ClassVar[tuple[str, ...]] = ("logits",)  # maps of a network that its terms train

    @property
    def uses_target(self) -> bool:
        """Whether training reads unlabelled tiles of the target domain."""
        return False

    def networks(self, parts: Parts) -> dict[str, Network]:
        """By name. One that no phase trains is frozen, and built anew when a run is resumed."""
        return {SEGMENTER: parts.segmenter}

    def memory(self, networks: Networks, params: Variables, buffers: Variables, key) -> Memory:
        """Arrays carried across steps, e.g. a teacher. Copy what you keep: params are donated."""
        return {}

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        """Each is followed by one update, in order."""
        raise TypeError(f"{type(self).__name__} defines no phases.")

    def remember(self, memory: Memory, params: Variables, buffers: Variables, step) -> Memory:
        """Memory after a step, e.g. a moving average of the params; ``step`` as in Given."""
        return memory

    def rounds(self, steps: int) -> tuple[int, ...]:
        """After how many steps, each time, the host labels the target anew; in rising order."""
        return ()

    @property
    def labelling(self) -> Inference:
        """How the target's tiles are predicted for a round."""
        return Inference(window_pixels=None, average="probabilities")

    def relabel(self, probabilities: Sequence[np.ndarray], step: int) -> Iterator[np.ndarray]:
        """Yields a label map of each target tile, in order: uint8 (H, W), 255 = ignore.
        ``probabilities`` (H, W, K) of a tile are predicted anew each time one is asked for."""
        raise TypeError(f"{type(self).__name__} has rounds, but defines no relabel.")
