"""Adversarial adaptation in the space of the outputs, on two levels."""

from dataclasses import dataclass

import jax

from rdepth_keras.adapt.adversarial import (
    SOURCE,
    TARGET,
    WIDTHS,
    Adversarial,
    are_widths,
    domain_cross_entropy,
)
from rdepth_keras.adapt.discriminators import patch_critic
from rdepth_keras.adapt.method import SEGMENTER, Parts
from rdepth_keras.adapt.outputs import check_settings, heads, is_amount
from rdepth_keras.losses import cross_entropy
from rdepth_keras.network import Network

CRITICS = {"main": "critic", "auxiliary": "critic_auxiliary"}  # of a level


@dataclass(frozen=True)
class AdaptSegNet(Adversarial):
    """Critics tell the softmax maps of both domains apart; the segmenter passes the target's off.

    Tsai et al., "Learning to Adapt Structured Output Space for Semantic Segmentation", CVPR 2018;
    weights and widths as in the AdaptSegNet of LoveDA's release (Junjue-Wang/LoveDA). Each critic
    minimises the mean over both domains of its cross-entropy, and the segmenter::

        CE(main) + 0.1 CE(auxiliary) + 0.001 BCE(D(target main), source)
                                     + 0.0002 BCE(D'(target auxiliary), source)

    Levels are the heads of a network of two, an auxiliary head and the decoder, or, in a network of
    one head, that alone, the paper's single level. Beside the paper, whose weight decay, frozen
    batch norms and faster heads were those of DeepLab, this is the release's variant.

    Attributes:
        auxiliary_weight: of the auxiliary level's cross-entropy.
        adversarial_weight: of the main level's adversarial term.
        auxiliary_adversarial_weight: of the auxiliary level's.
        widths: channels of the critics' convolutions before the last; each halves the map.
    """

    auxiliary_weight: float = 0.1
    adversarial_weight: float = 0.001
    auxiliary_adversarial_weight: float = 0.0002
    widths: tuple[int, ...] = WIDTHS

    def __post_init__(self):
        weights = ("auxiliary_weight", "adversarial_weight", "auxiliary_adversarial_weight")
        check_settings(self, "at least 0", is_amount, *weights)
        check_settings(self, "of at least 1 each", are_widths, "widths")

    def networks(self, parts: Parts) -> dict[str, Network]:
        critics = {
            CRITICS[level]: patch_critic(
                CRITICS[level], parts.classes, self.widths, seed=parts.seed, dtype=parts.dtype
            )
            for level in levels(parts.segmenter.model.output)
        }
        return {SEGMENTER: parts.segmenter, **critics}

    def terms(self, source, target, params, critics, given):
        label = given.source["label"]
        weights = {
            "main": (1.0, self.adversarial_weight),
            "auxiliary": (self.auxiliary_weight, self.auxiliary_adversarial_weight),
        }
        own, theirs = {}, {}
        others = levels(target)
        for level, logits in levels(source).items():
            name, (weight, adversarial) = CRITICS[level], weights[level]
            known, guessed = (jax.nn.softmax(x, -1) for x in (logits, others[level]))
            own[f"decode_{level}"] = weight * cross_entropy(logits, label)
            fooled = domain_cross_entropy(critics.fixed(name, guessed), SOURCE)
            own[f"adversarial_{level}"] = adversarial * fooled
            seen = domain_cross_entropy(critics.learning(name, known), SOURCE)
            unseen = domain_cross_entropy(critics.learning(name, guessed), TARGET)
            theirs[name] = 0.5 * (seen + unseen)
        return own, theirs


def levels(outputs) -> dict:
    """``main`` and, where there is one, ``auxiliary`` -> its logits."""
    *others, main = heads(outputs)
    if len(others) > 1:
        raise ValueError(
            f"The method takes a network of one or two heads; this one has {len(others) + 1}. Use "
            "--model deeplabv2_two_taps, or fewer --network.stages."
        )
    return {"main": main, "auxiliary": others[0]} if others else {"main": main}
