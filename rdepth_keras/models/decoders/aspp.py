"""Atrous spatial pyramid pooling: the decoders of DeepLabV3 and V3+, the head of DeepLabV2.

Paths under the decoder's name: ``context/dilation12``, ``context/pool``, ``context/bottleneck``,
and in V3+ ``skip``, ``fuse1`` and ``fuse2``; blocks with ``conv`` and ``norm`` each.
"""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import Composite, ConvBlock, Normal, register
from rdepth_keras.models.layers.convolutions import SeparableBlock
from rdepth_keras.models.layers.resample import adaptive_average_pool, resize


@register
class Context(Composite):
    """Map -> (B, h, w, channels): parallel blocks of several dilations, joined by a 3x3 block.

    A dilation of 1 is a 1x1 block. ``separable=True`` splits the dilated 3x3 blocks into depthwise
    and 1x1; ``pool=True`` adds the mean over the whole map.
    """

    def __init__(self, channels, dilations, separable=False, pool=True, **options):
        super().__init__(**options)
        self.channels, self.dilations = channels, tuple(dilations)
        self.separable, self.pool = separable, pool
        self.branches = [self.branch(dilation) for dilation in self.dilations]
        self.pool_block = None
        if pool:
            self.pool_block = ConvBlock(channels, 1, name="pool", dtype=self.dtype_policy)
        self.bottleneck = ConvBlock(channels, 3, name="bottleneck", dtype=self.dtype_policy)

    def branch(self, dilation):
        options = {"name": f"dilation{dilation}", "dtype": self.dtype_policy}
        if dilation == 1:
            return ConvBlock(self.channels, 1, **options)
        if self.separable:
            return SeparableBlock(self.channels, dilation, **options)
        return ConvBlock(self.channels, 3, dilation, **options)

    def build(self, shape):
        for branch in self.branches:
            branch.build(shape)
        if self.pool_block:
            self.pool_block.build(shape)
        branches = len(self.branches) + self.pool
        self.bottleneck.build((*shape[:-1], branches * self.channels))

    def call(self, x, training=None):
        maps = [branch(x, training=training) for branch in self.branches]
        if self.pool_block:
            pooled = self.pool_block(adaptive_average_pool(x, 1), training=training)
            maps.insert(0, resize(pooled, x.shape[1:3]))
        return self.bottleneck(ops.concatenate(maps, -1), training=training)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.channels)

    def get_config(self):
        config = {
            "channels": self.channels,
            "dilations": self.dilations,
            "separable": self.separable,
            "pool": self.pool,
        }
        return {**super().get_config(), **config}


@register
class ASPP(Composite):
    """Four maps -> (B, h, w, channels): the context of the last map.

    Chen et al., "Rethinking Atrous Convolution" (DeepLabV3, 2017): at the last map's size. With
    ``skip_channels``, Chen et al., ECCV 2018 (DeepLabV3+): enlarged to the first map's size, beside
    so many channels of that, and through two separable blocks.
    """

    def __init__(
        self,
        channels=512,
        dilations=(1, 12, 24, 36),
        separable=False,
        skip_channels=None,
        **options,
    ):
        super().__init__(**options)
        self.channels, self.dilations = channels, tuple(dilations)
        self.separable, self.skip_channels = separable, skip_channels
        policy = self.dtype_policy
        self.context = Context(channels, dilations, separable, name="context", dtype=policy)
        self.skip, self.fuse = None, []
        if skip_channels:
            self.skip = ConvBlock(skip_channels, 1, name="skip", dtype=policy)
            self.fuse = [SeparableBlock(channels, name=f"fuse{i}", dtype=policy) for i in (1, 2)]

    def build(self, shapes):
        first, *_, last = shapes
        self.context.build(last)
        if self.skip is not None:
            self.skip.build(first)
            self.fuse[0].build((*first[:-1], self.channels + self.skip.channels))
            self.fuse[1].build((*first[:-1], self.channels))

    def call(self, features, training=None):
        first, *_, last = features
        x = self.context(last, training=training)
        if self.skip is None:
            return x
        skip = self.skip(first, training=training)
        x = ops.concatenate([resize(x, first.shape[1:3]), skip], -1)
        for block in self.fuse:
            x = block(x, training=training)
        return x

    def compute_output_shape(self, shapes):
        size = shapes[0 if self.skip is not None else -1]
        return (*size[:-1], self.channels)

    def get_config(self):
        config = {
            "channels": self.channels,
            "dilations": self.dilations,
            "separable": self.separable,
            "skip_channels": self.skip_channels,
        }
        return {**super().get_config(), **config}


@register
class SummedASPP(Composite):
    """Map -> float32 logits: the sum of 3x3 convolutions of several dilations, with biases.

    Chen et al., "DeepLab" (V2, 2016). Runs in float32 whatever the dtype policy.
    """

    def __init__(self, classes, dilations=(6, 12, 18, 24), **options):
        super().__init__(**{**options, "dtype": "float32"})
        self.classes, self.dilations = classes, tuple(dilations)
        self.convs = [
            keras.layers.Conv2D(
                classes,
                3,
                padding="same",
                dilation_rate=dilation,
                kernel_initializer=Normal(0.01),
                data_format="channels_last",
                name=f"dilation{dilation}",
                dtype="float32",
            )
            for dilation in self.dilations
        ]

    def build(self, shape):
        for conv in self.convs:
            conv.build(shape)

    def call(self, x):
        return sum(conv(x) for conv in self.convs)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.classes)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "dilations": self.dilations}
