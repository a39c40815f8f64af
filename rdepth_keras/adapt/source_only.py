"""Supervised training on the source domain alone."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.contrast import contrast
from rdepth_keras.adapt.method import SEGMENTER, Loss, Method, Networks
from rdepth_keras.losses import Average, cross_entropy


@dataclass(frozen=True)
class SourceOnly(Method):
    """Cross-entropy of the source labels: the paper's own training, with no adaptation.

    Every map of logits that the network hands out is trained: the decoder's, the auxiliary head's,
    and, where the network was built with them, the refined ones and the contrastive projections of
    the paper's successor (DGCD).

    Attributes:
        auxiliary_weight: factor of the auxiliary head's cross-entropy (UPerNet's FCN head).
        average: ``"valid"`` is the mean over labelled pixels; ``"all"`` over all pixels, the
            ignored included: what the paper's released configuration did (mmsegmentation's
            ``avg_non_ignore=False``).
    """

    auxiliary_weight: float = 0.4
    average: Average = "valid"

    def losses(self, networks: Networks) -> tuple[Loss, ...]:
        segmenter = networks[SEGMENTER]

        def loss(params, buffers, memory, source, target, key, step):
            outputs, kept = segmenter.apply(params[SEGMENTER], buffers[SEGMENTER], source, key)
            terms = self.terms(outputs, source["label"], key)
            total = jnp.stack(list(terms.values())).sum()
            return total, ({"loss": total, **terms}, {**buffers, SEGMENTER: kept})

        return (loss,)

    def terms(self, outputs, label: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        """The weighted terms of a labelled batch by name; their sum is the loss."""

        def entropy(logits):
            return cross_entropy(logits, label, average=self.average)

        terms = {"decode": entropy(outputs["logits"])}
        if "auxiliary" in outputs:
            terms["auxiliary"] = self.auxiliary_weight * entropy(outputs["auxiliary"])
        if "refined" in outputs:
            terms["refined"] = entropy(outputs["refined"])
        if "contrast" in outputs:
            terms["contrast"] = contrast(outputs["contrast"], jax.random.fold_in(key, 1))
        return terms
