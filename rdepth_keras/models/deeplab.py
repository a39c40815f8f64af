"""Networks of one or more heads on stages of an encoder, behind the same inputs and outputs.

On a ResNet-50 of stride 16 they are the common base of AdaptSegNet, CLAN, FADA, TransNorm, PyCDA,
CBST, IAST and DCA on LoveDA.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import keras
from keras import ops

from rdepth_keras.arrays import check_count
from rdepth_keras.models.architecture import Architecture, check_rates, choose
from rdepth_keras.models.decoders.aspp import SummedASPP
from rdepth_keras.models.decoders.pyramid import Pyramid
from rdepth_keras.models.fusion import FUSIONS
from rdepth_keras.models.heads import Head, Output
from rdepth_keras.models.layers.basic import register
from rdepth_keras.models.twin import encode

Merge = Literal["last", "sum", "mean"]


def summed_aspp(x, *, classes, channels, dropout, name, dtype=None):
    """Logits of DeepLabV2's head: dilated convolutions, summed (no width, no dropout)."""
    return SummedASPP(classes, name=name, dtype=dtype)(x)


def pyramid(x, *, classes, channels, dropout, name, dtype=None):
    """Logits of PSPNet's head: pyramid pooling, a 3x3 block, a classifier."""
    x = Pyramid(channels, name=f"{name}_pyramid", dtype=dtype)(x)
    return Head(classes, dropout=dropout, name=name, dtype=dtype)(x)


HEADS = {"aspp": summed_aspp, "pyramid": pyramid}


@dataclass(frozen=True)
class DeepLabV2(Architecture):
    """Image, and depth where there is an encoder for it, -> logits of a head on each of ``stages``.

    With ``taps``, ``logits`` are the heads that predict and ``auxiliary`` those that do not: a map
    where it is one, else a tuple of them in the stages' order.

    Attributes:
        image_encoder: atto to xlarge (ConvNeXt), mit_b0 to mit_b5, resnet50 and its kin.
        depth_encoder: likewise; None leaves depth out.
        fusion: how the encoders meet: concat, add or gated.
        head: makes logits from a map, a name in rdepth_keras.models.HEADS.
        stages: from 1 to 4, a head each; a stage may occur twice.
        merge: how the heads predict: the last one, their sum, or the logarithm of the mean of their
            probabilities, enlarged with aligned corners before that.
        channels: width of the head pyramid; aspp has none.
        drop_path: largest probability of stochastic depth, reached at the last block.
        dropout: probability of dropping a channel before the classifiers; aspp does not drop any.
    """

    image_encoder: str = "resnet50_s16"
    depth_encoder: str | None = None
    fusion: str = "concat"
    head: str = "aspp"
    stages: tuple[int, ...] = (4,)
    merge: Merge = "last"
    channels: int = 512
    drop_path: float = 0.0
    dropout: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        choose("fusion", self.fusion, FUSIONS)
        choose("head", self.head, HEADS)
        if not isinstance(self.stages, tuple) or not self.stages:
            raise ValueError(
                f"stages must be one or more of 1, 2, 3, 4 in a tuple; received {self.stages}."
            )
        for stage in self.stages:
            check_count("stages", stage, 4)
        _check_merge(self.merge)
        check_rates(drop_path=self.drop_path, dropout=self.dropout)

    def connect(self, classes, *, dtype, **options):
        inputs, features, _ = encode(self, dtype=dtype, **options)
        sizes = {"classes": classes, "channels": self.channels, "dropout": self.dropout}
        head = partial(choose("head", self.head, HEADS), **sizes, dtype=dtype)
        logits = [
            head(features[stage - 1], name=f"head{index}")
            for index, stage in enumerate(self.stages, 1)
        ]
        first = len(logits) - 1 if self.merge == "last" else 0
        heads = {"auxiliary": logits[:first], "logits": logits[first:]}
        heads = {name: _one_or_all(found) for name, found in heads.items() if found}
        return inputs, {"image": inputs["image"], "features": features, **heads}

    def end(self, taps):
        return MergedOutput(taps, merge=self.merge, name="logits")


@register
class MergedOutput(Output):
    """The end of a network of several heads: see :class:`DeepLabV2`."""

    align_corners = True  # as in LoveDA's release and DCA's

    def __init__(self, taps=False, predicts="logits", merge="last", **options):
        super().__init__(taps, predicts, **options)
        self.merge = _check_merge(merge)

    def prediction(self, maps, size):
        heads = [self.enlarge(x, size) for x in keras.tree.flatten(maps["logits"])]
        if self.merge == "mean":
            logarithms = ops.stack([ops.log_softmax(x, -1) for x in heads])
            return ops.logsumexp(logarithms, 0) - ops.log(float(len(heads)))
        return sum(heads) if self.merge == "sum" else heads[-1]

    def compute_output_spec(self, maps):
        one = {**maps, "logits": keras.tree.flatten(maps["logits"])[-1]}
        return super().compute_output_spec(maps if self.taps else one)

    def get_config(self):
        return {**super().get_config(), "merge": self.merge}


def _one_or_all(heads: list):
    return tuple(heads) if len(heads) > 1 else heads[0]


def _check_merge(merge: str) -> str:
    if merge not in get_args(Merge):
        raise ValueError(f"merge must be 'last', 'sum' or 'mean'; received {merge!r}.")
    return merge
