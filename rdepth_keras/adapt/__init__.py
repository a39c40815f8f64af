"""What is minimised: training on the source alone, and the adaptation methods."""

from rdepth_keras.adapt.adaptsegnet import AdaptSegNet
from rdepth_keras.adapt.clan import CLAN
from rdepth_keras.adapt.dgcd import DGCD
from rdepth_keras.adapt.fada import FADA
from rdepth_keras.adapt.method import SEGMENTER, Method
from rdepth_keras.adapt.source_only import SourceOnly
from rdepth_keras.adapt.transnorm import TransNorm

METHODS: dict[str, type[Method]] = {
    "source_only": SourceOnly,
    "dgcd": DGCD,
    "adaptsegnet": AdaptSegNet,
    "transnorm": TransNorm,
    "clan": CLAN,
    "fada": FADA,
}

__all__ = [
    "CLAN",
    "DGCD",
    "FADA",
    "METHODS",
    "SEGMENTER",
    "AdaptSegNet",
    "Method",
    "SourceOnly",
    "TransNorm",
]
