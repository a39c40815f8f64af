"""Two students of either domain's style, aligned by critics and taught by their own averages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.adversarial import (
    SOURCE,
    TARGET,
    Adversarial,
    are_widths,
    domain_cross_entropy,
)
from rdepth_keras.adapt.discriminators import style_critic
from rdepth_keras.adapt.method import SEGMENTER, Given, Parts
from rdepth_keras.adapt.outputs import check_settings, check_trains, ending, is_amount, maps
from rdepth_keras.adapt.teacher import follow, likeliest
from rdepth_keras.losses import Average, cross_entropy, resize_logits
from rdepth_keras.models.st_dasegnet.st_dasegnet import STYLES, heads
from rdepth_keras.network import Network


@dataclass(frozen=True)
class STDASegNet(Adversarial):
    """Both students learn the source's labels and, of the target, what their average says.

    Zhao, Lyu, Zhao, Liu, Chen, Cheng, "Self-Training Guided Disentangled Adaptation for
    Cross-Domain Remote Sensing Image Semantic Segmentation", International Journal of Applied Earth
    Observation and Geoinformation (JAG), 2024; as in its release (cv516Buaa/ST-DASegNet,
    encoder_decoder_forSTDASegNet.py), on the network
    :class:`rdepth_keras.models.st_dasegnet.st_dasegnet.STDASegNet`. The students s and t see both
    domains, and the network minimises::

        CE(source, s) + CE(source, t) + 0.25 (CE(target, s) + CE(target, t))
            + 0.005 (BCE(D_s(target as s sees it), source) + BCE(D_t(source as t sees it), target))

    The critics read each student's last map before it is disentangled, softmaxed over all places of
    a channel; their verdicts are enlarged to the image. Each minimises the sum over the domains of
    its cross-entropy. The teacher is the moving average of decoders and heads alone, on what the
    students hand them; the logits of its prediction, without any gradient, are the target's labels.
    With r the share of all pixels that are sure, a pixel counts r times its class's weight where
    its probability is at least ``counted_confidence``, and r / 2 elsewhere.

    Departures: all terms are of the params before the step, as in the release; the critic of the
    source's style calls the source 0 and not 1, which changes the sign of its logits alone; what a
    normalisation takes away again, biases before it, is left out of the critics. Four oversights of
    the release are options: ``average`` "all", a ``critic_weight`` of 0.005, ``teacher_dropout``
    and ``teacher_shuffled``.

    Attributes:
        pseudo_weight: of the target's cross-entropies.
        adversarial_weight: of the students' adversarial terms.
        critic_weight: of the critics' own terms; the release weighs them as the students'.
        decay: of the teacher.
        confidence: probability from which on a pixel is sure.
        counted_confidence: probability from which on its class's weight counts.
        class_weights: factors of every cross-entropy, a number for each class; None is 1 for all.
        pseudo_class_weights: factors of the target's pixels by their label, beside those; likewise.
        average: of the source's cross-entropy: over labelled pixels, or "all" as released.
        teacher_dropout: whether the teacher drops channels, as in training.
        teacher_shuffled: whether it starts apart from the students, as freshly drawn: with the
            values of each kernel shuffled.
        widths: channels of the critics' convolutions before the last.
        halvings: how many of the critics' convolutions halve the map; the others take away one.
    """

    pseudo_weight: float = 0.25
    adversarial_weight: float = 0.005
    critic_weight: float = 1.0
    decay: float = 0.999
    confidence: float = 0.975
    counted_confidence: float = 0.8
    class_weights: tuple[float, ...] | None = None
    pseudo_class_weights: tuple[float, ...] | None = None
    average: Average = "valid"
    teacher_dropout: bool = False
    teacher_shuffled: bool = False
    widths: tuple[int, ...] = (64, 128, 256)
    halvings: int = 2

    def __post_init__(self):
        weights = ("pseudo_weight", "adversarial_weight", "critic_weight", "halvings")
        check_settings(self, "at least 0", is_amount, *weights)
        shares = ("decay", "confidence", "counted_confidence")
        check_settings(self, "from 0 to 1", lambda x: 0 <= x <= 1, *shares)
        factors = ("class_weights", "pseudo_class_weights")
        check_settings(self, "at least 0 each, or None", _are_factors, *factors)
        check_settings(self, "of at least 1 each", are_widths, "widths")

    def networks(self, parts: Parts) -> dict[str, Network]:
        self.check(parts.segmenter)
        self._check_classes(parts.classes)
        map_ = parts.segmenter.model.output["encoded"][0]
        sizes = map_.shape[-1], self.widths, self.halvings
        critics = {
            f"critic_{style}": style_critic(
                f"critic_{style}", *sizes, seed=parts.seed, dtype=parts.dtype
            )
            for style in STYLES
        }
        return {SEGMENTER: parts.segmenter, **critics}

    def check(self, segmenter):
        if not {"encoded", "styles"} <= segmenter.model.output.keys():
            raise ValueError(
                "The method st_dasegnet trains a network of two students: use --model "
                "st_dasegnet_segformer or st_dasegnet_deeplabv3; for depth give it "
                "--network.source-depth-encoder and --network.target-depth-encoder."
            )
        for map_ in maps(segmenter)["encoded"] if self.adversarial_weight else ():
            told = "The method st_dasegnet aligns what two encoders make, and one of them"
            check_trains(segmenter, map_, told)

    def memory(self, networks, params, buffers, key):
        own = params[SEGMENTER]
        paths = [v.path for v in heads(networks[SEGMENTER].model).trainable_variables]
        if not self.teacher_shuffled:
            return {"teacher": {path: jnp.copy(own[path]) for path in paths}}
        keys = jax.random.split(key, len(paths))
        pairs = zip(paths, keys, strict=True)
        return {"teacher": {path: _shuffled(own[path], key) for path, key in pairs}}

    def remember(self, memory, params, buffers, step):
        return {"teacher": follow(memory["teacher"], params[SEGMENTER], step, self.decay)}

    def terms(self, source, target, params, critics, given):
        label = given.source["label"]
        guess, weights = self.labels(critics.networks[SEGMENTER], target, given)
        seen = [tuple(map(spatial_softmax, each["encoded"])) for each in (source, target)]
        own, theirs = {}, {}
        for index, (style, domain) in enumerate(zip(STYLES, (SOURCE, TARGET), strict=True)):
            known, unknown = source["logits"][index], target["logits"][index]
            options = {"average": self.average, "class_weights": self.class_weights}
            own[f"decode_{style}"] = cross_entropy(known, label, **options)
            taught = cross_entropy(unknown, guess, pixel_weights=weights, **options)
            own[f"pseudo_{style}"] = self.pseudo_weight * taught

            name, own_maps = f"critic_{style}", [each[index] for each in seen]
            stranger = critics.fixed(name, own_maps[1 - index])
            fooled = domain_cross_entropy(_enlarge(stranger, label), domain)
            own[f"adversarial_{style}"] = self.adversarial_weight * fooled
            verdicts = [_enlarge(critics.learning(name, x), label) for x in own_maps]
            found = map(domain_cross_entropy, verdicts, (SOURCE, TARGET))
            theirs[name] = self.critic_weight * sum(found)
        return own, theirs

    def labels(
        self, segmenter: Network, target: Mapping[str, Any], given: Given
    ) -> tuple[jax.Array, jax.Array]:
        """The teacher's of the target, and the weights of their pixels: uint8, float32 (B, H, W).

        ``target`` is what the segmenter hands out for it.
        """
        network = Network(heads(segmenter.model))
        styles = dict(zip(STYLES, jax.lax.stop_gradient(target["styles"]), strict=True))
        key = jax.random.fold_in(given.key, 2) if self.teacher_dropout else None  # after 0 and 1
        # Running statistics are of no use: nobody predicts with the teacher.
        buffers = given.buffers[SEGMENTER]
        logits, _ = network.apply(given.memory["teacher"], buffers, styles, key, "batch")
        size = target["logits"][0].shape[1:3]
        return self.weigh(jnp.asarray(ending(segmenter).prediction({"logits": logits}, size)))

    def weigh(self, logits: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Logits (B, H, W, K) -> labels, uint8, and the weights of their pixels, float32."""
        label, probability = likeliest(logits)
        factors = jnp.asarray(self.pseudo_class_weights or (1.0,) * logits.shape[-1], jnp.float32)
        sure = (probability >= self.confidence).mean(dtype=jnp.float32)
        counted = probability >= self.counted_confidence
        return label, sure * jnp.where(counted, factors[label], 0.5)

    def _check_classes(self, classes: int) -> None:
        for name in ("class_weights", "pseudo_class_weights"):
            value = getattr(self, name)
            if value is not None and len(value) != classes:
                raise ValueError(
                    f"{name} must be a factor for each of the {classes} classes; received "
                    f"{len(value)} factors."
                )


def spatial_softmax(x: jax.Array) -> jax.Array:
    """(B, h, w, C) -> the same, float32: of each channel a softmax over its places."""
    return jax.nn.softmax(x.astype(jnp.float32), (1, 2))


def _enlarge(verdict: jax.Array, like: jax.Array) -> jax.Array:
    return resize_logits(verdict, *like.shape[1:3])


def _shuffled(value: jax.Array, key: jax.Array) -> jax.Array:
    """As another draw of a kernel; other variables start alike in every draw."""
    if value.ndim < 2:
        return jnp.copy(value)
    return jax.random.permutation(key, value.ravel()).reshape(value.shape)


def _are_factors(value: tuple[float, ...] | None) -> bool:
    return value is None or all(factor >= 0 for factor in value)
