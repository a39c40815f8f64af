"""ResNet (He et al., CVPR 2016) as an encoder of four stages, with dilation for dense prediction.

The stride of a block sits in its 3x3 convolution, as in torchvision ("v1.5"). The deep stem of
three 3x3 convolutions is that of "v1c" (He et al., "Bag of Tricks", CVPR 2019).

Paths of its variables, under the encoder's name; all counts start from 1::

    stem1/kernel, stem_norm1/gamma           stem2, stem3 in the deep stem
    stage2_block4/conv1/kernel, /norm1/gamma 1x1, 3x3 and 1x1 convolutions
    stage2_block1/shortcut/kernel, /shortcut_norm/gamma
"""

from collections.abc import Callable

import keras
from keras import ops

from rdepth_keras.models.encoders.convnext import (
    check_size,
    find_variant,
    linear_rates,
    split_stages,
)
from rdepth_keras.models.layers.basic import BatchNorm, Composite, DropPath, register
from rdepth_keras.models.layers.convolutions import PaddedConv, halve

VARIANTS = {  # blocks of the four stages; of resnet14 no weights are published
    "resnet14": (1, 1, 1, 1),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
}
EXPANSION = 4  # a block's output has so many times its width
Norm = Callable[..., keras.Layer]  # name, dtype -> layer


@register
class Bottleneck(Composite):
    """relu(shortcut(x) + drop_path(branch(x))) with a branch of 1x1, 3x3 and 1x1 convolutions."""

    def __init__(
        self, width, stride=1, dilation=1, project=False, drop_path=0.0, norm=BatchNorm, **options
    ):
        super().__init__(**options)
        self.norm = _norm_class(norm)
        self.settings = {
            "width": width,
            "stride": stride,
            "dilation": dilation,
            "project": project,
            "drop_path": drop_path,
        }
        policy = self.dtype_policy
        self.convs = [
            PaddedConv(width, 1, name="conv1", dtype=policy),
            PaddedConv(width, 3, stride, dilation_rate=dilation, name="conv2", dtype=policy),
            PaddedConv(EXPANSION * width, 1, name="conv3", dtype=policy),
        ]
        self.norms = [self.norm(name=f"norm{index}", dtype=policy) for index in (1, 2, 3)]
        self.shortcut = []
        if project:
            conv = PaddedConv(EXPANSION * width, 1, stride, name="shortcut", dtype=policy)
            self.shortcut = [conv, self.norm(name="shortcut_norm", dtype=policy)]
        self.drop_path = DropPath(drop_path, name="drop_path", dtype=policy)

    def build(self, shape):
        x = shape
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build(x)
            x = conv.compute_output_shape(x)
            norm.build(x)
        for layer, size in zip(self.shortcut, (shape, x), strict=False):
            layer.build(size)
        self.drop_path.build(x)

    def call(self, x, training=None):
        branch = x
        for conv, norm in zip(self.convs[:2], self.norms, strict=False):
            branch = ops.relu(norm(conv(branch), training=training))
        branch = self.norms[2](self.convs[2](branch), training=training)
        if self.shortcut:
            conv, norm = self.shortcut
            x = norm(conv(x), training=training)
        return ops.relu(x + self.drop_path(branch, training=training))

    def compute_output_shape(self, shape):
        return self.convs[2].compute_output_shape(self.convs[1].compute_output_shape(shape))

    def get_config(self):
        norm = keras.saving.get_registered_name(self.norm)
        return {**super().get_config(), **self.settings, "norm": norm}


@register
class ResNet(Composite):
    """Map (B, H, W, C) -> a tuple of four maps with 4, 8, 16 and 32 times ``width`` channels.

    ``output_stride`` is the largest stride: where a stage would exceed it, its stride becomes
    dilation. The first block of such a stage keeps the dilation of the stage before it
    (``contracted=True``: torchvision, timm, mmsegmentation's d8) or takes its own. ``norm`` makes
    the normalisations from a name and a dtype: :class:`BatchNorm`, or a domain-wise one such as
    :class:`~rdepth_keras.models.layers.domain_norm.TransNorm`. Sides are rounded up from stage to
    stage.
    """

    def __init__(
        self,
        depths,
        width=64,
        deep_stem=False,
        output_stride=32,
        contracted=True,
        drop_path=0.0,
        norm=BatchNorm,
        remat=False,
        accumulate=1,
        **options,
    ):
        super().__init__(**options)
        if remat:
            raise ValueError("A ResNet has no remat: its batch norms keep state. Use remat=False.")
        if accumulate != 1:
            raise ValueError(
                "A ResNet cannot take its batch in parts: its batch norms need the statistics of "
                "the whole. Use accumulate=1, or an encoder without batch norm (ConvNeXt, MiT)."
            )
        self.depths, self.width, self.norm = tuple(depths), width, _norm_class(norm)
        self.settings = {
            "deep_stem": deep_stem,
            "output_stride": output_stride,
            "contracted": contracted,
            "drop_path": drop_path,
        }
        policy = self.dtype_policy
        sizes = ((width // 2, 3, 2), (width // 2, 3), (width, 3)) if deep_stem else ((width, 7, 2),)
        self.stem = [
            PaddedConv(*size, name=f"stem{i}", dtype=policy) for i, size in enumerate(sizes, 1)
        ]
        self.stem_norms = [
            self.norm(name=f"stem_norm{i}", dtype=policy) for i in range(1, len(sizes) + 1)
        ]
        rates = iter(linear_rates(drop_path, sum(depths)))
        plan = stage_plan(output_stride, contracted)
        self.blocks = [
            Bottleneck(
                width * 2 ** (s - 1),
                stride if b == 1 else 1,
                first_dilation if b == 1 else dilation,
                project=b == 1,
                drop_path=next(rates),
                norm=norm,
                name=f"stage{s}_block{b}",
                dtype=policy,
            )
            for s, (depth, (stride, first_dilation, dilation)) in enumerate(
                zip(depths, plan, strict=True), 1
            )
            for b in range(1, depth + 1)
        ]

    @property
    def variant(self) -> str | None:
        """The name of these sizes in :data:`VARIANTS`, with a c for the deep stem."""
        name = find_variant(VARIANTS, self.depths) if self.width == 64 else None
        return name and name + ("c" if self.settings["deep_stem"] else "")

    def build(self, shape):
        for conv, norm in zip(self.stem, self.stem_norms, strict=True):
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
            norm.build(shape)
        for block in self.blocks:
            block.build(shape)
            shape = block.compute_output_shape(shape)

    def call(self, x, training=None):
        for conv, norm in zip(self.stem, self.stem_norms, strict=True):
            x = ops.relu(norm(conv(x), training=training))
        x = max_pool(x)
        features = []
        for stage in split_stages(self.blocks, self.depths):
            for block in stage:
                x = block(x, training=training)
            features.append(x)
        return tuple(features)

    def compute_output_shape(self, shape):
        check_size(shape[1:3])
        shape = (shape[0], *(halve(side, 4) for side in shape[1:3]), shape[-1])
        shapes = []
        for stage in split_stages(self.blocks, self.depths):
            shape = stage[0].compute_output_shape(shape)
            shapes.append(shape)
        return tuple(shapes)

    def get_config(self):
        norm = keras.saving.get_registered_name(self.norm)
        config = {"depths": self.depths, "width": self.width, "norm": norm, **self.settings}
        return {**super().get_config(), **config}


def resnet(variant: str, **options) -> ResNet:
    """A ResNet by the name of its variant, a name of :data:`VARIANTS`."""
    return ResNet(VARIANTS[variant], **options)


def stage_plan(output_stride: int, contracted: bool) -> list[tuple[int, int, int]]:
    """(stride, dilation of the first block, dilation of the others) of each of the four stages."""
    if output_stride not in (8, 16, 32):
        raise ValueError(f"output_stride must be 8, 16 or 32; received {output_stride}.")
    plan, reached, dilation = [(1, 1, 1)], 4, 1
    for _ in range(3):
        if reached < output_stride:
            reached *= 2
            plan.append((2, dilation, dilation))
        else:
            plan.append((1, dilation if contracted else 2 * dilation, 2 * dilation))
            dilation *= 2
    return plan


def max_pool(x):
    """3x3 maxima of stride 2, padded by one pixel; ``x`` comes out of a ReLU, so zeros do."""
    x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return ops.max_pool(x, 3, 2, padding="valid", data_format="channels_last")


def _norm_class(norm: Norm | str) -> Norm:
    """The layer class behind its registered name."""
    if not isinstance(norm, str):
        return norm
    found = keras.saving.get_registered_object(norm)
    if found is None:
        raise ValueError(f"No layer is registered as {norm!r}; import its module first.")
    return found
