"""ST-DASegNet's network: two students of one image, disentangled, with a head each.

Zhao et al., "Self-Training Guided Disentangled Adaptation for Cross-Domain Remote Sensing Image
Semantic Segmentation", JAG 2024.
"""

from dataclasses import dataclass

import keras

from rdepth_keras.models.architecture import Architecture, check_rates, choose
from rdepth_keras.models.decoders import DECODERS
from rdepth_keras.models.encoders import ENCODERS
from rdepth_keras.models.fusion import FUSIONS, Align
from rdepth_keras.models.heads import Head, Output
from rdepth_keras.models.layers.basic import (
    DEPTH_MEAN,
    DEPTH_STD,
    IMAGE_MEAN,
    IMAGE_STD,
    Normalise,
    register,
)
from rdepth_keras.models.st_dasegnet.disentangle import Distinct, Universal

STYLES: tuple[str, str] = ("source", "target")  # of the students, in this order


@dataclass(frozen=True)
class STDASegNet(Architecture):
    """An image, and depth where there is an encoder for it, -> the mean of both heads' logits.

    Each student has encoders of its own and sees every image, in the style of its domain. Stage by
    stage channels are weighted between the students (:class:`Distinct`); in the last stage what
    both share (:class:`Universal`) lies beside them. Both students predict.

    With ``taps``, ``logits`` is a pair of maps, the source student's first, and there are two pairs
    more: ``encoded``, each student's last map before it is disentangled, and ``styles``, the four
    maps that each head sees. ``features`` are those of both, side by side.

    Attributes:
        source_encoder: of the image, of the source student: atto to xlarge (ConvNeXt), mit_b0 to
            mit_b5, resnet50 and its kin.
        target_encoder: of the target student.
        source_depth_encoder: likewise; None leaves depth out.
        target_depth_encoder: likewise.
        fusion: how a student's encoders meet: concat, add or gated.
        decoder: upernet, daformer, segformer, segformer_blocks, aspp or aspp_skip.
        channels: width of the decoders.
        drop_path: largest probability of stochastic depth, reached at the last block.
        dropout: probability of dropping a channel before the classifiers.
    """

    source_encoder: str = "resnet50c_s8"
    target_encoder: str = "resnet50c_s8"
    source_depth_encoder: str | None = None
    target_depth_encoder: str | None = None
    fusion: str = "concat"
    decoder: str = "aspp_skip"
    channels: int = 512
    drop_path: float = 0.0
    dropout: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        choose("fusion", self.fusion, FUSIONS)
        choose("decoder", self.decoder, DECODERS)
        check_rates(drop_path=self.drop_path, dropout=self.dropout)

    def connect(self, classes, *, dtype, **options):
        inputs, seen = self._inputs()
        options = {"drop_path": self.drop_path, "dtype": dtype, **options}
        encoded = [self._encode(style, seen, options) for style in STYLES]
        styles = _disentangle(*encoded, dtype)
        features = tuple(
            keras.layers.Concatenate(name=f"features{stage}", dtype=dtype)(pair)
            for stage, pair in enumerate(zip(*styles, strict=True), 1)
        )
        logits = [self._head(*each, classes, dtype) for each in zip(STYLES, styles, strict=True)]
        last = tuple(maps[-1] for maps in encoded)
        maps = {"image": inputs["image"], "encoded": last, "styles": styles, "features": features}
        return inputs, {**maps, "logits": tuple(logits)}

    def end(self, taps):
        return MeanOutput(taps, name="logits")

    def _inputs(self) -> tuple[dict, dict]:
        """The inputs by name, and what the encoders see of them."""
        image = keras.Input((None, None, 3), name="image")
        seen = {"image": Normalise(IMAGE_MEAN, IMAGE_STD, name="normalise_image")(image)}
        if not self.reads_depth:
            return {"image": image}, seen
        depth = keras.Input((None, None, 1), name="depth")
        grey = Normalise(DEPTH_MEAN, DEPTH_STD, channels=1, name="normalise_depth")
        return {"image": image, "depth": depth}, {**seen, "depth": grey(depth, like=image)}

    def _encode(self, style: str, seen: dict, options: dict) -> tuple:
        """A student's four maps, fused where it has a depth encoder."""
        name = f"{style}_encoder"
        features = choose(name, getattr(self, name), ENCODERS)(name=name, **options)(seen["image"])
        name = f"{style}_depth_encoder"
        if getattr(self, name) is None:
            return tuple(features)
        depth = choose(name, getattr(self, name), ENCODERS)(name=name, **options)(seen["depth"])
        dtype = options["dtype"]
        align, fuse = Align(name=f"{style}_align", dtype=dtype), choose("", self.fusion, FUSIONS)
        return tuple(
            fuse(image, align(grey, image), name=f"{style}_fusion{stage}", dtype=dtype)
            for stage, (image, grey) in enumerate(zip(features, depth, strict=True), 1)
        )

    def _head(self, style: str, maps: tuple, classes: int, dtype):
        decoder = choose("decoder", self.decoder, DECODERS)
        decoded = decoder(channels=self.channels, name=f"{style}_decoder", dtype=dtype)(maps)
        return Head(classes, dropout=self.dropout, name=f"{style}_head", dtype=dtype)(decoded)


def _disentangle(source, target, dtype) -> tuple[tuple, tuple]:
    """The four maps of each student -> the four that its head sees."""
    channels = [[x.shape[-1] for x in maps] for maps in (source, target)]
    if channels[0] != channels[1]:
        raise ValueError(
            "Both students must have maps of the same channels; received "
            f"{channels[0]} and {channels[1]}. Give both the same encoders."
        )
    pairs = [
        Distinct(name=f"distinct{stage}", dtype=dtype)(*pair)
        for stage, pair in enumerate(zip(source, target, strict=True), 1)
    ]
    universal = Universal(name="universal", dtype=dtype)(source[-1], target[-1])
    pairs[-1] = tuple(
        keras.layers.Concatenate(name=f"{style}_joined", dtype=dtype)(maps)
        for style, *maps in zip(STYLES, pairs[-1], universal, strict=True)
    )
    first, second = zip(*pairs, strict=True)
    return first, second


def heads(model: keras.Model) -> keras.Model:
    """Decoders and heads alone, over the variables of a built :class:`STDASegNet`.

    ``{"source": four maps, "target": four maps}``, what the network hands out as ``styles`` -> the
    pair of logits.
    """
    maps = {style: tuple(model.get_layer(f"{style}_decoder").input) for style in STYLES}
    logits = tuple(model.get_layer(f"{style}_head").output for style in STYLES)
    return keras.Model(maps, logits, name=f"{model.name}_heads")


@register
class MeanOutput(Output):
    """The end of a network whose heads predict with the mean of their logits."""

    def prediction(self, maps, size):
        return self.enlarge(sum(maps["logits"]) / len(maps["logits"]), size)

    def compute_output_spec(self, maps):
        one = {**maps, "logits": maps["logits"][0]}
        return super().compute_output_spec(maps if self.taps else one)
