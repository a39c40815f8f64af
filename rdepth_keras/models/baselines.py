"""The networks of the other rows of the published tables, behind the same inputs and outputs.

Most are the twin network with another encoder and decoder, with or without depth. Networks of one
or two heads on taps of a ResNet-50 of stride 16 are :func:`deeplabv2`: the common base of
AdaptSegNet, CLAN, FADA, TransNorm, PyCDA, CBST, IAST and DCA on LoveDA.
"""

from functools import partial
from typing import Literal

import keras
from keras import ops

from rdepth_keras.models.decoders.aspp import ASPP, SummedASPP
from rdepth_keras.models.decoders.pyramid import Pyramid
from rdepth_keras.models.decoders.segformer import SegFormer
from rdepth_keras.models.encoders import mit, resnet
from rdepth_keras.models.fusion import concat
from rdepth_keras.models.heads import Head, Output
from rdepth_keras.models.layers.basic import register
from rdepth_keras.models.layers.resample import resize
from rdepth_keras.models.twin import encode, twin

Merge = Literal["last", "sum", "mean"]


def deeplabv2(
    image_encoder,
    depth_encoder=None,
    *,
    fusion=concat,
    head,
    stages: tuple[int, ...] = (4,),
    merge: Merge = "last",
    classes: int = 7,
    channels: int = 512,
    drop_path: float = 0.0,
    dropout: float = 0.1,
    remat: bool = False,
    accumulate: int = 1,
    taps: bool = False,
    dtype=None,
    name: str = "deeplabv2",
) -> keras.Model:
    """Functional model ``{"image"[, "depth"]}`` -> logits, of a head on each of ``stages``.

    A stage may occur twice. ``head`` makes logits from a map: a name of :data:`HEADS`, or such a
    function. With ``taps=True``, ``logits`` is a map for one stage, else a tuple of them in their
    order. Otherwise the logits are the last ones, the sum, or the logarithm of the mean of the
    probabilities (``merge``), enlarged with aligned corners before that.
    """
    encoding = {"drop_path": drop_path, "remat": remat, "accumulate": accumulate, "dtype": dtype}
    inputs, features, _ = encode(image_encoder, depth_encoder, fusion, **encoding)
    options = {"classes": classes, "channels": channels, "dropout": dropout, "dtype": dtype}
    logits = [
        head(features[stage - 1], name=f"head{index}", **options)
        for index, stage in enumerate(stages, 1)
    ]
    maps = {"image": inputs["image"], "features": features}
    maps["logits"] = tuple(logits) if len(logits) > 1 else logits[0]
    return keras.Model(inputs, MergedOutput(taps, merge, name="logits")(maps), name=name)


def summed_aspp(x, *, classes, channels, dropout, name, dtype=None):
    """Logits of DeepLabV2's head: dilated convolutions, summed (no width, no dropout)."""
    return SummedASPP(classes, name=name, dtype=dtype)(x)


def pyramid(x, *, classes, channels, dropout, name, dtype=None):
    """Logits of PSPNet's head: pyramid pooling, a 3x3 block, a classifier."""
    x = Pyramid(channels, name=f"{name}_pyramid", dtype=dtype)(x)
    return Head(classes, dropout=dropout, name=name, dtype=dtype)(x)


@register
class MergedOutput(Output):
    """The end of a network of several heads: see :func:`deeplabv2`."""

    def __init__(self, taps=False, merge="last", **options):
        super().__init__(taps, **options)
        if merge not in ("last", "sum", "mean"):
            raise ValueError(f"merge must be 'last', 'sum' or 'mean'; received {merge!r}.")
        self.merge = merge

    def call(self, maps):
        if self.taps:
            return super().call(maps)
        size = maps["image"].shape[1:3]
        heads = [resize(x, size, align_corners=True) for x in keras.tree.flatten(maps["logits"])]
        if self.merge == "mean":
            logarithms = ops.stack([ops.log_softmax(x, -1) for x in heads])
            return ops.logsumexp(logarithms, 0) - ops.log(float(len(heads)))
        return sum(heads) if self.merge == "sum" else heads[-1]

    def compute_output_spec(self, maps):
        one = {**maps, "logits": keras.tree.flatten(maps["logits"])[-1]}
        return super().compute_output_spec(maps if self.taps else one)

    def get_config(self):
        return {**super().get_config(), "merge": self.merge}


HEADS = {"aspp": summed_aspp, "pyramid": pyramid}
ENCODERS = {
    **{name: partial(mit.mit, name) for name in mit.VARIANTS},
    **{name: partial(resnet.resnet, name) for name in resnet.VARIANTS},
    "resnet50_s16": partial(resnet.resnet, "resnet50", output_stride=16),
    "resnet50c_s8": partial(resnet.resnet, "resnet50", deep_stem=True, output_stride=8),
}
DECODERS = {
    "segformer": SegFormer,
    "segformer_blocks": partial(SegFormer, linear=False),
    "aspp": ASPP,
    "aspp_skip": partial(ASPP, separable=True, skip_channels=48),
}

_RESNET = {"image_encoder": "resnet50c_s8", "drop_path": 0.0}
_MIT = {"decoder": "segformer", "auxiliary_channels": None, "drop_path": 0.1}
_TAPPED = {"image_encoder": "resnet50_s16"}
MODELS = {
    "deeplabv3": partial(twin, decoder="aspp", **_RESNET),
    "deeplabv3_plus": partial(twin, decoder="aspp_skip", **_RESNET),
    "segformer_b0": partial(twin, image_encoder="mit_b0", channels=256, **_MIT),
    "segformer_b1": partial(twin, image_encoder="mit_b1", channels=256, **_MIT),
    "segformer_b2": partial(twin, image_encoder="mit_b2", channels=768, **_MIT),
    "segformer_b3": partial(twin, image_encoder="mit_b3", channels=768, **_MIT),
    "segformer_b4": partial(twin, image_encoder="mit_b4", channels=768, **_MIT),
    "segformer_b5": partial(twin, image_encoder="mit_b5", channels=768, **_MIT),
    "deeplabv2": partial(deeplabv2, head="aspp", **_TAPPED),
    "deeplabv2_two_taps": partial(deeplabv2, head="aspp", stages=(3, 4), **_TAPPED),
    "deeplabv2_two_heads": partial(deeplabv2, head="aspp", stages=(4, 4), merge="sum", **_TAPPED),
    "pspnet": partial(deeplabv2, head="pyramid", **_TAPPED),
    "pspnet_two_heads": partial(
        deeplabv2, head="pyramid", stages=(4, 4), merge="mean", dropout=0.5, **_TAPPED
    ),
}
