"""Supervised training on the source domain alone."""

from dataclasses import dataclass

import jax

from rdepth_keras.adapt.method import SEGMENTER, Given, Method, Networks, Outcome, Phase
from rdepth_keras.adapt.outputs import add, auxiliary, mean_entropy, predicting, see
from rdepth_keras.losses import Average, check_average


@dataclass(frozen=True)
class SourceOnly(Method):
    """Cross-entropy of the source labels: the paper's own training, with no adaptation.

    Attributes:
        auxiliary_weight: factor of the auxiliary head's cross-entropy (UPerNet's FCN head).
        average: "valid" is the mean over labelled pixels; "all" over all pixels, the
            ignored included: what the paper's released configuration did (mmsegmentation's
            avg_non_ignore=False).
    """

    auxiliary_weight: float = 0.4
    average: Average = "valid"

    def __post_init__(self):
        if not (weight := self.auxiliary_weight) >= 0:
            raise ValueError(f"auxiliary_weight must be at least 0; received {weight}.")
        check_average(self.average)

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        segmenter = networks[SEGMENTER]

        def loss(params, given: Given) -> Outcome:
            source, buffers = given.source, given.buffers
            own = params[SEGMENTER], buffers[SEGMENTER]
            outputs, kept = see(segmenter, *own, source, given.key)
            terms = self.terms(outputs, source["label"], given.key)
            logs = {"loss": (total := add(terms)), **terms}
            return Outcome(total, logs, {**buffers, SEGMENTER: kept}, given.memory)

        return (Phase(loss),)

    def terms(self, outputs, label: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        """The weighted terms of a labelled batch by name; their sum is the loss."""
        terms = {"decode": mean_entropy(predicting(outputs), label, average=self.average)}
        if others := auxiliary(outputs):
            entropy = mean_entropy(others, label, average=self.average)
            terms["auxiliary"] = self.auxiliary_weight * entropy
        return terms
