"""Layers that several networks share.

Everything is channels-last and uses ``keras.ops`` only, so any Keras backend runs it. Numbers that
differ between frameworks follow PyTorch, where the published weights come from.
"""

import random
from math import prod
from typing import Any

import keras
import numpy as np
from keras import ops

from rdepth_keras.models.layers.batch_statistics import from_the_batch
from rdepth_keras.models.layers.dense import dense_conv
from rdepth_keras.models.layers.depthwise import depthwise_conv

IMAGE_MEAN = (123.675, 116.28, 103.53)  # ImageNet, RGB 0..255
IMAGE_STD = (58.395, 57.12, 57.375)
DEPTH_MEAN = tuple(mean / 255 for mean in IMAGE_MEAN)  # of depth in [0, 1], as a grey image
DEPTH_STD = tuple(std / 255 for std in IMAGE_STD)

register = keras.saving.register_keras_serializable("rdepth_keras")


@register
class Normal(keras.initializers.Initializer):
    """Normal numbers drawn by NumPy: the same on every backend, and nothing to compile.

    Their deviation is ``std``; where that is None, sqrt(2 / outgoing connections) (He et al.,
    2015) for a kernel (..., in, out). Without a ``seed``, one comes from Python's generator,
    which ``keras.utils.set_random_seed`` sets.
    """

    def __init__(self, std=None, seed=None):
        self.std = std
        self.seed = random.randrange(2**31) if seed is None else seed

    def __call__(self, shape, dtype=None):
        std = self.std or (2 / (prod(shape[:-2]) * shape[-1])) ** 0.5
        numbers = np.random.default_rng(self.seed).standard_normal(shape, np.float32)
        return ops.convert_to_tensor(numbers * np.float32(std), dtype=dtype)

    def get_config(self):
        return {"std": self.std, "seed": self.seed}


def refusal(message: str) -> ValueError:
    """An error for ``raise`` inside a layer's ``call``, which Keras leaves as it is.

    Others it spreads over several lines, the arguments of the call among them.
    """
    error: Any = ValueError(message)
    error._keras_call_info_injected = True
    return error


class Composite(keras.Layer):
    """A layer made of layers: one that is not to train tells its parts, in whatever order.

    Keras tells the parts there are. Those of a layer that is loaded or cloned come after it was
    told itself, and would train.
    """

    def _post_build(self):
        super()._post_build()
        if not self.trainable:
            self.trainable = False


@register
class Normalise(keras.Layer):
    """Subtract ``mean`` and divide by ``std``, one number a channel; always in float32.

    Refuses another number of ``channels`` than that, or another batch, height and width than those
    of ``like``. A map of one channel, if that is said, comes out as one of as many as there are
    numbers: the same map, normalised by each of them.
    """

    def __init__(self, mean, std, channels=None, **options):
        super().__init__(**{**options, "dtype": "float32"})
        self.mean, self.std = tuple(mean), tuple(std)
        self.channels = channels or len(self.mean)

    def call(self, x, like=None):
        if x.shape[-1] != self.channels:
            raise refusal(
                f"{self.name} takes {self.channels} channels; received {x.shape[-1]}, in the "
                f"shape {tuple(x.shape)}. Images are (B, H, W, 3), depth maps (B, H, W, 1)."
            )
        sizes = zip(x.shape[:3], x.shape[:3] if like is None else like.shape[:3], strict=True)
        if any(None not in pair and pair[0] != pair[1] for pair in sizes):
            raise refusal(
                "Each image takes one depth map of its height and width, (B, H, W, 1) beside "
                f"(B, H, W, 3); received {tuple(x.shape)} beside {tuple(like.shape)}. Resize it, "
                "or give one for each."
            )
        return (ops.cast(x, "float32") - ops.array(self.mean)) / ops.array(self.std)

    def compute_output_shape(self, x_shape, like_shape=None):
        return (*x_shape[:-1], len(self.mean))

    def get_config(self):
        config = {"mean": self.mean, "std": self.std, "channels": self.channels}
        return {**super().get_config(), **config}


@register
class DepthwiseConv(keras.Layer):
    """Depthwise convolution with a bias, stride 1, padded to the input's size."""

    def __init__(self, kernel_size=7, dilation=1, **options):
        super().__init__(**options)
        self.kernel_size, self.dilation = kernel_size, dilation

    def build(self, shape):
        size = (self.kernel_size, self.kernel_size, 1, shape[-1])
        self.kernel = self.add_weight(shape=size, initializer=Normal(0.02), name="kernel")
        self.bias = self.add_weight(shape=shape[-1:], initializer="zeros", name="bias")

    def call(self, x):
        return depthwise_conv(x, self.kernel, self.dilation) + self.bias

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"kernel_size": self.kernel_size, "dilation": self.dilation}
        return {**super().get_config(), **config}


@register
class DropPath(keras.Layer):
    """Stochastic depth (Huang et al., 2016): drop a residual branch for whole examples.

    In training an example's branch is zero with probability ``rate``, else divided by 1 - rate.
    """

    def __init__(self, rate=0.0, seed=None, **options):
        super().__init__(**options)
        self.rate, self.seed = rate, seed

    def build(self, shape):
        if self.rate > 0:  # made here and not above, where it would have no path of its own
            self.seed_generator = keras.random.SeedGenerator(self.seed, name="seed")

    def draw_shape(self, x):
        return (ops.shape(x)[0], 1, 1, 1)

    def draw(self, x):
        """What a batch is to be multiplied by, 0 or 1 / (1 - rate); None where the rate is 0."""
        if self.rate == 0:
            return None
        keep = 1 - self.rate
        noise = keras.random.uniform(self.draw_shape(x), seed=self.seed_generator)
        return ops.floor(noise + keep) / keep

    def factor(self, x, training=None, drawn=None):
        """What ``x`` is multiplied by, in its dtype; None where nothing is dropped.

        ``drawn``: by :meth:`draw`, in training; None draws now.
        """
        if not training or self.rate == 0:
            return None
        return ops.cast(self.draw(x) if drawn is None else drawn, x.dtype)

    def call(self, x, training=None, drawn=None):
        factor = self.factor(x, training, drawn)
        return x if factor is None else x * factor

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@register
class DropChannels(DropPath):
    """Dropout of whole channels of an example (Tompson et al., 2015), as before a classifier."""

    def draw_shape(self, x):
        return (ops.shape(x)[0], 1, 1, x.shape[-1])


@register
class LayerScale(keras.Layer):
    """A learnt factor for each channel (Touvron et al., 2021), ``initial`` at the start."""

    def __init__(self, initial=1.0, **options):
        super().__init__(**options)
        self.initial = initial

    def build(self, shape):
        initializer = keras.initializers.Constant(self.initial)
        self.gamma = self.add_weight(shape=shape[-1:], initializer=initializer, name="gamma")

    def call(self, x):
        """Of a map, or of the kernel or bias that makes it."""
        return x * self.gamma

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {**super().get_config(), "initial": self.initial}


@register
class BatchNorm(keras.layers.BatchNormalization):
    """Batch normalisation with PyTorch's numbers: epsilon 1e-5, and 0.9 of the old statistics
    kept a step; the running variance is the unbiased one, which matters for pooled maps of a few
    pixels. Statistics are taken in float32 over the whole batch, across devices, too.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, **options):
        super().__init__(momentum=momentum, epsilon=epsilon, **options)

    def call(self, x, training=None):
        x = ops.cast(x, "float32")
        mean, variance = self.moving_mean, self.moving_variance
        if from_the_batch(training) and self.trainable:
            mean, variance = ops.moments(x, axes=(0, 1, 2))
            count = ops.cast(ops.prod(ops.shape(x)[:3]), "float32")
            unbiased = variance * count / ops.maximum(count - 1, 1)
            for moving, now in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
                moving.assign(self.momentum * moving + (1 - self.momentum) * now)
        x = ops.batch_normalization(
            x, mean, variance, -1, offset=self.beta, scale=self.gamma, epsilon=self.epsilon
        )
        return ops.cast(x, self.compute_dtype)


@register
class Conv(keras.layers.Conv2D):
    """Convolution of stride 1, padded to the input's size."""

    def __init__(self, filters, kernel_size, **options):
        fixed = {"strides": 1, "padding": "same", "data_format": "channels_last"}
        super().__init__(filters, kernel_size, **{**options, **fixed})

    def convolution_op(self, inputs, kernel):
        return dense_conv(inputs, kernel, self.dilation_rate)


@register
class ConvBlock(Composite):
    """Convolution without bias, batch normalisation, ReLU; stride 1, padded to the input's size."""

    def __init__(self, channels, kernel_size=3, dilation=1, **options):
        super().__init__(**options)
        self.channels, self.kernel_size, self.dilation = channels, kernel_size, dilation
        options = {"use_bias": False, "kernel_initializer": Normal(), "name": "conv"}
        options["dtype"] = self.dtype_policy
        if kernel_size == 1:  # twice as fast on a CPU
            self.conv = keras.layers.Dense(channels, **options)
        else:
            self.conv = Conv(channels, kernel_size, dilation_rate=dilation, **options)
        self.norm = BatchNorm(name="norm", dtype=self.dtype_policy)

    def build(self, shape):
        self.conv.build(shape)
        self.norm.build((*shape[:-1], self.channels))

    def call(self, x, training=None):
        return ops.relu(self.norm(self.conv(x), training=training))

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.channels)

    def get_config(self):
        config = {
            "channels": self.channels,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
        }
        return {**super().get_config(), **config}
