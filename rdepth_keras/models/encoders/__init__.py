"""Encoders: a map -> four feature maps of growing stride, a layer each."""

from functools import partial

from rdepth_keras.models.encoders import convnext, mit, resnet
from rdepth_keras.models.layers.domain_norm import TransNorm

_S16 = {name: partial(resnet.resnet, name, output_stride=16) for name in ("resnet14", "resnet50")}
_S8 = {f"{name}c_s8": partial(_S16[name], deep_stem=True, output_stride=8) for name in _S16}

ENCODERS = {
    **{name: partial(convnext.convnext, name) for name in convnext.VARIANTS},
    **{name: partial(mit.mit, name) for name in mit.VARIANTS},
    **{name: partial(resnet.resnet, name) for name in resnet.VARIANTS},
    **{f"{name}_s16": encoder for name, encoder in _S16.items()},
    **{f"{name}_s16_transnorm": partial(encoder, norm=TransNorm) for name, encoder in _S16.items()},
    **_S8,
}
# As wide as speck: of none of them weights are published, and small they are meant to be.
ENCODERS |= {
    f"{name}_narrow": partial(encoder, width=8)
    for name, encoder in ENCODERS.items()
    if name.startswith("resnet14")
}
