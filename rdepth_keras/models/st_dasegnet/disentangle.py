"""ST-DASegNet's disentangling of two students' maps: what is a style's own, what both share.

Zhao et al., "Self-Training Guided Disentangled Adaptation for Cross-Domain Remote Sensing Image
Semantic Segmentation", JAG 2024, as in its release (cv516Buaa/ST-DASegNet, ``dsk_neck.py``).
"""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import Composite, Conv, Normal, register
from rdepth_keras.models.layers.resample import adaptive_average_pool


def narrow(channels: int) -> int:
    """An eighth of the channels, 8 at least."""
    return max(channels // 8, 8)


@register
class Distinct(Composite):
    """Two styles' maps (B, h, w, C) of one stage -> the same two, weighted against each other.

    In each channel of an image both weights add up to 1: the softmax over the styles of a dense
    layer each, on a narrow one, on the mean over all places of the maps' sum; nothing rectifies
    between. Kernels start with PyTorch's deviation.
    """

    def build(self, source_shape, target_shape):
        channels = source_shape[-1]
        self.hidden = self.dense(narrow(channels), channels, "hidden")
        self.source, self.target = (
            self.dense(channels, narrow(channels), name) for name in ("source", "target")
        )

    def dense(self, channels, incoming, name):
        start = Normal((3 * incoming) ** -0.5)
        policy = self.dtype_policy
        layer = keras.layers.Dense(channels, kernel_initializer=start, name=name, dtype=policy)
        layer.build((None, 1, 1, incoming))
        return layer

    def call(self, source, target):
        hidden = self.hidden(adaptive_average_pool(source + target, 1))
        share = ops.sigmoid(self.source(hidden) - self.target(hidden))  # a softmax of two
        return share * source, (1 - share) * target

    def compute_output_spec(self, source, target):
        return _like(source, source.shape[-1], self), _like(target, target.shape[-1], self)


@register
class Universal(Composite):
    """Two styles' maps (B, h, w, C) -> what both share, in each style: two maps of narrow width.

    The joint map is a 3x3 convolution and ReLU of the mean of both. Channels of a style attend to
    channels of the joint map, most to those that they are least alike over all places: a softmax
    of the negative products. The mean of both styles' attention is applied to either, and a 3x3
    convolution and ReLU follow. Attention is float32 whatever the dtype policy.
    """

    def build(self, source_shape, target_shape):
        channels = source_shape[-1]
        self.joint, self.source, self.target = (
            Conv(width, 3, kernel_initializer=Normal(), name=name, dtype=self.dtype_policy)
            for name, width in (
                ("joint", channels),
                ("source", narrow(channels)),
                ("target", narrow(channels)),
            )
        )
        for conv in (self.joint, self.source, self.target):
            conv.build(source_shape)

    def call(self, source, target):
        joint = ops.relu(self.joint((source + target) / 2))
        attention = (attend(source, joint) + attend(target, joint)) / 2
        attention = ops.cast(attention, self.compute_dtype)
        mixed = [ops.einsum("bcd,bhwd->bhwc", attention, x) for x in (source, target)]
        return ops.relu(self.source(mixed[0])), ops.relu(self.target(mixed[1]))

    def compute_output_spec(self, source, target):
        width = narrow(source.shape[-1])
        return _like(source, width, self), _like(target, width, self)


def attend(x, joint):
    """Two maps (B, h, w, C) -> float32 (B, C, C), whose rows, a channel of ``x``, add up to 1."""
    x, joint = ops.cast(x, "float32"), ops.cast(joint, "float32")
    return ops.softmax(-ops.einsum("bhwc,bhwd->bcd", x, joint), -1)


def _like(tensor, channels, layer):
    return keras.KerasTensor((*tensor.shape[:-1], channels), layer.compute_dtype)
