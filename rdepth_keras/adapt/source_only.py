"""Supervised training on the source domain alone."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.method import SEGMENTER, Given, Method, Networks, Outcome, Phase
from rdepth_keras.losses import Average, cross_entropy


@dataclass(frozen=True)
class SourceOnly(Method):
    """Cross-entropy of the source labels: the paper's own training, with no adaptation.

    Attributes:
        auxiliary_weight: factor of the auxiliary head's cross-entropy (UPerNet's FCN head).
        average: ``"valid"`` is the mean over labelled pixels; ``"all"`` over all pixels, the
            ignored included: what the paper's released configuration did (mmsegmentation's
            ``avg_non_ignore=False``).
    """

    auxiliary_weight: float = 0.4
    average: Average = "valid"

    def __post_init__(self):
        if not (weight := self.auxiliary_weight) >= 0:
            raise ValueError(f"auxiliary_weight must be at least 0; received {weight}.")

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        segmenter = networks[SEGMENTER]

        def loss(params, given: Given) -> Outcome:
            source, buffers = given.source, given.buffers
            outputs, kept = segmenter.apply(
                params[SEGMENTER], buffers[SEGMENTER], source, given.key
            )
            terms = self.terms(outputs, source["label"], given.key)
            total = jnp.stack(list(terms.values())).sum()
            logs = {"loss": total, **terms}
            return Outcome(total, logs, {**buffers, SEGMENTER: kept}, given.memory)

        return (Phase(loss),)

    def terms(self, outputs, label: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        """The weighted terms of a labelled batch by name; their sum is the loss."""
        terms = {"decode": cross_entropy(outputs["logits"], label, average=self.average)}
        if "auxiliary" in outputs:
            entropy = cross_entropy(outputs["auxiliary"], label, average=self.average)
            terms["auxiliary"] = self.auxiliary_weight * entropy
        return terms
