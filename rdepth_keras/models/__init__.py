"""Networks by name: plain functional Keras models, arrays in, arrays out.

Input: a dict of ``image``, RGB 0..255 (uint8 or float), and ``depth``, float in [0, 1], one
channel, larger = nearer the camera (absent for networks of the image only). Height and width: any
size from 32 pixels on. Other ranges raise nothing, as no compiled function does;
:mod:`rdepth_keras.infer` refuses them before it calls a network.

Keras's ``load_weights`` passes over what a file holds beyond the network's variables, such as those
of another fusion: whole saved models know what they are.
"""

from collections.abc import Mapping
from dataclasses import fields, replace

import keras

from rdepth_keras.models.architecture import Architecture, choose
from rdepth_keras.models.decoders import DECODERS
from rdepth_keras.models.deeplab import HEADS, DeepLabV2
from rdepth_keras.models.dgcd.dgcd import DGCD
from rdepth_keras.models.encoders import ENCODERS
from rdepth_keras.models.fusion import FUSIONS
from rdepth_keras.models.inspection import inspection
from rdepth_keras.models.metrics import MeanIoU, compiled_cross_entropy
from rdepth_keras.models.st_dasegnet.st_dasegnet import STDASegNet
from rdepth_keras.models.twin import Twin
from rdepth_keras.models.weights.load import load

__all__ = [
    "ARCHITECTURES",
    "DECODERS",
    "DGCD",
    "ENCODERS",
    "FUSIONS",
    "HEADS",
    "MODELS",
    "Architecture",
    "DeepLabV2",
    "MeanIoU",
    "STDASegNet",
    "Twin",
    "build",
    "compiled_cross_entropy",
    "inspection",
    "load",
]

ARCHITECTURES: dict[str, type[Architecture]] = {
    "twin": Twin,
    "dgcd": DGCD,
    "deeplabv2": DeepLabV2,
    "st_dasegnet": STDASegNet,
}

_RESNET = Twin("resnet50c_s8", None, drop_path=0.0)
_MIT = Twin("mit_b0", None, decoder="segformer", auxiliary_channels=None, drop_path=0.1)
_SMALL_MIT, _LARGE_MIT = replace(_MIT, channels=256), replace(_MIT, channels=768)
MODELS: dict[str, Architecture] = {
    "twin": Twin(),
    "convnext_b": Twin("base", None),
    "rdepth_b_s": Twin("base", "small"),
    "rdepth_b_b": Twin("base", "base"),
    "rdepth_xl_b": Twin("xlarge", "base"),
    "dgcd": DGCD("base", "small"),
    "deeplabv3": replace(_RESNET, decoder="aspp"),
    "deeplabv3_plus": replace(_RESNET, decoder="aspp_skip"),
    "segformer_b0": replace(_SMALL_MIT, image_encoder="mit_b0"),
    "segformer_b1": replace(_SMALL_MIT, image_encoder="mit_b1"),
    "segformer_b2": replace(_LARGE_MIT, image_encoder="mit_b2"),
    "segformer_b3": replace(_LARGE_MIT, image_encoder="mit_b3"),
    "segformer_b4": replace(_LARGE_MIT, image_encoder="mit_b4"),
    "segformer_b5": replace(_LARGE_MIT, image_encoder="mit_b5"),
    "segformer_b5_blocks": replace(_SMALL_MIT, image_encoder="mit_b5", decoder="segformer_blocks"),
    "deeplabv2": DeepLabV2(),
    "deeplabv2_two_taps": DeepLabV2(stages=(3, 4)),
    "deeplabv2_two_heads": DeepLabV2(stages=(4, 4), merge="sum"),
    "deeplabv2_transnorm": DeepLabV2("resnet50_s16_transnorm", stages=(4, 4), merge="sum"),
    "pspnet": DeepLabV2(head="pyramid"),
    "pspnet_two_heads": DeepLabV2(head="pyramid", stages=(4, 4), merge="mean", dropout=0.5),
    "st_dasegnet_deeplabv3": STDASegNet(),
    "st_dasegnet_segformer": STDASegNet(
        "mit_b5", "mit_b5", decoder="segformer_blocks", channels=256, drop_path=0.1
    ),
}


def build(
    name: str,
    *,
    classes: int = 7,
    weights=None,
    taps: bool = False,
    dtype=None,
    remat: bool = False,
    accumulate: int = 1,
    **arguments,
) -> keras.Model:
    """Build a network of :data:`MODELS`: see :meth:`Architecture.build` for what comes out.

    ``arguments`` change the network's fields, such as those of :class:`Twin`, where an encoder,
    fusion, decoder or head is a name of :data:`ENCODERS`, :data:`FUSIONS`, :data:`DECODERS`,
    :data:`HEADS`, or a function; an encoder may also be ``{"depths": ..., "widths": ...}``, a
    ConvNeXt of another size.

    Raises ValueError for an unknown name, an argument that cannot be, or weights that do not fit.
    """
    if not isinstance(name, str):
        raise ValueError(
            f"build takes the name of a network, one of {', '.join(MODELS)}; received {name!r}. "
            "An architecture builds itself: Twin(...).build(classes)."
        )
    architecture = choose("network", name, MODELS)
    _check_arguments(name, architecture, arguments)
    options = {"taps": taps, "dtype": dtype, "remat": remat, "accumulate": accumulate}
    architecture = replace(architecture, **arguments)
    return architecture.build(classes, weights=weights, name=name, **options)


def _check_arguments(name: str, architecture: Architecture, arguments: Mapping) -> None:
    known = [field.name for field in sorted(fields(architecture), key=lambda own: own.kw_only)]
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ValueError(
            f"The network {name!r} has no argument {', '.join(unknown)}; it has {', '.join(known)}."
        )
