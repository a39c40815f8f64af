"""Self-training on labels made on the fly, of pixels and of boxes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax

from rdepth_keras.adapt.method import SEGMENTER, Given, Networks, Outcome, Phase
from rdepth_keras.adapt.outputs import add, check_settings, is_amount, predicting, see
from rdepth_keras.adapt.self_training import SelfTraining, Terms, mean
from rdepth_keras.adapt.target_terms import box_cross_entropy, prior_cross_entropy


@dataclass(frozen=True)
class PyCDA(SelfTraining):
    """Pyramid curriculum: sure pixels and sure boxes are their own labels, classes keep a share.

    Lian, Lv, Duan, Gong, "Constructing Self-motivated Pyramid Curriculums for Cross-Domain Semantic
    Segmentation: A Non-Adversarial Approach", ICCV 2019; settings as in the PyCDA of LoveDA's
    release (Junjue-Wang/LoveDA, PyCDA_train.py). A step updates twice: with CE(source), which no
    norm clips, then, of the params and statistics that this left, with ::

        BCE(the target's class shares, prior) + 0.5 CE(sure pixels and boxes, their own class)

    Departures: the prior is uniform unless one is given, as the release's comes to; where nothing
    is sure, that term is 0 and not NaN; the authors' larger regions (superpixels) are left out, as
    in the release. The defaults are those towards rural tiles.

    Attributes:
        confidence: probability above which a pixel or box is sure.
        boxes: sides in pixels, at the size of the image; 1 is the pixels themselves.
        pseudo_weight: of the sure places' cross-entropy.
        prior_weight: of the classes' shares.
        prior: the share of each class, which adds up to 1; None is the same for all.
    """

    confidence: float = 0.7
    boxes: tuple[int, ...] = (1, 2, 4, 8)
    pseudo_weight: float = 0.5
    prior_weight: float = 1.0
    prior: tuple[float, ...] | None = None

    def __post_init__(self):
        super().__post_init__()
        check_settings(self, "at least 0", is_amount, "pseudo_weight", "prior_weight")
        check_settings(self, "at least 0 and below 1", lambda x: 0 <= x < 1, "confidence")
        check_settings(self, "one or more, of at least 1 each", _are_boxes, "boxes")
        check_settings(self, "None or shares that add up to 1", _is_prior, "prior")

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        segmenter = networks[SEGMENTER]
        self._check_classes(segmenter.model.output)

        def forward(params, given: Given, batch):
            own, buffers = params[SEGMENTER], given.buffers
            outputs, kept = see(segmenter, own, buffers[SEGMENTER], batch, given.key)
            return outputs, {**buffers, SEGMENTER: kept}

        def supervise(params, given: Given) -> Outcome:
            outputs, buffers = forward(params, given, given.source)
            terms = self.supervised(outputs, given.source["label"])
            total = add(terms)
            return Outcome(total, {"loss": total, **terms}, buffers, given.memory)

        def adapt(params, given: Given) -> Outcome:
            assert given.target is not None  # uses_target
            outputs, buffers = forward(params, given, given.target)
            terms = self.target_terms(outputs, given.target["label"])
            return Outcome(add(terms), terms, buffers, given.memory)

        return Phase(supervise, clips=False), Phase(adapt)

    def target_terms(self, target: Mapping[str, Any], like: jax.Array) -> Terms:
        """The weighted terms by name, of outputs as large as the image; ``like`` is (B, H, W)."""
        if (largest := max(self.boxes)) > min(like.shape[1:3]):
            raise ValueError(
                f"Boxes must lie within the crop of {like.shape[1]} x {like.shape[2]} pixels; a "
                f"side of {largest} does not: use a larger --crop, or smaller --method.boxes."
            )
        heads = predicting(target)
        shares = mean([prior_cross_entropy(logits, self.prior) for logits in heads])
        sure = mean([box_cross_entropy(logits, self.confidence, self.boxes) for logits in heads])
        return {"prior": self.prior_weight * shares, "pseudo": self.pseudo_weight * sure}

    def _check_classes(self, outputs: Mapping[str, Any]) -> None:
        classes = jax.tree.leaves(outputs["logits"])[0].shape[-1]
        if self.prior is not None and len(self.prior) != classes:
            raise ValueError(
                f"prior must be a share for each of the {classes} classes; received "
                f"{len(self.prior)} shares."
            )


def _are_boxes(value: tuple[int, ...]) -> bool:
    return bool(value) and all(side >= 1 for side in value)


def _is_prior(value: tuple[float, ...] | None) -> bool:
    if value is None:
        return True
    return all(0 <= share <= 1 for share in value) and abs(sum(value) - 1) < 1e-3
