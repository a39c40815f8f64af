"""Adversarial adaptation of features, class by class."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.adversarial import (
    SOURCE,
    TARGET,
    Adversarial,
    are_widths,
    soft_cross_entropy,
    spread,
)
from rdepth_keras.adapt.discriminators import class_critic
from rdepth_keras.adapt.method import SEGMENTER, Parts
from rdepth_keras.adapt.outputs import check_settings, check_trains, heads, is_amount, maps
from rdepth_keras.losses import cross_entropy
from rdepth_keras.network import Network

STAGE = 3  # whose map the critic reads


@dataclass(frozen=True)
class FADA(Adversarial):
    """A critic that tells domain and class of features, fed with soft labels.

    Wang et al., "Classes Matter: A Fine-grained Adversarial Approach to Cross-domain Semantic
    Segmentation", ECCV 2020 (JDAI-CV/FADA); as in LoveDA's release (Junjue-Wang/LoveDA), which
    reads the map of stage 3 and not the last, weighs the segmentation by 0.1 and not 1, and leaves
    the self-distillation out. With q the softmax of logits / 1.8, cut at 0.9, without gradient, the
    segmenter minimises ::

        0.1 CE(source logits / 1.8) + 0.001 SCE(D(target features), (q, 0))

    and the critic the mean of SCE(D(source features), (q, 0)) and SCE(D(target features), (0, q)).
    The adversarial gradient ends in stage 3. Soft labels are of what the network predicts, also
    where several heads do it together.

    Attributes:
        segmentation_weight: of the source's cross-entropy.
        adversarial_weight: of the adversarial term.
        auxiliary_weight: of other heads' cross-entropies beside the main one's.
        temperature: divides all logits, in the cross-entropy, too.
        largest_label: of a soft label's entries, which are cut and not made to add up to 1 again.
        widths: channels of the critic's convolutions before the last.
    """

    segmentation_weight: float = 0.1
    adversarial_weight: float = 0.001
    auxiliary_weight: float = 0.4
    temperature: float = 1.8
    largest_label: float = 0.9
    widths: tuple[int, ...] = (512, 256)

    def __post_init__(self):
        weights = ("segmentation_weight", "adversarial_weight", "auxiliary_weight")
        check_settings(self, "at least 0", is_amount, *weights)
        check_settings(self, "above 0", lambda x: x > 0, "temperature")
        check_settings(self, "above 0, at most 1", lambda x: 0 < x <= 1, "largest_label")
        check_settings(self, "of at least 1 each", are_widths, "widths")

    def networks(self, parts: Parts) -> dict[str, Network]:
        features = parts.segmenter.model.output["features"][STAGE - 1]
        sizes = features.shape[-1], parts.classes, self.widths
        critic = class_critic("critic", *sizes, seed=parts.seed, dtype=parts.dtype)
        return {SEGMENTER: parts.segmenter, "critic": critic}

    def check(self, segmenter):
        if self.adversarial_weight:
            told = f"The method fada aligns the features of stage {STAGE}, and all that makes them"
            check_trains(segmenter, maps(segmenter)["features"][STAGE - 1], told)

    def terms(self, source, target, params, critics, given):
        label = given.source["label"]
        *others, first = (logits / self.temperature for logits in heads(source))
        known, guessed = (
            self.soft_label(outputs["prediction"] / self.temperature)
            for outputs in (source, target)
        )
        features = [outputs["features"][STAGE - 1] for outputs in (source, target)]

        def entropy(verdict, soft, domain):
            return soft_cross_entropy(spread(verdict, soft), soft, domain)

        fooled = entropy(critics.fixed("critic", features[1]), guessed, SOURCE)
        own = {
            "decode": self.segmentation_weight * cross_entropy(first, label),
            "adversarial": self.adversarial_weight * fooled,
        }
        for logits in others:
            weight = self.segmentation_weight * self.auxiliary_weight
            own["auxiliary"] = own.get("auxiliary", 0.0) + weight * cross_entropy(logits, label)
        seen = entropy(critics.learning("critic", features[0]), known, SOURCE)
        unseen = entropy(critics.learning("critic", features[1]), guessed, TARGET)
        return own, {"critic": 0.5 * (seen + unseen)}

    def soft_label(self, logits: jax.Array) -> jax.Array:
        """The softmax of logits, cut at ``largest_label``; no gradient passes it."""
        return jax.lax.stop_gradient(jnp.minimum(jax.nn.softmax(logits, -1), self.largest_label))
