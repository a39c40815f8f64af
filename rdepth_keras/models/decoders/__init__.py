"""Decoders: a tuple of four feature maps -> one map for the classifier, a layer each."""

from functools import partial

from rdepth_keras.models.decoders.aspp import ASPP
from rdepth_keras.models.decoders.daformer import DAFormer
from rdepth_keras.models.decoders.segformer import SegFormer
from rdepth_keras.models.decoders.upernet import UPerNet

DECODERS = {
    "upernet": UPerNet,
    "daformer": DAFormer,
    "segformer": SegFormer,
    "segformer_blocks": partial(SegFormer, linear=False),
    "aspp": ASPP,
    "aspp_skip": partial(ASPP, separable=True, skip_channels=48),
}
