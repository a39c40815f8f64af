"""What methods share that train a segmenter on its own guesses of the target.

All terms are float32.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.method import SEGMENTER, Given, Method, Networks, Outcome, Phase
from rdepth_keras.adapt.outputs import (
    add,
    auxiliary,
    check_settings,
    is_amount,
    mean_entropy,
    predicting,
    see,
)

Terms = dict[str, jax.Array]
TINY = 1e-6  # of a run: far below a step, and above the rounding of its float32


@dataclass(frozen=True)
class SelfTraining(Method):
    """Base of all of them: the source's cross-entropy, averaged over the heads that predict.

    Attributes:
        auxiliary_weight: factor of an auxiliary head's cross-entropy, on the source alone.
    """

    auxiliary_weight: float = 0.4

    def __post_init__(self):
        check_settings(self, "at least 0", is_amount, "auxiliary_weight")

    @property
    def uses_target(self) -> bool:
        return True

    def supervised(self, outputs: Mapping[str, Any], label: jax.Array) -> Terms:
        """The weighted terms of a labelled batch, by name."""
        terms = {"decode": mean_entropy(predicting(outputs), label)}
        if others := auxiliary(outputs):
            terms["auxiliary"] = self.auxiliary_weight * mean_entropy(others, label)
        return terms


@dataclass(frozen=True)
class LabelledRounds(SelfTraining):
    """Base of those that label the whole target in rounds, and train on these labels.

    Up to the first round the source trains alone: the target goes through no batch norm. After it
    a step is two forward passes, the source's first, so that running statistics blend both.

    Attributes:
        start: part of the run that is done at the first round.
        every: part of the run between two rounds.
        target_weight: factor of the cross-entropy with the target's pseudo-labels.
    """

    start: float = 0.4
    every: float = 0.1
    target_weight: float = 0.5

    def __post_init__(self):
        super().__post_init__()
        check_settings(self, "at least 0 and below 1", lambda x: 0 <= x < 1, "start")
        check_settings(self, "above 0 and at most 1", lambda x: 0 < x <= 1, "every")
        check_settings(self, "at least 0", is_amount, "target_weight")

    def rounds(self, steps: int) -> tuple[int, ...]:
        every = max(self.every, 1 / steps)  # after a step there is one round at most
        count = math.ceil((1 - self.start) / every)
        parts = [self.start + every * index - TINY for index in range(count)]
        found = {max(math.ceil(part * steps), 0) for part in parts}
        return tuple(sorted(at for at in found if at < steps))

    def source_terms(self, source: Mapping[str, Any], label: jax.Array) -> Terms:
        """The weighted terms of every step, by name."""
        return self.supervised(source, label)

    def target_terms(
        self, source: Mapping[str, Any], target: Mapping[str, Any], label: jax.Array
    ) -> Terms:
        """The weighted terms from the first round on, by name; ``label`` is the target's."""
        return {"pseudo": self.target_weight * mean_entropy(predicting(target), label)}

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        segmenter = networks[SEGMENTER]

        def loss(params, given: Given) -> Outcome:
            one, other = jax.random.split(given.key)
            own, labelled = params[SEGMENTER], given.target
            assert labelled is not None  # uses_target
            source, kept = see(segmenter, own, given.buffers[SEGMENTER], given.source, one)
            terms = self.source_terms(source, given.source["label"])

            def adapt(kept):
                target, kept = see(segmenter, own, kept, labelled, other)
                return self.target_terms(source, target, labelled["label"]), kept

            def wait(kept):
                found, _ = jax.eval_shape(adapt, kept)
                return {name: jnp.zeros(x.shape, x.dtype) for name, x in found.items()}, kept

            begun = given.progress >= self.start - TINY
            found, kept = jax.lax.cond(begun, adapt, wait, kept)
            terms |= found
            total = add(terms)
            buffers = {**given.buffers, SEGMENTER: kept}
            return Outcome(total, {"loss": total, **terms}, buffers, given.memory)

        return (Phase(loss),)


def mean(terms: list[jax.Array]) -> jax.Array:
    """Of scalars, one a head."""
    return jnp.stack(terms).mean()
