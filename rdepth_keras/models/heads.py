"""The two ends of a network: feature map -> logits, and what the network hands out."""

import keras

from rdepth_keras.models.layers.basic import Composite, ConvBlock, DropChannels, Normal, register
from rdepth_keras.models.layers.resample import resize


@register
class Head(Composite):
    """Feature map -> float32 logits: an optional 3x3 block, dropout of channels, 1x1 convolution.

    The classifier runs in float32 whatever the dtype policy.
    """

    def __init__(self, classes, channels=None, dropout=0.1, **options):
        super().__init__(**options)
        self.classes, self.channels, self.dropout_rate = classes, channels, dropout
        self.block = channels and ConvBlock(channels, name="block", dtype=self.dtype_policy)
        self.dropout = DropChannels(dropout, name="dropout", dtype=self.dtype_policy)
        self.classifier = keras.layers.Dense(
            classes, kernel_initializer=Normal(0.01), name="classifier", dtype="float32"
        )

    def build(self, shape):
        if self.block:
            self.block.build(shape)
        shape = (*shape[:-1], self.channels or shape[-1])
        self.dropout.build(shape)
        self.classifier.build(shape)

    def call(self, x, training=None):
        if self.block:
            x = self.block(x, training=training)
        return self.classifier(self.dropout(x, training=training))

    def compute_output_spec(self, x, training=None):
        return keras.KerasTensor((*x.shape[:-1], self.classes), "float32")

    def get_config(self):
        config = {
            "classes": self.classes,
            "channels": self.channels,
            "dropout": self.dropout_rate,
        }
        return {**super().get_config(), **config}


@register
class Output(keras.Layer):
    """The end of every network: all of its maps in, the logits out, enlarged to the image's size.

    Input: a dict of the image and the network's maps, ``{"image", "features", "logits", ...}``.
    ``predicts`` names the map that is the prediction. With ``taps=True`` all but the image is
    handed out as it came instead. Both ways the network has the same graph, hence the same
    variables in the same order; what is not handed out costs nothing once compiled.

    How logits are enlarged is the network's own: training on them does it by :meth:`enlarge`, too.
    """

    align_corners = False  # see :func:`rdepth_keras.models.layers.resample.resize`

    def __init__(self, taps=False, predicts="logits", **options):
        super().__init__(**{**options, "dtype": "float32", "autocast": False})
        self.taps, self.predicts = taps, predicts

    def call(self, maps):
        if self.taps:
            return {name: value for name, value in maps.items() if name != "image"}
        return self.prediction(maps, maps["image"].shape[1:3])

    def enlarge(self, logits, size: tuple[int, int]):
        """Logits of any stride (B, h, w, K) -> (B, *size, K)."""
        return resize(logits, size, self.align_corners)

    def prediction(self, maps, size: tuple[int, int]):
        """The logits (B, *size, K) that the network predicts with, of the maps it hands out."""
        return self.enlarge(maps[self.predicts], size)

    def compute_output_spec(self, maps):
        if self.taps:
            handed = self.call(maps)
            return keras.tree.map_structure(lambda x: keras.KerasTensor(x.shape, x.dtype), handed)
        shape = (*maps["image"].shape[:3], maps[self.predicts].shape[-1])
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        return {**super().get_config(), "taps": self.taps, "predicts": self.predicts}
