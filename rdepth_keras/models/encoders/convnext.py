"""ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022) as an encoder of four stages.

Paths of its variables, under the encoder's name; stages and blocks count from 1::

    stem/kernel                      4x4 convolution of stride 4
    stem_norm/gamma
    stage2_downsample_norm/gamma     before stages 2, 3, 4
    stage2_downsample/kernel         2x2 convolution of stride 2
    stage2_block4/depthwise/kernel   7x7, one kernel a channel
    stage2_block4/norm/gamma
    stage2_block4/expand/kernel      to four times the width
    stage2_block4/project/kernel     and back
    stage2_block4/scale/gamma        layer-scale
    stage2_output_norm/gamma         on the output of each stage
"""

import keras
from keras import ops

from rdepth_keras.arrays import check_count
from rdepth_keras.models.layers.basic import (
    Composite,
    DepthwiseConv,
    DropPath,
    LayerScale,
    Normal,
    refusal,
    register,
)
from rdepth_keras.models.layers.gelu import gelu
from rdepth_keras.models.layers.layer_norm import LayerNorm
from rdepth_keras.models.layers.memory import check_backend, in_parts

VARIANTS = {  # blocks and channels of the four stages; of speck no weights are published
    "atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "femto": ((2, 2, 6, 2), (48, 96, 192, 384)),
    "pico": ((2, 2, 6, 2), (64, 128, 256, 512)),
    "nano": ((2, 2, 8, 2), (80, 160, 320, 640)),
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048)),
    "speck": ((1, 1, 2, 1), (32, 64, 128, 256)),
}


@register
class ConvNeXtBlock(Composite):
    """x + drop_path(scale * mlp(norm(depthwise(x)))), the width unchanged.

    Both factors go over to what they can be had with for less: the scale to the kernel and bias of
    the projection, and what is dropped to its input. No map is written or kept for their sake.

    ``remat=True`` computes the branch a second time in the backward pass instead of keeping its
    activations: less memory, no other number. Only JAX can do it.
    """

    def __init__(self, width, drop_path=0.0, layer_scale=1.0, remat=False, **options):
        super().__init__(**options)
        self.width, self.remat = width, remat
        self.rates = {"drop_path": drop_path, "layer_scale": layer_scale}
        policy = {"dtype": self.dtype_policy}
        self.depthwise = DepthwiseConv(7, name="depthwise", **policy)
        self.norm = layer_norm("norm", **policy)
        self.expand = dense(4 * width, "expand", **policy)
        self.project = dense(width, "project", **policy)
        self.scale = LayerScale(layer_scale, name="scale", **policy)
        self.drop_path = DropPath(drop_path, name="drop_path", **policy)

    def build(self, shape):
        for layer in (self.depthwise, self.norm, self.expand, self.scale, self.drop_path):
            layer.build(shape)
        self.project.build((*shape[:-1], 4 * self.width))

    def branch(self, x, kept):
        """What is added to ``x``, but for its bias: that, too."""
        x = self.norm(self.depthwise(x))
        if self.expand.quantization_mode or self.project.quantization_mode:  # no plain kernels
            x = self.scale(self.project(gelu(self.expand(x))))
            return x if kept is None else x * kept, ops.zeros((), x.dtype)
        x = gelu(ops.matmul(x, self.expand.kernel), self.expand.bias)
        kernel, bias = self.scale(self.project.kernel), self.scale(self.project.bias)
        if kept is None:
            return ops.matmul(x, kernel), bias
        return ops.matmul(x * kept, kernel), kept * bias

    def draw(self, x):
        """The random numbers of a batch in training; drawn in the call where they are not given."""
        return self.drop_path.draw(x)

    def call(self, x, training=None, drawn=None):
        kept = self.drop_path.factor(x, training, drawn)
        branch = keras.remat(self.branch) if self.remat else self.branch
        product, bias = branch(x, kept)
        return x + bias + product

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"width": self.width, "remat": self.remat, **self.rates}
        return {**super().get_config(), **config}


@register
class ConvNeXt(Composite):
    """Map (B, H, W, C) -> a tuple of four maps at strides 4, 8, 16, 32, each after a LayerNorm.

    Any C; H and W at least 32, sizes round down from stage to stage. ``drop_path`` is the rate of
    the last block, growing linearly from 0 at the first. ``layer_scale`` starts at 1.0, as the
    paper's recipe has it (1e-6 where ConvNeXt was made); published weights replace it. ``remat``:
    see :class:`ConvNeXtBlock`. ``accumulate``: in training, the batch goes through in so many
    parts, see :mod:`rdepth_keras.models.layers.memory`.
    """

    def __init__(
        self,
        depths,
        widths,
        drop_path=0.0,
        layer_scale=1.0,
        remat=False,
        accumulate=1,
        **options,
    ):
        super().__init__(**options)
        check_backend(remat, accumulate)
        self.depths, self.widths = tuple(depths), tuple(widths)
        self.settings = {"drop_path": drop_path, "layer_scale": layer_scale, "remat": remat}
        self.accumulate = accumulate
        policy = {"dtype": self.dtype_policy}
        self.stem = patches(widths[0], 4, "stem", **policy)
        self.stem_norm = layer_norm("stem_norm", **policy)
        self.downsample_norms = [
            layer_norm(f"stage{stage}_downsample_norm", **policy) for stage in (2, 3, 4)
        ]
        self.downsamples = [
            patches(widths[stage - 1], 2, f"stage{stage}_downsample", **policy)
            for stage in (2, 3, 4)
        ]
        rates = iter(linear_rates(drop_path, sum(depths)))
        self.blocks = [
            ConvNeXtBlock(
                width, next(rates), layer_scale, remat, name=f"stage{s}_block{b}", **policy
            )
            for s, (depth, width) in enumerate(zip(depths, widths, strict=True), 1)
            for b in range(1, depth + 1)
        ]
        self.output_norms = [layer_norm(f"stage{s}_output_norm", **policy) for s in (1, 2, 3, 4)]

    @property
    def variant(self) -> str | None:
        """The name of these sizes in :data:`VARIANTS`."""
        return find_variant(VARIANTS, (self.depths, self.widths))

    def build(self, shape):
        self.stem.build(shape)
        self.stem_norm.build((*shape[:-1], self.widths[0]))
        for norm, conv, width in zip(
            self.downsample_norms, self.downsamples, self.widths, strict=False
        ):
            norm.build((*shape[:-1], width))
            conv.build((*shape[:-1], width))
        stages = split_stages(self.blocks, self.depths)
        for blocks, norm, width in zip(stages, self.output_norms, self.widths, strict=True):
            for layer in (*blocks, norm):
                layer.build((*shape[:-1], width))

    def call(self, x, training=None):
        check_size(x.shape[1:3])
        if not training:
            return self.encode(x)
        return in_parts(self.encode, self.accumulate, x, [block.draw(x) for block in self.blocks])

    def encode(self, x, drawn=None):
        """The four maps; in training with what the blocks drew."""
        draws, training = iter(drawn or [None] * len(self.blocks)), drawn is not None
        x = self.stem_norm(self.stem(x))
        features = []
        for stage, blocks in enumerate(split_stages(self.blocks, self.depths)):
            if stage > 0:
                x = self.downsamples[stage - 1](self.downsample_norms[stage - 1](x))
            for block in blocks:
                x = block(x, training=training, drawn=next(draws))
            features.append(self.output_norms[stage](x))
        return tuple(features)

    def compute_output_shape(self, shape):
        batch, *size, _ = shape
        return tuple(
            (batch, *(None if side is None else side // stride for side in size), width)
            for stride, width in zip((4, 8, 16, 32), self.widths, strict=True)
        )

    def get_config(self):
        config = {"depths": self.depths, "widths": self.widths, "accumulate": self.accumulate}
        return {**super().get_config(), **config, **self.settings}


def convnext(variant: str | None = None, *, depths=None, widths=None, **options) -> ConvNeXt:
    """A ConvNeXt by the name of its variant, or of given ``depths`` and ``widths``.

    Raises ValueError for an unknown name, or sizes that are not four numbers from 1 on each.
    """
    if variant is not None:
        if variant not in VARIANTS:
            raise ValueError(f"Unknown ConvNeXt {variant!r}; known are {', '.join(VARIANTS)}.")
        depths, widths = VARIANTS[variant]
    if len(depths or ()) != 4 or len(widths or ()) != 4:
        raise ValueError(
            "A ConvNeXt needs the depths and widths of four stages, or the name of a variant; "
            f"received depths {depths} and widths {widths}."
        )
    for size in (*depths, *widths):
        check_count("Each of depths and widths", size)
    return ConvNeXt(depths, widths, **options)


def find_variant(variants, sizes) -> str | None:
    """The name of ``sizes`` in a table of variants; None where it has none."""
    return next((name for name, known in variants.items() if known == sizes), None)


def split_stages(blocks, depths) -> list[list]:
    """All blocks in one list -> those of each stage.

    Encoders keep one flat list, since Keras before 3.15 silently saves no layers in nested ones.
    """
    rest = iter(blocks)
    return [[next(rest) for _ in range(depth)] for depth in depths]


def linear_rates(last: float, count: int) -> list[float]:
    """``count`` rates from 0 to ``last``."""
    return [last * index / max(count - 1, 1) for index in range(count)]


def check_size(size, least: int = 32) -> None:
    """Raise ValueError where a map is too small for four stages."""
    if any(side is not None and side < least for side in size):
        raise refusal(
            f"Height and width must be at least {least} pixels; received {size[0]} x {size[1]}. "
            "Enlarge or pad the image."
        )


def layer_norm(name, **options):
    return LayerNorm(epsilon=1e-6, name=name, **options)


def dense(channels, name, **options):
    return keras.layers.Dense(channels, kernel_initializer=Normal(0.02), name=name, **options)


def patches(channels, size, name, **options):
    """A convolution whose windows meet without overlap; rest pixels are dropped, as in PyTorch."""
    return keras.layers.Conv2D(
        channels,
        size,
        strides=size,
        padding="valid",
        kernel_initializer=Normal(0.02),
        data_format="channels_last",
        name=name,
        **options,
    )
