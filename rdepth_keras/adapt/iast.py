"""Self-training whose thresholds follow the tiles, and which regularises what they leave out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rdepth_keras.adapt.outputs import check_settings, is_amount, predicting
from rdepth_keras.adapt.pseudo_labels import instance_adaptive
from rdepth_keras.adapt.self_training import LabelledRounds, mean
from rdepth_keras.adapt.target_terms import entropy, unevenness
from rdepth_keras.labels import IGNORE


@dataclass(frozen=True)
class IAST(LabelledRounds):
    """Instance-adaptive self-training.

    Mei, Zhu, Zou, Zhang, "Instance Adaptive Self-Training for Unsupervised Domain Adaptation", ECCV
    2020; settings as in the IAST of LoveDA's release (Junjue-Wang/LoveDA, IAST_train.py). ::

        CE(source) + 0.5 CE(target, pseudo-labels)
                   + 3 H(target where it is ignored) + 0.1 KL(uniform, target where it is labelled)

    the last two as means over pixels and classes.

    Departures: there is no critic, since the release's adversarial term stops at the segmenter's
    output and trains nothing; the divergence has its constant (0 for even probabilities);
    confidences are not rounded to 16 bits; terms without a pixel are 0 and not NaN; every tile gets
    labels, also the last one of an odd number. The defaults are those towards rural tiles.

    Attributes:
        entropy_weight: of the entropy where the target is ignored.
        evenness_weight: of the divergence from even probabilities where it is labelled.
        threshold: all classes' confidence threshold before the first tiles of a round.
        threshold_share: of a class's pixels that would pass, were its threshold 1.
        threshold_exponent: how much fewer pass of a class whose threshold is low.
        threshold_inertia: of the thresholds, from tiles to tiles.
        threshold_ceiling: of the thresholds.
        threshold_batch: tiles that move the thresholds together; the release's batch in evaluation.
    """

    start: float = 0.8
    entropy_weight: float = 3.0
    evenness_weight: float = 0.1
    threshold: float = 0.9
    threshold_share: float = 0.2
    threshold_exponent: float = 8.0
    threshold_inertia: float = 0.9
    threshold_ceiling: float = 0.999
    threshold_batch: int = 2

    def __post_init__(self):
        super().__post_init__()
        weights = ("entropy_weight", "evenness_weight", "threshold_exponent")
        check_settings(self, "at least 0", is_amount, *weights)
        shares = ("threshold", "threshold_share", "threshold_inertia", "threshold_ceiling")
        check_settings(self, "from 0 to 1", lambda x: 0 <= x <= 1, *shares)
        check_settings(self, "at least 1", lambda x: x >= 1, "threshold_batch")

    def target_terms(self, source, target, label):
        ignored, heads = label == IGNORE, predicting(target)
        entropies = mean([entropy(logits, ignored) for logits in heads])
        divergences = mean([unevenness(logits, ~ignored) for logits in heads])
        return {
            **super().target_terms(source, target, label),
            "entropy": self.entropy_weight * entropies,
            "unevenness": self.evenness_weight * divergences,
        }

    def relabel(self, probabilities: Sequence[np.ndarray], step: int) -> Iterator[np.ndarray]:
        return instance_adaptive(
            probabilities,
            start=self.threshold,
            share=self.threshold_share,
            exponent=self.threshold_exponent,
            inertia=self.threshold_inertia,
            ceiling=self.threshold_ceiling,
            batch=self.threshold_batch,
        )
