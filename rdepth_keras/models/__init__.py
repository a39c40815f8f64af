"""Networks by name: plain functional Keras models, arrays in, arrays out.

Input: a dict of ``image``, RGB 0..255 (uint8 or float), and ``depth``, float in [0, 1], one
channel, larger = nearer the camera (absent for networks of the image only). Height and width: any
size from 32 pixels on.
"""

import inspect
from collections.abc import Mapping
from functools import partial

import keras

from rdepth_keras.models import baselines
from rdepth_keras.models.decoders.daformer import DAFormer
from rdepth_keras.models.decoders.upernet import UPerNet
from rdepth_keras.models.encoders.convnext import VARIANTS, convnext
from rdepth_keras.models.fusion import add, concat, gated
from rdepth_keras.models.inspection import inspection
from rdepth_keras.models.twin import twin
from rdepth_keras.models.weights.load import load

__all__ = ["DECODERS", "ENCODERS", "FUSIONS", "MODELS", "build", "inspection", "load"]

ENCODERS = {**{name: partial(convnext, name) for name in VARIANTS}, **baselines.ENCODERS}
FUSIONS = {"concat": concat, "add": add, "gated": gated}
DECODERS = {"upernet": UPerNet, "daformer": DAFormer, **baselines.DECODERS}
MODELS = {
    "twin": partial(twin, image_encoder="base", depth_encoder="small"),
    "convnext_b": partial(twin, image_encoder="base", depth_encoder=None),
    "rdepth_b_s": partial(twin, image_encoder="base", depth_encoder="small"),
    "rdepth_b_b": partial(twin, image_encoder="base", depth_encoder="base"),
    "rdepth_xl_b": partial(twin, image_encoder="xlarge", depth_encoder="base"),
    "dgcd": partial(twin, image_encoder="base", depth_encoder="small", refine=True, contrast=True),
    **baselines.MODELS,
}

_CHOICES = {
    "image_encoder": ENCODERS,
    "depth_encoder": ENCODERS,
    "fusion": FUSIONS,
    "decoder": DECODERS,
    "head": baselines.HEADS,
}


def build(
    name: str, *, classes: int = 7, weights=None, taps: bool = False, dtype=None, **arguments
) -> keras.Model:
    """Build a network of :data:`MODELS`.

    The output is the full-size float32 logits (B, H, W, classes). With ``taps=True`` it is a dict
    over the same variables: ``logits`` and ``auxiliary`` (both float32, at the stride of the
    decoder and of stage 3; a network without that head has no such entry), ``features``, the tuple
    of the four maps the decoder sees. ``logits`` is a tuple in networks of several heads. With
    ``refine=True`` there is ``refined``, the logits that prediction uses; with ``contrast=True``
    ``contrast``, four pairs of maps for the contrastive term.

    ``weights``: None for random ones, else see :func:`rdepth_keras.models.weights.load`.
    ``dtype``: a Keras dtype policy such as ``"mixed_bfloat16"``. ``arguments``: those of the
    network's function, such as :func:`rdepth_keras.models.twin.twin`, where an encoder, fusion or
    decoder is a name of :data:`ENCODERS`, :data:`FUSIONS`, :data:`DECODERS`, or a function; an
    encoder may also be ``{"depths": ..., "widths": ...}``, a ConvNeXt of another size.

    Raises ValueError for an unknown name or argument, or weights that do not fit.
    """
    network = _choose("network", name, MODELS)
    given = {**network.keywords, **arguments}
    _check_arguments(name, network, arguments)
    for argument, table in _CHOICES.items():
        if argument in given:
            given[argument] = _resolve(argument, given[argument], table)
    model = network.func(**given, classes=classes, taps=taps, dtype=dtype, name=name)
    _expect_batches(model)
    if weights is not None:
        load(model, weights)
    return model


def _expect_batches(model: keras.Model) -> None:
    """Refuse an image without batch axis in one line; Keras's own message prints its pixels."""
    specs = model.input_spec
    for spec in specs:
        spec.min_ndim = 4 if spec.name == "image" else None
    model.input_spec = specs


def _choose(kind: str, name: str, table: Mapping):
    if name not in table:
        raise ValueError(f"Unknown {kind} {name!r}; known are {', '.join(sorted(table))}.")
    return table[name]


def _resolve(argument: str, value, table: Mapping):
    """A name -> what the table holds for it; sizes of a ConvNeXt -> that encoder."""
    if isinstance(value, str):
        return _choose(argument, value, table)
    return partial(convnext, **value) if isinstance(value, Mapping) else value


def _check_arguments(name: str, network, arguments: Mapping) -> None:
    known = [known for known in inspect.signature(network).parameters if known != "name"]
    unknown = sorted(set(arguments) - set(known))
    if unknown:
        raise ValueError(
            f"The network {name!r} has no argument {', '.join(unknown)}; it has {', '.join(known)}."
        )
