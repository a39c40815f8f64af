"""Encoders: a map -> four feature maps of growing stride, a layer each."""

from functools import partial

from rdepth_keras.models.encoders import convnext, mit, resnet
from rdepth_keras.models.layers.domain_norm import TransNorm

_S16 = partial(resnet.resnet, "resnet50", output_stride=16)

ENCODERS = {
    **{name: partial(convnext.convnext, name) for name in convnext.VARIANTS},
    **{name: partial(mit.mit, name) for name in mit.VARIANTS},
    **{name: partial(resnet.resnet, name) for name in resnet.VARIANTS},
    "resnet50_s16": _S16,
    "resnet50_s16_transnorm": partial(_S16, norm=TransNorm),
    "resnet50c_s8": partial(resnet.resnet, "resnet50", deep_stem=True, output_stride=8),
}
