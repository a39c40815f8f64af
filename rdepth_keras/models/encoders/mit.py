"""Mix Transformer (Xie et al., "SegFormer", NeurIPS 2021) as an encoder of four stages.

All layer norms have epsilon 1e-5, as in transformers' SegformerModel; the original code has 1e-6
inside the blocks and after the stages.

Paths of its variables, under the encoder's name; stages and blocks count from 1::

    stage2_patches/kernel, stage2_patches_norm/gamma   7x7 of stride 4, then 3x3 of stride 2
    stage2_block1/attention_norm/gamma
    stage2_block1/attention/query/kernel               and key, value, project
    stage2_block1/attention/reduce/kernel, /reduce_norm/gamma
    stage2_block1/expand_norm/gamma
    stage2_block1/expand/kernel, /depthwise/kernel, /project/kernel
    stage2_output_norm/gamma
"""

import keras
from keras import ops

from rdepth_keras.models.encoders.convnext import (
    check_size,
    dense,
    find_variant,
    linear_rates,
    patches,
    split_stages,
)
from rdepth_keras.models.layers.basic import Composite, DepthwiseConv, DropPath, Normal, register
from rdepth_keras.models.layers.convolutions import PaddedConv, halve
from rdepth_keras.models.layers.gelu import gelu
from rdepth_keras.models.layers.layer_norm import LayerNorm
from rdepth_keras.models.layers.memory import check_backend, in_parts

VARIANTS = {  # blocks and channels of the four stages
    "mit_b0": ((2, 2, 2, 2), (32, 64, 160, 256)),
    "mit_b1": ((2, 2, 2, 2), (64, 128, 320, 512)),
    "mit_b2": ((3, 4, 6, 3), (64, 128, 320, 512)),
    "mit_b3": ((3, 4, 18, 3), (64, 128, 320, 512)),
    "mit_b4": ((3, 8, 27, 3), (64, 128, 320, 512)),
    "mit_b5": ((3, 6, 40, 3), (64, 128, 320, 512)),
}
HEADS = (1, 2, 5, 8)  # of each stage
REDUCTIONS = (8, 4, 2, 1)  # of the sides of the map that keys and values come from
EXPANSION = 4  # of the width, between the two layers after the attention


@register
class EfficientAttention(Composite):
    """Self-attention over all places of a map; keys and values from a smaller map."""

    def __init__(self, width, heads, reduction=1, **options):
        super().__init__(**options)
        self.width, self.heads, self.reduction = width, heads, reduction
        policy = self.dtype_policy
        self.query, self.key, self.value, self.project = (
            dense(width, name, dtype=policy) for name in ("query", "key", "value", "project")
        )
        self.reduce = []
        if reduction > 1:
            conv = patches(width, reduction, "reduce", dtype=policy)
            self.reduce = [conv, layer_norm("reduce_norm", dtype=policy)]

    def build(self, shape):
        for layer in (self.query, self.key, self.value, self.project, *self.reduce):
            layer.build(shape)

    def call(self, x):
        small = x
        for layer in self.reduce:
            small = layer(small)
        query, key, value = self.query(x), self.key(small), self.value(small)
        attended = ops.nn.dot_product_attention(*map(self.split_heads, (query, key, value)))
        return self.project(ops.reshape(attended, (-1, *x.shape[1:])))

    def split_heads(self, x):
        """(B, h, w, C) -> (B, h * w, heads, C / heads)."""
        return ops.reshape(x, (-1, x.shape[1] * x.shape[2], self.heads, self.width // self.heads))

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"width": self.width, "heads": self.heads, "reduction": self.reduction}
        return {**super().get_config(), **config}


@register
class MiTBlock(Composite):
    """Attention, then two dense layers with a depthwise 3x3 between them; both residual.

    ``remat=True`` computes both branches a second time in the backward pass instead of keeping
    their activations: less memory, no other number. Only JAX can do it.
    """

    def __init__(self, width, heads, reduction=1, drop_path=0.0, remat=False, **options):
        super().__init__(**options)
        self.width, self.remat = width, remat
        self.settings = {"heads": heads, "reduction": reduction, "drop_path": drop_path}
        policy = self.dtype_policy
        self.attention_norm = layer_norm("attention_norm", dtype=policy)
        self.attention = EfficientAttention(width, heads, reduction, name="attention", dtype=policy)
        self.expand_norm = layer_norm("expand_norm", dtype=policy)
        self.expand = dense(EXPANSION * width, "expand", dtype=policy)
        self.depthwise = DepthwiseConv(3, name="depthwise", dtype=policy)
        self.project = dense(width, "project", dtype=policy)
        self.drops = [DropPath(drop_path, name=f"drop_path{i}", dtype=policy) for i in (1, 2)]

    def build(self, shape):
        narrow = (self.attention_norm, self.attention, self.expand_norm, self.expand, *self.drops)
        for layer in narrow:
            layer.build(shape)
        for layer in (self.depthwise, self.project):
            layer.build((*shape[:-1], EXPANSION * self.width))

    def attend(self, x):
        return self.attention(self.attention_norm(x))

    def transform(self, x):
        x = self.depthwise(self.expand(self.expand_norm(x)))
        return self.project(gelu(x))

    def draw(self, x):
        """The random numbers of a batch in training; drawn in the call where they are not given."""
        return [drop.draw(x) for drop in self.drops]

    def call(self, x, training=None, drawn=None):
        branches = (self.attend, self.transform)
        for branch, drop, numbers in zip(branches, self.drops, drawn or (None, None), strict=True):
            branch = keras.remat(branch) if self.remat else branch
            x = x + drop(branch(x), training=training, drawn=numbers)
        return x

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        config = {"width": self.width, "remat": self.remat, **self.settings}
        return {**super().get_config(), **config}


@register
class MiT(Composite):
    """Map (B, H, W, C) -> a tuple of four maps at strides 4, 8, 16, 32, each after a LayerNorm.

    Any C; H and W at least 32, sides are rounded up from stage to stage. ``drop_path`` is the rate
    of the last block, growing linearly from 0 at the first. ``remat``: see :class:`MiTBlock`.
    ``accumulate``: in training, the batch goes through in so many parts, see
    :mod:`rdepth_keras.models.layers.memory`.
    """

    def __init__(self, depths, widths, drop_path=0.0, remat=False, accumulate=1, **options):
        super().__init__(**options)
        check_backend(remat, accumulate)
        self.depths, self.widths, self.accumulate = tuple(depths), tuple(widths), accumulate
        self.settings = {"drop_path": drop_path, "remat": remat}
        policy = self.dtype_policy
        rates = iter(linear_rates(drop_path, sum(depths)))
        self.patches, self.patch_norms, self.blocks, self.output_norms = [], [], [], []
        for index, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            stage, sizes = f"stage{index + 1}", (7, 4) if index == 0 else (3, 2)
            self.patches.append(
                overlapping_patches(width, *sizes, f"{stage}_patches", dtype=policy)
            )
            self.patch_norms.append(layer_norm(f"{stage}_patches_norm", dtype=policy))
            arguments = (width, HEADS[index], REDUCTIONS[index])
            self.blocks += [
                MiTBlock(*arguments, next(rates), remat, name=f"{stage}_block{b}", dtype=policy)
                for b in range(1, depth + 1)
            ]
            self.output_norms.append(layer_norm(f"{stage}_output_norm", dtype=policy))

    @property
    def variant(self) -> str | None:
        """The name of these sizes in :data:`VARIANTS`."""
        return find_variant(VARIANTS, (self.depths, self.widths))

    @property
    def stages(self):
        blocks = split_stages(self.blocks, self.depths)
        parts = (self.patches, self.patch_norms, blocks, self.output_norms)
        return zip(*parts, strict=True)

    def build(self, shape):
        for conv, conv_norm, blocks, norm in self.stages:
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
            for layer in (conv_norm, *blocks, norm):
                layer.build(shape)

    def call(self, x, training=None):
        if not training:
            return self.encode(x)
        return in_parts(self.encode, self.accumulate, x, [block.draw(x) for block in self.blocks])

    def encode(self, x, drawn=None):
        """The four maps; in training with what the blocks drew."""
        draws, training = iter(drawn or [None] * len(self.blocks)), drawn is not None
        features = []
        for conv, conv_norm, blocks, norm in self.stages:
            x = conv_norm(conv(x))
            for block in blocks:
                x = block(x, training=training, drawn=next(draws))
            x = norm(x)
            features.append(x)
        return tuple(features)

    def compute_output_shape(self, shape):
        batch, *size, _ = shape
        check_size(size)
        return tuple(
            (batch, *(halve(side, stride) for side in size), width)
            for stride, width in zip((4, 8, 16, 32), self.widths, strict=True)
        )

    def get_config(self):
        config = {"depths": self.depths, "widths": self.widths, "accumulate": self.accumulate}
        return {**super().get_config(), **config, **self.settings}


def mit(variant: str, **options) -> MiT:
    """A MiT by the name of its variant, a name of :data:`VARIANTS`."""
    return MiT(*VARIANTS[variant], **options)


def layer_norm(name, **options):
    return LayerNorm(epsilon=1e-5, name=name, **options)


def overlapping_patches(channels, size, stride, name, **options):
    initializer = Normal()  # He's deviation, as in the original
    return PaddedConv(
        channels, size, stride, use_bias=True, kernel_initializer=initializer, name=name, **options
    )
