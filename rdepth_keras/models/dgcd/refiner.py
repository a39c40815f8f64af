"""The depth-guided refiner of the logits."""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import Composite, ConvBlock, Normal, register
from rdepth_keras.models.layers.resample import resize


@register
class Refiner(Composite):
    """Logits and a depth feature map -> refined logits, float32, of the logits' size.

    refined = logits + sigmoid(a) * correction. The correction is a 1x1 convolution of a 3x3 block
    over both inputs, each through a 3x3 block of its own; a is learnt from ``initial``.
    """

    def __init__(self, classes, channels=64, initial=0.3, **options):
        super().__init__(**{**options, "autocast": False})
        self.classes, self.channels, self.initial = classes, channels, initial
        policy = self.dtype_policy
        self.logits_block, self.depth_block, self.fuse = (
            ConvBlock(channels, name=name, dtype=policy) for name in ("logits", "depth", "fuse")
        )
        self.correction = keras.layers.Dense(
            classes, kernel_initializer=Normal(0.01), name="correction", dtype="float32"
        )

    def build(self, logits_shape, depth_map_shape):
        initializer = keras.initializers.Constant(self.initial)
        self.share = self.add_weight(shape=(), initializer=initializer, name="share")
        self.logits_block.build(logits_shape)
        self.depth_block.build((*logits_shape[:-1], depth_map_shape[-1]))
        self.fuse.build((*logits_shape[:-1], 2 * self.channels))
        self.correction.build((*logits_shape[:-1], self.channels))

    def call(self, logits, depth_map, training=None):
        depth_map = resize(depth_map, logits.shape[1:3])
        branches = [
            self.logits_block(logits, training=training),
            self.depth_block(depth_map, training=training),
        ]
        x = self.fuse(ops.concatenate(branches, -1), training=training)
        return logits + ops.sigmoid(self.share) * self.correction(x)

    def compute_output_spec(self, logits, depth_map, training=None):
        return keras.KerasTensor(logits.shape, "float32")

    def get_config(self):
        config = {"classes": self.classes, "channels": self.channels, "initial": self.initial}
        return {**super().get_config(), **config}
