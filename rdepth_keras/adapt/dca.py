"""Self-training with prototypes of the classes that agree within and across the domains."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from rdepth_keras.adapt.method import Parts
from rdepth_keras.adapt.outputs import check_settings, check_trains, is_amount, maps
from rdepth_keras.adapt.prototypes import correlations, misalignment, prototypes
from rdepth_keras.adapt.pseudo_labels import class_maximum
from rdepth_keras.adapt.self_training import LabelledRounds
from rdepth_keras.infer import Inference
from rdepth_keras.network import Network


@dataclass(frozen=True)
class DCA(LabelledRounds):
    """Deep covariance alignment.

    Wu, Lu, Fang, "Deep Covariance Alignment for Domain Adaptive Remote Sensing Image Segmentation",
    IEEE TGRS 2022 (Luffy03/DCA). Up to the first round, and after it::

        CE(source) + ICR
        CE(source) + CE(target, pseudo-labels) + ICR + CCR

    ICR compares the prototypes of one half of the source's batch with those of the other, CCR those
    of the source, without gradient, with the target's: the same class's ought to correlate, and no
    two classes'. Prototypes are of the last stage's features; no gradient passes the probabilities
    that weigh them, those that the network predicts.

    Departures: correlations are held above 0 within logarithms (the original is NaN there); the
    first round is right at ``start`` and not one step later; networks normalise images by
    ImageNet's statistics and not LoveDA's; where logits are finer than the features, they are
    resized to these.

    Attributes:
        alignment_weight: of ICR and CCR, each.
        background: train id of the class that has no prototype; None where all have one.
        across_classes: gives each channel unit length over an image's classes, as the released code
            does, instead of each prototype: a slip, hence off.
        maximum_fraction: of a class's largest probability in a tile, that its pixels must exceed.
        maximum_floor: probability that all pseudo-labels must exceed.
    """

    target_weight: float = 1.0
    alignment_weight: float = 1.0
    background: int | None = 0
    across_classes: bool = False
    maximum_fraction: float = 0.8
    maximum_floor: float = 0.6

    def __post_init__(self):
        super().__post_init__()
        check_settings(self, "at least 0", is_amount, "alignment_weight")
        check_settings(self, "None or at least 0", lambda x: x is None or x >= 0, "background")
        shares = ("maximum_fraction", "maximum_floor")
        check_settings(self, "at least 0 and below 1", lambda x: 0 <= x < 1, *shares)

    def networks(self, parts: Parts) -> dict[str, Network]:
        if self.background is not None and self.background >= parts.classes:
            raise ValueError(
                f"background must be None or a train id from 0 to {parts.classes - 1}; received "
                f"{self.background}."
            )
        if self.alignment_weight:
            told = "The method dca aligns the last features, and all that makes them"
            check_trains(parts.segmenter, maps(parts.segmenter)["features"][-1], told)
        return super().networks(parts)

    def source_terms(self, source, label):
        features, probabilities = self._maps(source)
        half = len(features) // 2
        if not half:
            raise ValueError(
                "The method dca compares the halves of the source's batch, which has one tile: "
                "use a batch size of at least 2."
            )
        halves = [self._prototypes(features[part], probabilities[part]) for part in _cut(half)]
        icr = misalignment(correlations(*halves))
        return {**self.supervised(source, label), "icr": self.alignment_weight * icr}

    def target_terms(self, source, target, label):
        known = jax.lax.stop_gradient(self._prototypes(*self._maps(source)))
        ccr = misalignment(correlations(known, self._prototypes(*self._maps(target))))
        terms = super().target_terms(source, target, label)
        return {**terms, "ccr": self.alignment_weight * ccr}

    def _maps(self, outputs: Mapping[str, Any]) -> tuple[jax.Array, jax.Array]:
        """The last features (B, h, w, C), and the probabilities of the classes with prototypes."""
        probabilities = jax.nn.softmax(outputs["coarse"], -1)
        kept = [k for k in range(probabilities.shape[-1]) if k != self.background]
        return outputs["features"][-1], probabilities[..., np.array(kept)]

    def _prototypes(self, features: jax.Array, probabilities: jax.Array) -> jax.Array:
        return prototypes(features, probabilities, across_classes=self.across_classes)

    @property
    def labelling(self) -> Inference:
        """Windows that overlap by half, each seen in its eight views."""
        return Inference(512, 256, average="probabilities", views="symmetries")

    def relabel(self, probabilities: Sequence[np.ndarray], step: int) -> Iterator[np.ndarray]:
        return class_maximum(
            probabilities, fraction=self.maximum_fraction, floor=self.maximum_floor
        )


def _cut(half: int) -> tuple[slice, slice]:
    return slice(half), slice(half, None)
