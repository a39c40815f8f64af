"""Convolutions beside the plain one: strided with PyTorch's padding, depthwise, separable."""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import BatchNorm, Composite, ConvBlock, Normal, register
from rdepth_keras.models.layers.dense import dense_conv
from rdepth_keras.models.layers.depthwise import depthwise_conv


@register
class PaddedConv(keras.layers.Conv2D):
    """Convolution of an odd kernel, padded by dilation * (size - 1) / 2 on every side.

    A map of side n comes out with side ceil(n / stride), as in PyTorch; Keras's own ``"same"``
    padding would shift strided maps by a pixel.
    """

    def __init__(self, filters, kernel_size, strides=1, *, use_bias=False, **options):
        fixed = {"padding": "valid", "data_format": "channels_last"}
        options = {"kernel_initializer": Normal(), **options, **fixed}
        super().__init__(filters, kernel_size, strides, use_bias=use_bias, **options)

    @property
    def margins(self):
        pairs = zip(self.kernel_size, self.dilation_rate, strict=True)
        return [dilation * (size - 1) // 2 for size, dilation in pairs]

    def convolution_op(self, inputs, kernel):
        if self.strides == (1, 1):
            return dense_conv(inputs, kernel, self.dilation_rate)
        rows, columns = self.margins
        padded = ops.pad(inputs, ((0, 0), (rows, rows), (columns, columns), (0, 0)))
        return super().convolution_op(padded, kernel)

    def compute_output_shape(self, shape):
        batch, *size, _ = shape
        size = (halve(side, stride) for side, stride in zip(size, self.strides, strict=True))
        return (batch, *size, self.filters)


@register
class DepthwiseBlock(Composite):
    """Depthwise convolution without bias, batch normalisation, ReLU."""

    def __init__(self, kernel_size=3, dilation=1, **options):
        super().__init__(**options)
        self.kernel_size, self.dilation = kernel_size, dilation
        self.norm = BatchNorm(name="norm", dtype=self.dtype_policy)

    def build(self, shape):
        size = (self.kernel_size, self.kernel_size, 1, shape[-1])
        self.kernel = self.add_weight(shape=size, initializer=Normal(), name="kernel")
        self.norm.build(shape)

    def call(self, x, training=None):
        x = depthwise_conv(x, self.kernel, self.dilation)
        return ops.relu(self.norm(x, training=training))

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"kernel_size": self.kernel_size, "dilation": self.dilation}
        return {**super().get_config(), **config}


@register
class SeparableBlock(Composite):
    """A depthwise 3x3 block, then a 1x1 block to ``channels`` (Chen et al., DeepLabV3+, 2018)."""

    def __init__(self, channels, dilation=1, **options):
        super().__init__(**options)
        self.channels, self.dilation = channels, dilation
        self.depthwise = DepthwiseBlock(3, dilation, name="depthwise", dtype=self.dtype_policy)
        self.pointwise = ConvBlock(channels, 1, name="pointwise", dtype=self.dtype_policy)

    def build(self, shape):
        self.depthwise.build(shape)
        self.pointwise.build(shape)

    def call(self, x, training=None):
        return self.pointwise(self.depthwise(x, training=training), training=training)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "dilation": self.dilation}


def halve(side: int | None, stride: int = 2) -> int | None:
    """Side of a map after a padded convolution of that stride: rounded up."""
    return None if side is None else -(-side // stride)
