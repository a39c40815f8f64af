"""The paper's network: two encoders, a fusion per stage, a decoder, an auxiliary head.

Sun et al., "Exploiting Relative Depth for Cross-domain Semantic Segmentation of High-resolution
Satellite Remote Sensing Images".
"""

import keras

from rdepth_keras.models.contrast import Contrast
from rdepth_keras.models.decoders.upernet import UPerNet
from rdepth_keras.models.fusion import Align, concat
from rdepth_keras.models.heads import Head, Output
from rdepth_keras.models.layers.basic import DEPTH_MEAN, DEPTH_STD, IMAGE_MEAN, IMAGE_STD, Normalise
from rdepth_keras.models.refiner import Refiner


def twin(
    image_encoder,
    depth_encoder=None,
    *,
    fusion=concat,
    decoder=UPerNet,
    classes: int = 7,
    channels: int = 512,
    auxiliary_channels: int | None = 256,
    drop_path: float = 0.4,
    dropout: float = 0.1,
    remat: bool = False,
    accumulate: int = 1,
    refine: bool = False,
    contrast: bool = False,
    taps: bool = False,
    dtype=None,
    name: str = "twin",
) -> keras.Model:
    """Functional model ``{"image", "depth"}`` -> logits; without depth encoder, of the image only.

    ``image_encoder`` and ``depth_encoder`` make a layer (map -> four maps) from ``drop_path``,
    ``remat``, ``accumulate``, ``name`` and ``dtype``; ``fusion`` joins two maps; ``decoder`` makes
    a layer (four maps -> one map of ``channels``). With ``accumulate`` parts, the encoders take a
    training batch in so many, one after the other, and the rest sees it whole: the numbers of the
    whole batch, the encoders' memory of one part. ``auxiliary_channels=None`` leaves out the
    auxiliary head. ``refine`` and ``contrast`` are the successor's options and need a depth
    encoder: refined logits, and the projections of the contrastive term. Outputs: see
    :func:`rdepth_keras.models.build`.
    """
    if depth_encoder is None and (refine or contrast):
        raise ValueError("refine and contrast need a depth encoder; depth_encoder is None.")
    options = {"drop_path": drop_path, "remat": remat, "accumulate": accumulate, "dtype": dtype}
    inputs, features, pairs = encode(image_encoder, depth_encoder, fusion, **options)
    decoded = decoder(channels=channels, name="decoder", dtype=dtype)(features)
    maps = {"image": inputs["image"], "features": features}
    maps["logits"] = Head(classes, dropout=dropout, name="head", dtype=dtype)(decoded)
    if auxiliary_channels:
        auxiliary = Head(classes, auxiliary_channels, dropout, name="auxiliary", dtype=dtype)
        maps["auxiliary"] = auxiliary(features[2])
    if refine:
        refiner = Refiner(classes, name="refiner", dtype=dtype)
        maps["refined"] = refiner(maps["logits"], pairs[0][1])
    if contrast:
        maps["contrast"] = tuple(
            Contrast(name=f"contrast{stage}", dtype=dtype)(*pair)
            for stage, pair in enumerate(pairs, 1)
        )
    return keras.Model(inputs, Output(taps, name="logits")(maps), name=name)


def encode(image_encoder, depth_encoder, fusion, *, dtype=None, **options):
    """The inputs, the four maps a decoder sees, and the (image map, depth map) of each stage.

    Without depth encoder the maps are the image encoder's, and there are no pairs.
    """
    options["dtype"] = dtype
    image = keras.Input((None, None, 3), name="image")
    normalised = Normalise(IMAGE_MEAN, IMAGE_STD, name="normalise_image")(image)
    image_features = image_encoder(name="image_encoder", **options)(normalised)
    if depth_encoder is None:
        return {"image": image}, image_features, []

    depth = keras.Input((None, None, 1), name="depth")
    normalised = Normalise(DEPTH_MEAN, DEPTH_STD, name="normalise_depth")(depth, like=image)
    depth_features = depth_encoder(name="depth_encoder", **options)(normalised)
    align = Align(name="align", dtype=dtype)
    depth_features = [align(*maps) for maps in zip(depth_features, image_features, strict=True)]
    pairs = list(zip(image_features, depth_features, strict=True))
    features = tuple(
        fusion(*pair, name=f"fusion{stage}", dtype=dtype) for stage, pair in enumerate(pairs, 1)
    )
    return {"image": image, "depth": depth}, features, pairs
