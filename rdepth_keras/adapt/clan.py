"""Adversarial adaptation that looks harder where two classifiers disagree."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.adversarial import (
    SOURCE,
    TARGET,
    WIDTHS,
    Adversarial,
    are_widths,
    cosine,
    disagreement,
    domain_cross_entropy,
    domain_entropies,
    spread,
)
from rdepth_keras.adapt.discriminators import patch_critic
from rdepth_keras.adapt.method import SEGMENTER, Parts
from rdepth_keras.adapt.outputs import check_settings, is_amount, predicting
from rdepth_keras.losses import cross_entropy
from rdepth_keras.network import Network


@dataclass(frozen=True)
class CLAN(Adversarial):
    """Category-level adversarial adaptation: co-training of two heads on one map.

    Luo et al., "Taking A Closer Look at Domain Shift: Category-level Adversaries for Semantics
    Consistent Domain Adaptation", CVPR 2019; weights as in LoveDA's release (Junjue-Wang/LoveDA,
    where ``local_weight`` is 10; the authors' own for GTA5 is 40). The segmenter minimises::

        CE(x1) + CE(x2) + (1 - progress) (0.001 adversarial + 0.02 (cos(W1, W2) + 1))

    W1 and W2 are all params of either head. The critic sees softmax(x1 + x2). Its verdict on the
    target is enlarged to the image, its cross-entropy weighted by 0.4 + 10 w at each pixel, where
    w = 1 - cos(softmax(x1), softmax(x2)); without weights in the first ``warmup_fraction`` of the
    run. Its own term is the mean over both domains, the target's weighted likewise.

    Attributes:
        adversarial_weight: of the adversarial term at the start.
        discrepancy_weight: of the heads' cosine at the start.
        local_weight: of the heads' disagreement at a pixel.
        local_floor: weight of a pixel where both agree.
        warmup_fraction: part of the run before pixels are weighted; 750 of 10 000 steps.
        weight_gradient: whether the segmenter's gradient passes the weights w, too, so that it
            fools the critic by making its heads agree. An oversight of the releases, hence off.
        widths: channels of the critic's convolutions before the last; each halves the map.
    """

    adversarial_weight: float = 0.001
    discrepancy_weight: float = 0.02
    local_weight: float = 10.0
    local_floor: float = 0.4
    warmup_fraction: float = 0.075
    weight_gradient: bool = False
    widths: tuple[int, ...] = WIDTHS

    def __post_init__(self):
        weights = ("adversarial_weight", "discrepancy_weight", "local_weight", "local_floor")
        check_settings(self, "at least 0", is_amount, *weights)
        check_settings(self, "from 0 to 1", lambda x: 0 <= x <= 1, "warmup_fraction")
        check_settings(self, "of at least 1 each", are_widths, "widths")

    def networks(self, parts: Parts) -> dict[str, Network]:
        critic = patch_critic(
            "critic", parts.classes, self.widths, seed=parts.seed, dtype=parts.dtype
        )
        return {SEGMENTER: parts.segmenter, "critic": critic}

    def check(self, segmenter):
        params = {variable.path: variable for variable in segmenter.model.trainable_variables}
        first, second = head_params(params)
        shapes = [{path: tuple(v.shape) for path, v in head.items()} for head in (first, second)]
        pair = len(predicting(segmenter.model.output)) == 2
        if not pair or not first or shapes[0] != shapes[1]:
            raise ValueError(
                "The method clan needs two equal heads on one map that predict together: use "
                "--model deeplabv2_two_heads or pspnet_two_heads, or for other encoders a "
                "DeepLabV2 with --network.stages 4 4 --network.merge sum."
            )

    def terms(self, source, target, params, critics, given):
        label = given.source["label"]
        (first, second), (one, other) = source["logits"], target["logits"]
        known, guessed = (jax.nn.softmax(x, -1) for x in (first + second, one + other))
        weights = self.pixel_weights(one, other, given.progress)
        steered = weights if self.weight_gradient else jax.lax.stop_gradient(weights)
        fading = 1 - given.progress

        fooled = self.weighted(critics.fixed("critic", guessed), SOURCE, steered)
        alike = cosine(*head_params(params[SEGMENTER])) + 1
        own = {
            "decode": cross_entropy(first, label) + cross_entropy(second, label),
            "adversarial": self.adversarial_weight * fading * fooled,
            "discrepancy": self.discrepancy_weight * fading * alike,
        }
        seen = domain_cross_entropy(critics.learning("critic", known), SOURCE)
        verdict, fixed = critics.learning("critic", guessed), jax.lax.stop_gradient(weights)
        unseen = self.weighted(verdict, TARGET, fixed)
        return own, {"critic": 0.5 * (seen + unseen)}

    def pixel_weights(self, one: jax.Array, other: jax.Array, progress) -> jax.Array:
        """Of the logits of both heads (B, H, W, K): (B, H, W, 1), 1 during the warm-up."""
        apart = disagreement(jax.nn.softmax(one, -1), jax.nn.softmax(other, -1))
        local = self.local_floor + self.local_weight * apart
        return jnp.where(progress > self.warmup_fraction, local, 1.0)

    def weighted(self, verdict: jax.Array, domain: float, weights: jax.Array) -> jax.Array:
        """Mean cross-entropy of a verdict, enlarged to the size of its pixels' weights."""
        return (weights * domain_entropies(spread(verdict, weights), domain)).mean()


def head_params(params) -> tuple[dict, dict]:
    """The params of ``head1`` and of ``head2`` of a DeepLabV2, by their paths within the head."""
    names = ("head1", "head2")
    found = [
        {path.removeprefix(name): params[path] for path in params if path.startswith(name)}
        for name in names
    ]
    return found[0], found[1]
