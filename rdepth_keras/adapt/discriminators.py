"""The critics of adversarial adaptation: networks that tell which domain a map comes from.

All take ``{"map": (B, h, w, C)}`` and have no state; those of patches and classes have no
normalisation and start as PyTorch's convolutions do, kernels and biases. Their logits are float32
whatever the dtype policy.
"""

from itertools import pairwise
from math import prod

import keras
import numpy as np
from keras import layers, ops

from rdepth_keras.models.layers.basic import Conv, Normal, refusal, register
from rdepth_keras.models.layers.convolutions import PaddedConv
from rdepth_keras.network import Network

SLOPE = 0.2  # of the leaky rectifiers


@register
class Uniform(keras.initializers.Initializer):
    """PyTorch's default for kernel and bias: uniform within 1 / sqrt(incoming connections).

    ``incoming`` None takes the shape's, of a kernel (..., in, out); a bias needs them said. That is
    He et al.'s bound (2015) for a leaky rectifier of slope sqrt(5).
    """

    def __init__(self, seed, incoming=None):
        self.seed, self.incoming = seed, incoming

    def __call__(self, shape, dtype=None):
        bound = (self.incoming or prod(shape[:-1])) ** -0.5
        numbers = np.random.default_rng(self.seed).uniform(-bound, bound, shape)
        return ops.convert_to_tensor(numbers.astype(np.float32), dtype=dtype)

    def get_config(self):
        return {"seed": self.seed, "incoming": self.incoming}


@register
class Halving(PaddedConv):
    """Convolution 4x4 of stride 2, padded by one pixel on every side: side n -> n // 2."""

    def __init__(self, filters, **options):
        fixed = {"kernel_size": 4, "strides": 2}
        super().__init__(filters, **{"use_bias": True, **options, **fixed})

    def call(self, x):
        if any(side is not None and side < 2 for side in x.shape[1:3]):
            raise refusal(
                f"The critic's {self.name} cannot halve a map of {x.shape[1]} x {x.shape[2]}. Use "
                "a larger --crop, or fewer --method.widths."
            )
        return super().call(x)

    def compute_output_shape(self, shape):
        batch, *size, _ = shape
        return (batch, *(None if side is None else side // 2 for side in size), self.filters)


@register
class Sliding(layers.Conv2D):
    """Convolution 4x4 of stride 1, padded by one pixel on every side: side n -> n - 1."""

    def __init__(self, filters, **options):
        fixed = {"kernel_size": 4, "padding": "valid", "data_format": "channels_last"}
        super().__init__(filters, **{**options, **fixed})

    def call(self, x):
        if any(side is not None and side < 2 for side in x.shape[1:3]):
            raise refusal(
                f"The critic's {self.name} finds nothing left of a map of {x.shape[1]} x "
                f"{x.shape[2]}. Use a larger --crop, or fewer --method.widths or halvings."
            )
        return super().call(ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))

    def compute_output_shape(self, shape):
        batch, *size, _ = shape
        return (batch, *(None if side is None else side - 1 for side in size), self.filters)


def patch_critic(
    name: str, channels: int, widths: tuple[int, ...], *, seed: int, dtype=None
) -> Network:
    """A verdict, one logit, for each patch of a map: (B, h / 2^n, w / 2^n, 1), rounded down.

    The discriminator of Tsai et al. (AdaptSegNet, CVPR 2018), after DCGAN: n = len(widths) + 1
    convolutions 4x4 of stride 2, padded by one pixel on every side, leaky rectifiers between.
    """
    map_ = keras.Input((None, None, channels), name="map")
    x, seeds = map_, _seeds(name, seed)
    for index, (before, width) in enumerate(pairwise((channels, *widths, 1)), 1):
        last = index > len(widths)
        options = _uniform(seeds, 16 * before)
        policy = "float32" if last else dtype
        x = Halving(width, name=f"conv{index}", dtype=policy, **options)(x)
        x = x if last else layers.LeakyReLU(SLOPE, name=f"leaky{index}", dtype=dtype)(x)
    return Network(keras.Model({"map": map_}, x, name=name))


def style_critic(
    name: str, channels: int, widths: tuple[int, ...], halvings: int, *, seed: int, dtype=None
) -> Network:
    """A verdict, one logit, for each patch of a feature map that a student made.

    The discriminator of Zhao et al. (ST-DASegNet, JAG 2024): len(widths) + 1 convolutions 4x4 of
    stride 2, the first ``halvings``, or 1, the others; leaky rectifiers between, and, but before
    the first of them, normalisation of each channel of an image. Convolutions before it have no
    bias, which it would take away. Kernels but the last start normal, for leaky rectifiers (He et
    al., 2015, by outgoing connections), biases at 0; the last starts as PyTorch's.
    """
    map_ = keras.Input((None, None, channels), name="map")
    x, seeds = map_, _seeds(name, seed)
    for index, width in enumerate(widths, 1):
        start = Normal((2 / (1 + SLOPE**2) / (16 * width)) ** 0.5, int(seeds.integers(2**31)))
        options = {"kernel_initializer": start, "use_bias": index == 1, "dtype": dtype}
        x = _halving_or_sliding(index, halvings)(width, name=f"conv{index}", **options)(x)
        if index > 1:
            x = layers.GroupNormalization(
                -1, epsilon=1e-5, center=False, scale=False, name=f"norm{index}", dtype=dtype
            )(x)
        x = layers.LeakyReLU(SLOPE, name=f"leaky{index}", dtype=dtype)(x)
    index, options = len(widths) + 1, _uniform(seeds, 16 * (channels, *widths)[-1])
    last = _halving_or_sliding(index, halvings)
    x = last(1, name=f"conv{index}", dtype="float32", **options)(x)
    return Network(keras.Model({"map": map_}, x, name=name))


def _halving_or_sliding(index: int, halvings: int) -> type[Halving] | type[Sliding]:
    return Halving if index <= halvings else Sliding


def class_critic(
    name: str, channels: int, classes: int, widths: tuple[int, ...], *, seed: int, dtype=None
) -> Network:
    """Logits of class and domain for each place of a feature map: (B, h, w, 2 * classes).

    The first ``classes`` are the source's. The discriminator of Wang et al. (FADA, ECCV 2020): 3x3
    convolutions of stride 1, leaky rectifiers between, the last one twice, for a domain each.
    """
    map_ = keras.Input((None, None, channels), name="map")
    x, seeds = map_, _seeds(name, seed)
    for index, (before, width) in enumerate(pairwise((channels, *widths)), 1):
        options = _uniform(seeds, 9 * before)
        x = Conv(width, 3, name=f"conv{index}", dtype=dtype, **options)(x)
        x = layers.LeakyReLU(SLOPE, name=f"leaky{index}", dtype=dtype)(x)
    last = (channels, *widths)[-1]
    verdicts = [
        Conv(classes, 3, name=domain, dtype="float32", **_uniform(seeds, 9 * last))(x)
        for domain in ("source", "target")
    ]
    both = layers.Concatenate(name="both", dtype="float32")(verdicts)
    return Network(keras.Model({"map": map_}, both, name=name))


def _seeds(name: str, seed: int) -> np.random.Generator:
    """Draws the seeds of a critic's variables; critics of other names start otherwise."""
    return np.random.default_rng([seed, *name.encode()])


def _uniform(seeds: np.random.Generator, incoming: int) -> dict[str, Uniform]:
    kernel, bias = (int(value) for value in seeds.integers(2**31, size=2))
    return {
        "kernel_initializer": Uniform(kernel),
        "bias_initializer": Uniform(bias, incoming),
    }
