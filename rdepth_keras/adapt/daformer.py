"""Self-training with a teacher, class mix and features that keep near ImageNet's."""

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import keras

from rdepth_keras.adapt.feature_distance import feature_distance
from rdepth_keras.adapt.method import SEGMENTER, Given, Networks, Outcome, Parts, Phase
from rdepth_keras.adapt.mixing import class_masks, hide, paste
from rdepth_keras.adapt.outputs import add, auxiliary, mean_entropy, predicting, see
from rdepth_keras.adapt.recolouring import Recolouring
from rdepth_keras.adapt.source_only import SourceOnly
from rdepth_keras.adapt.teacher import follow, pseudo_labels
from rdepth_keras.network import Network

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class DAFormer(SourceOnly):
    """A teacher labels the target; half of a source tile's classes are pasted on it.

    Hoyer, Dai, Van Gool, "DAFormer: Improving Network Architectures and Training Strategies for
    Domain-Adaptive Semantic Segmentation", CVPR 2022, after Tranheden et al., "DACS", WACV 2021.
    With ``masked_weight`` also Hoyer et al., "MIC: Masked Image Consistency for Context-Enhanced
    Domain Adaptation", CVPR 2023. The third strategy, rare classes drawn more often, is a setting
    of the sampling and the crop. Source: lhoyer/DAFormer, ``mmseg/models/uda/dacs.py``.

    What a network reads is mixed whole, the depth only with ``mixed_depth``. The teacher sees the
    target as it is, without dropout and stochastic depth but with the batch's statistics in batch
    norms.
    What lies outside of a turned or scaled target tile would have labels as well: leave the
    target's rotation away.

    Departures: each image draws its own colours (:class:`Recolouring`), and its own classes unless
    ``released_masks``; the rows at the top and bottom of a pseudo-label that the original leaves
    out (sky and bonnet of a car) count; all losses are one sum, where the original
    differentiates one after the other, which takes less memory; a batch without a pixel of
    ``feature_classes`` has no feature distance, where the original's is NaN.

    Attributes:
        decay: of the teacher.
        confidence: probability from which on a pixel of the teacher's is sure; the share of sure
            pixels weighs all of them.
        mixed_weight: factor of the mixed images' cross-entropy.
        mixed_depth: pastes the depth as well, which is relative to the tile it was cut out of, and
            so may tell where something was pasted; else the target's is kept. On the demo either is
            far better in one direction. No published row reads depth.
        recolouring: of the mixed images.
        released_masks: draws the pasted classes as the released code: among those of the whole
            batch, and with ignored pixels as a class.
        feature_weight: factor of the distance of the image encoder's last map from the one it had
            at the start; 0 needs no second encoder. Of use with pretrained weights alone.
        feature_classes: whose pixels the distance looks at, by train id; all where none is named.
        masked_weight: factor of the cross-entropy on target images with holes; 0 leaves them out.
        masked_share: of their area that is hidden.
        masked_block: side of a hidden block in pixels.
    """

    decay: float = 0.999
    confidence: float = 0.968
    mixed_weight: float = 1.0
    mixed_depth: bool = True
    recolouring: Recolouring = Recolouring()
    released_masks: bool = False
    feature_weight: float = 0.005
    feature_classes: tuple[int, ...] = ()
    masked_weight: float = 0.0
    masked_share: float = 0.7
    masked_block: int = 64

    def __post_init__(self):
        super().__post_init__()
        for name in ("decay", "confidence", "masked_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1; received {getattr(self, name)}.")
        for name in ("mixed_weight", "feature_weight", "masked_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0; received {getattr(self, name)}.")
        if self.masked_block < 1:
            raise ValueError(f"masked_block must be at least 1; received {self.masked_block}.")
        holes = self.masked_share, self.masked_block
        if not self.masked_weight and holes != (DAFormer.masked_share, DAFormer.masked_block):
            raise ValueError(
                "masked_share and masked_block have no effect without masked images: give "
                "--method.masked-weight, e.g. 1."
            )

    @property
    def uses_target(self) -> bool:
        return True

    def networks(self, parts: Parts) -> dict[str, Network]:
        if not self.feature_weight:
            return {SEGMENTER: parts.segmenter}
        segmenter = _with_encoder(parts.segmenter)
        _check_classes(self.feature_classes, parts.classes)
        return {SEGMENTER: segmenter, PRETRAINED: _encoder(parts.build(PRETRAINED))}

    def memory(self, networks: Networks, params, buffers, key):
        return {"teacher": jax.tree.map(jnp.copy, params[SEGMENTER])}

    def remember(self, memory, params, buffers, step):
        return {"teacher": follow(memory["teacher"], params[SEGMENTER], step, self.decay)}

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        network, pretrained = networks[SEGMENTER], networks.get(PRETRAINED)

        def loss(params, given: Given) -> Outcome:
            source, target, own = given.source, given.target, params[SEGMENTER]
            assert target is not None
            draws = iter(jax.random.split(given.key, 7))
            outputs, kept = see(network, own, given.buffers[SEGMENTER], source, next(draws))
            terms = self.terms(outputs, source["label"], next(draws))
            if pretrained is not None:
                term = self._distance(pretrained, params, given, outputs)
                terms["distance"] = self.feature_weight * term
            guess, sure = self._labels(network, given)
            classes, released = outputs["prediction"].shape[-1], self.released_masks
            mask = class_masks(source["label"], next(draws), classes, as_released=released)
            mixed = paste(mask, source, target, network.input_names, depth=self.mixed_depth)
            mixed = self._recoloured(mixed, next(draws))
            seen, kept = see(network, own, kept, mixed, next(draws))
            label, weights = jnp.where(mask, source["label"], guess), jnp.where(mask, 1.0, sure)
            terms["mixed"] = self.mixed_weight * self._weighed(seen, label, weights)
            if self.masked_weight:
                term, kept = self._masked(network, own, kept, target, guess, sure, next(draws))
                terms["masked"] = self.masked_weight * term
            total = add(terms)
            logs = {"loss": total, **terms, "sure": sure}
            return Outcome(total, logs, {**given.buffers, SEGMENTER: kept}, given.memory)

        return (Phase(loss),)

    def _distance(self, pretrained: Network, params, given: Given, outputs) -> jax.Array:
        """Of the source's features to those that the pretrained encoder has for it."""
        own = params[PRETRAINED], given.buffers[PRETRAINED]
        reference, _ = pretrained.apply(*own, given.source)
        return feature_distance(
            outputs["encoded"],
            reference["encoded"],
            given.source["label"],
            outputs["prediction"].shape[-1],
            of=self.feature_classes,
        )

    def _labels(self, network: Network, given: Given) -> tuple[jax.Array, jax.Array]:
        """The teacher's of the target, and the share of sure ones."""
        target, teacher = given.target, given.memory["teacher"]
        assert target is not None
        outputs, _ = see(
            network, teacher, given.buffers[SEGMENTER], target, statistics="batch"
        )  # its running statistics are of no use: nobody predicts with the teacher
        return pseudo_labels(outputs["prediction"], self.confidence)

    def _recoloured(self, inputs: Mapping[str, jax.Array], key: jax.Array) -> dict[str, jax.Array]:
        return {**inputs, "image": self.recolouring(inputs["image"], key)}

    def _weighed(self, outputs, label: jax.Array, weights: jax.Array) -> jax.Array:
        """Cross-entropy of labels that are not all as sure, of the auxiliary head, too."""
        options = {"average": self.average, "pixel_weights": weights}
        total = mean_entropy(predicting(outputs), label, **options)
        if others := auxiliary(outputs):
            total += self.auxiliary_weight * mean_entropy(others, label, **options)
        return total

    def _masked(self, network: Network, own, buffers, target, guess, sure, key):
        """MIC's term, and the buffers after its pass."""
        colours, holes, drops = jax.random.split(key, 3)
        hidden = hide(
            self._recoloured(target, colours),
            holes,
            network.input_names,
            share=self.masked_share,
            block_pixels=self.masked_block,
        )
        outputs, kept = see(network, own, buffers, hidden, drops)
        return self._weighed(outputs, guess, jnp.full(guess.shape, sure)), kept


def _with_encoder(network: Network) -> Network:
    """The same network, over the same variables, that hands out the encoder's last map as well."""
    model = network.model
    encoder = model.get_layer("image_encoder")
    if not encoder.trainable:
        raise ValueError(
            "feature_weight holds the image encoder near its start, where a frozen one is anyway: "
            "add --method.feature-weight 0, or leave image_encoder out of --network.frozen."
        )
    encoded = encoder.output[-1]
    outputs = {**model.output, "encoded": encoded}
    return Network(keras.Model(model.input, outputs, name=model.name))


def _encoder(network: Network) -> Network:
    """The image encoder alone: the other variables are let go."""
    model = network.model
    outputs = {"encoded": model.get_layer("image_encoder").output[-1]}
    return Network(keras.Model({"image": model.input["image"]}, outputs, name=model.name))


def _check_classes(of: tuple[int, ...], classes: int) -> None:
    if unknown := [train_id for train_id in of if not 0 <= train_id < classes]:
        raise ValueError(
            f"feature_classes are train ids from 0 to {classes - 1}; received {unknown}."
        )
