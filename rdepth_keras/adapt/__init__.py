"""What is minimised: training on the source alone, and the adaptation methods."""

from rdepth_keras.adapt.adaptsegnet import AdaptSegNet
from rdepth_keras.adapt.cbst import CBST
from rdepth_keras.adapt.clan import CLAN
from rdepth_keras.adapt.daformer import DAFormer
from rdepth_keras.adapt.dca import DCA
from rdepth_keras.adapt.dgcd import DGCD
from rdepth_keras.adapt.fada import FADA
from rdepth_keras.adapt.iast import IAST
from rdepth_keras.adapt.method import SEGMENTER, Method
from rdepth_keras.adapt.pycda import PyCDA
from rdepth_keras.adapt.source_only import SourceOnly
from rdepth_keras.adapt.st_dasegnet import STDASegNet
from rdepth_keras.adapt.style import SourceStyle
from rdepth_keras.adapt.transnorm import TransNorm

METHODS: dict[str, type[Method]] = {
    "source_only": SourceOnly,
    "dgcd": DGCD,
    "source_style": SourceStyle,
    "daformer": DAFormer,
    "adaptsegnet": AdaptSegNet,
    "transnorm": TransNorm,
    "clan": CLAN,
    "fada": FADA,
    "pycda": PyCDA,
    "cbst": CBST,
    "iast": IAST,
    "dca": DCA,
    "st_dasegnet": STDASegNet,
}

__all__ = [
    "CBST",
    "CLAN",
    "DCA",
    "DGCD",
    "FADA",
    "IAST",
    "METHODS",
    "SEGMENTER",
    "AdaptSegNet",
    "DAFormer",
    "Method",
    "PyCDA",
    "STDASegNet",
    "SourceOnly",
    "SourceStyle",
    "TransNorm",
]
