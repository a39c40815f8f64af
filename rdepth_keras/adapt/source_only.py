"""Supervised training on the source domain alone."""

from dataclasses import dataclass

from rdepth_keras.adapt.method import SEGMENTER, Loss, Method, Networks
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

    def losses(self, networks: Networks) -> tuple[Loss, ...]:
        segmenter = networks[SEGMENTER]

        def loss(params, buffers, memory, source, target, key, step):
            outputs, kept = segmenter.apply(
                params[SEGMENTER], buffers[SEGMENTER], source, key
            )
            logs = {"decode": cross_entropy(outputs["logits"], source["label"], average=self.average)}
            total = logs["decode"]
            if "auxiliary" in outputs:
                logs["auxiliary"] = cross_entropy(
                    outputs["auxiliary"], source["label"], average=self.average
                )
                total = total + self.auxiliary_weight * logs["auxiliary"]
            return total, ({"loss": total, **logs}, {**buffers, SEGMENTER: kept})

        return (loss,)
