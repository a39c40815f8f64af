"""The paper's network: two encoders, a fusion per stage, a decoder, an auxiliary head.

Sun et al., "Exploiting Relative Depth for Cross-domain Semantic Segmentation of High-resolution
Satellite Remote Sensing Images".
"""

from dataclasses import dataclass

import keras

from rdepth_keras.models.architecture import Architecture, check_rates, choose
from rdepth_keras.models.decoders import DECODERS
from rdepth_keras.models.encoders import ENCODERS
from rdepth_keras.models.fusion import FUSIONS, Align
from rdepth_keras.models.heads import Head
from rdepth_keras.models.layers.basic import DEPTH_MEAN, DEPTH_STD, IMAGE_MEAN, IMAGE_STD, Normalise


@dataclass(frozen=True)
class Twin(Architecture):
    """Image and depth -> logits; without depth encoder, of the image only.

    Attributes:
        image_encoder: atto to xlarge (ConvNeXt), mit_b0 to mit_b5, resnet50 and its kin.
        depth_encoder: likewise; None leaves depth out.
        fusion: how the encoders meet: concat, add or gated.
        decoder: upernet, daformer, segformer, segformer_blocks, aspp or aspp_skip.
        channels: width of the decoder.
        auxiliary_channels: width of the auxiliary head on stage 3; None leaves it out.
        drop_path: largest probability of stochastic depth, reached at the last block.
        dropout: probability of dropping a channel before the classifiers.
    """

    image_encoder: str = "base"
    depth_encoder: str | None = "small"
    fusion: str = "concat"
    decoder: str = "upernet"
    channels: int = 512
    auxiliary_channels: int | None = 256
    drop_path: float = 0.4
    dropout: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        choose("fusion", self.fusion, FUSIONS)
        choose("decoder", self.decoder, DECODERS)
        check_rates(drop_path=self.drop_path, dropout=self.dropout)

    def connect(self, classes, *, dtype, **options):
        inputs, features, _ = encode(self, dtype=dtype, **options)
        return inputs, {"image": inputs["image"], **self.decode(features, classes, dtype)}

    def decode(self, features, classes: int, dtype) -> dict:
        """The maps of the image's four features: logits, and the auxiliary head's."""
        decoder = choose("decoder", self.decoder, DECODERS)
        decoded = decoder(channels=self.channels, name="decoder", dtype=dtype)(features)
        head = Head(classes, dropout=self.dropout, name="head", dtype=dtype)
        maps = {"features": features, "logits": head(decoded)}
        if self.auxiliary_channels:
            sizes = (classes, self.auxiliary_channels, self.dropout)
            maps["auxiliary"] = Head(*sizes, name="auxiliary", dtype=dtype)(features[2])
        return maps


def encode(network, *, dtype=None, **options):
    """The inputs, the four maps a decoder sees, and the (image map, depth map) of each stage.

    ``network`` has ``image_encoder``, ``depth_encoder``, ``fusion`` and ``drop_path``. Without
    depth encoder the maps are the image encoder's, and there are no pairs.
    """
    options = {"drop_path": network.drop_path, "dtype": dtype, **options}
    encoders = {name: choose(name, one, ENCODERS) for name, one in network.encoders.items()}
    image = keras.Input((None, None, 3), name="image")
    normalised = Normalise(IMAGE_MEAN, IMAGE_STD, name="normalise_image")(image)
    image_features = encoders["image_encoder"](name="image_encoder", **options)(normalised)
    if not network.reads_depth:
        return {"image": image}, image_features, []

    depth = keras.Input((None, None, 1), name="depth")
    grey = Normalise(DEPTH_MEAN, DEPTH_STD, channels=1, name="normalise_depth")
    normalised = grey(depth, like=image)  # three equal channels before that, as in the paper
    depth_features = encoders["depth_encoder"](name="depth_encoder", **options)(normalised)
    align, fusion = Align(name="align", dtype=dtype), choose("fusion", network.fusion, FUSIONS)
    depth_features = [align(*maps) for maps in zip(depth_features, image_features, strict=True)]
    pairs = list(zip(image_features, depth_features, strict=True))
    features = tuple(
        fusion(*pair, name=f"fusion{stage}", dtype=dtype) for stage, pair in enumerate(pairs, 1)
    )
    return {"image": image, "depth": depth}, features, pairs
