"""Pyramid pooling (Zhao et al., "Pyramid Scene Parsing Network", CVPR 2017) of one map.

Paths under the layer's name: ``pyramid6/conv/kernel`` (pooled to 6x6 bins) and ``bottleneck``.
"""

from keras import ops

from rdepth_keras.models.layers.basic import Composite, ConvBlock, register
from rdepth_keras.models.layers.resample import adaptive_average_pool, resize


@register
class Pyramid(Composite):
    """Map -> (B, h, w, channels): means over boxes of several sizes beside the map, a 3x3 block."""

    def __init__(self, channels=512, bins=(1, 2, 3, 6), **options):
        super().__init__(**options)
        self.channels, self.bins = channels, tuple(bins)
        policy = self.dtype_policy
        self.blocks = [ConvBlock(channels, 1, name=f"pyramid{size}", dtype=policy) for size in bins]
        self.bottleneck = ConvBlock(channels, 3, name="bottleneck", dtype=policy)

    def build(self, shape):
        for block in self.blocks:
            block.build(shape)
        self.bottleneck.build((*shape[:-1], shape[-1] + len(self.bins) * self.channels))

    def call(self, x, training=None):
        pooled = [
            resize(block(adaptive_average_pool(x, size), training=training), x.shape[1:3])
            for block, size in zip(self.blocks, self.bins, strict=True)
        ]
        return self.bottleneck(ops.concatenate([x, *pooled], -1), training=training)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "bins": self.bins}
