"""UPerNet's decoder (Xiao et al., "Unified Perceptual Parsing", ECCV 2018).

Paths under the decoder's name: ``pyramid6/conv/kernel`` (pooled to 6x6 bins), ``bottleneck``,
``lateral1`` and ``output1`` (of stages 1 to 3), ``fuse``; each a ConvBlock with ``conv``, ``norm``.
"""

from keras import ops

from rdepth_keras.models.layers.basic import Composite, ConvBlock, register
from rdepth_keras.models.layers.resample import adaptive_average_pool, resize


@register
class UPerNet(Composite):
    """Four maps -> (B, h, w, channels) at the first map's size.

    Pyramid pooling on the last map, 1x1 laterals, bilinear top-down sum, 3x3 convolutions, and all
    levels concatenated at the first one's size into a last 3x3 convolution.
    """

    def __init__(self, channels=512, bins=(1, 2, 3, 6), **options):
        super().__init__(**options)
        self.channels, self.bins = channels, tuple(bins)

        def block(kernel_size, name):
            return ConvBlock(channels, kernel_size, name=name, dtype=self.dtype_policy)

        self.pyramid = [block(1, f"pyramid{size}") for size in self.bins]
        self.bottleneck = block(3, "bottleneck")
        self.laterals = [block(1, f"lateral{stage}") for stage in (1, 2, 3)]
        self.outputs = [block(3, f"output{stage}") for stage in (1, 2, 3)]
        self.fuse = block(3, "fuse")

    def build(self, shapes):
        *lower, last = shapes
        channels = self.channels
        for block in self.pyramid:
            block.build(last)
        self.bottleneck.build((*last[:-1], last[-1] + len(self.bins) * channels))
        for shape, lateral, output in zip(lower, self.laterals, self.outputs, strict=True):
            lateral.build(shape)
            output.build((*shape[:-1], channels))
        self.fuse.build((*shapes[0][:-1], len(shapes) * channels))

    def call(self, features, training=None):
        *lower, last = features
        maps = [
            lateral(x, training=training) for lateral, x in zip(self.laterals, lower, strict=True)
        ]
        maps.append(self.pool(last, training))
        for level in (2, 1, 0):
            maps[level] = maps[level] + resize(maps[level + 1], maps[level].shape[1:3])
        for level, output in enumerate(self.outputs):
            maps[level] = output(maps[level], training=training)
        size = maps[0].shape[1:3]
        return self.fuse(ops.concatenate([resize(x, size) for x in maps], -1), training=training)

    def pool(self, x, training):
        """Pyramid pooling: context of four box sizes beside the map, back to ``channels``."""
        pooled = [
            resize(block(adaptive_average_pool(x, size), training=training), x.shape[1:3])
            for block, size in zip(self.pyramid, self.bins, strict=True)
        ]
        return self.bottleneck(ops.concatenate([x, *pooled], -1), training=training)

    def compute_output_shape(self, shapes):
        return (*shapes[0][:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "bins": self.bins}
