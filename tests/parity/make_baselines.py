"""Write the goldens of the baselines to tests/golden with PyTorch, timm and transformers.

Run in an environment of its own, from the repository: ``python tests/parity/make_baselines.py``.
It needs ``torch timm transformers safetensors numpy`` and no network; all weights are random.
"""

import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from draw import draw, draw_image, draw_weights, pack_shapes
from make_golden import FOLDER, fill, last, normalise, shapes
from safetensors.numpy import load_file, save_file
from torch import nn
from transformers import (
    ResNetConfig,
    ResNetForImageClassification,
    SegformerConfig,
    SegformerForImageClassification,
    SegformerForSemanticSegmentation,
)

MAPS = ((6, 12, 14), (10, 6, 7), (14, 3, 4), (18, 2, 2))  # channels and size of four stages
SIZES = ((33, 47), (64, 40))
CHANNELS = 8


@torch.no_grad()
def main():
    torch.use_deterministic_algorithms(True)
    for make in (encoders, segformer, resnet, deeplabv3, decoders):
        np.savez_compressed(FOLDER / f"{make.__name__}.npz", **make())


def encoders():
    """Names and shapes of what published files of encoders would hold, were they this small."""
    convnext = timm.models.ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 8, 8))
    deep = timm.models.ResNet(BLOCK, (1, 1, 1, 1), **DEEP)
    config = SegformerConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 20, 32])
    _, mit = from_published(SegformerForImageClassification(config))
    return {"convnext": shapes(convnext), "resnet": shapes(deep), "mit": mit}


def segformer():
    """Logits of SegFormer B0, for two images of an odd and of an even size each."""
    config = SegformerConfig(num_labels=7)
    model, packed = from_published(SegformerForSemanticSegmentation(config))
    arrays = {"shapes": packed}
    for height, width in SIZES:
        name = f"logits_{height}_{width}"
        arrays[name] = last(model(normalise(draw_image(name, (2, height, width)))).logits)
    return arrays


def resnet():
    """Four stages of short ResNets: both stems and all output strides, and transformers' own."""
    arrays = {}
    for name, stride, stem in (("s32", 32, {}), ("s16", 16, {}), ("s8", 8, {}), ("deep", 8, DEEP)):
        model = timm.models.ResNet(BLOCK, (1, 2, 2, 2), output_stride=stride, **stem).eval()
        fill(model)
        x = torch.from_numpy(draw(name, (1, 3, 37, 45)))
        maps = model.forward_intermediates(x, indices=[1, 2, 3, 4], intermediates_only=True)
        arrays |= {f"{name}_{stage}": few(y) for stage, y in enumerate(maps, 1)}
        arrays[f"{name}_shapes"] = shapes(model)

    config = ResNetConfig(depths=[1, 2, 1, 1])
    model, arrays["hub_shapes"] = from_published(ResNetForImageClassification(config))
    x = torch.from_numpy(draw("hub", (1, 3, 37, 45)))
    maps = model(x, output_hidden_states=True).hidden_states[1:]
    return arrays | {f"hub_{stage}": few(y) for stage, y in enumerate(maps, 1)}


def deeplabv3():
    """Logits and auxiliary logits of DeepLabV3 on a whole ResNet-50 of output stride 8."""
    model = DeepLabV3().eval()
    fill(model)
    arrays = {"shapes": shapes(model)}
    for height, width in SIZES:
        name = f"{height}_{width}"
        logits, auxiliary = model(normalise(draw_image(name, (1, height, width))))
        arrays |= {f"logits_{name}": last(logits), f"auxiliary_{name}": last(auxiliary)}
    return arrays


def decoders():
    """Decoders and heads on four random maps."""
    features = [
        torch.from_numpy(draw(f"map{stage}", (2, *shape))) for stage, shape in enumerate(MAPS, 1)
    ]
    logits = torch.from_numpy(draw("logits", (2, 7, 12, 14)))
    arrays = {}
    for model in (
        DAFormer(),
        DeepLabV3Plus(),
        SegFormerBlocks(),
        Pyramid(),
        SummedASPP(),
        Refiner(),
    ):
        fill(model.eval())
        name = type(model).__name__
        given = (logits, features[0]) if name == "Refiner" else (features,)
        arrays |= {f"{name}_shapes": shapes(model), name: last(model(*given))}
    return arrays


DEEP = {"stem_width": 32, "stem_type": "deep"}
BLOCK = timm.models.resnet.Bottleneck


class Block(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, given, channels, size=3, dilation=1, groups=1):
        super().__init__()
        padding = dilation * (size - 1) // 2
        self.conv = nn.Conv2d(
            given, channels, size, padding=padding, dilation=dilation, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class Separable(nn.Sequential):
    def __init__(self, given, channels, dilation=1):
        super().__init__(Block(given, given, 3, dilation, given), Block(given, channels, 1))


class Context(nn.Module):
    def __init__(self, given, channels, dilations, separable, pool):
        super().__init__()
        branches = [Block(given, channels, 1)]
        for dilation in dilations[1:]:
            dilated = Separable(given, channels, dilation) if separable else None
            branches.append(dilated or Block(given, channels, 3, dilation))
        self.branches = nn.ModuleList(branches)
        self.pool = Block(given, channels, 1) if pool else None
        self.bottleneck = Block((len(dilations) + pool) * channels, channels)

    def forward(self, x):
        maps = [branch(x) for branch in self.branches]
        if self.pool is not None:
            pooled = self.pool(x.mean((2, 3), keepdim=True))
            maps = [pooled.expand(-1, -1, *x.shape[2:]), *maps]
        return self.bottleneck(torch.cat(maps, 1))


class DeepLabV3(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = timm.create_model("resnet50c", output_stride=8, num_classes=0)
        self.context = Context(2048, CHANNELS, (1, 12, 24, 36), separable=False, pool=True)
        self.classifier = nn.Conv2d(CHANNELS, 7, 1)
        self.auxiliary = Block(1024, CHANNELS)
        self.auxiliary_classifier = nn.Conv2d(CHANNELS, 7, 1)

    def forward(self, x):
        *_, third, fourth = self.encoder.forward_intermediates(x, intermediates_only=True)
        logits = self.classifier(self.context(fourth))
        return logits, self.auxiliary_classifier(self.auxiliary(third))


class DeepLabV3Plus(nn.Module):
    def __init__(self):
        super().__init__()
        first, *_, fourth = (shape[0] for shape in MAPS)
        self.context = Context(fourth, CHANNELS, (1, 12, 24, 36), separable=True, pool=True)
        self.skip = Block(first, 4, 1)
        self.fuse = nn.ModuleList(
            [Separable(CHANNELS + 4, CHANNELS), Separable(CHANNELS, CHANNELS)]
        )

    def forward(self, features):
        x = resize(self.context(features[3]), features[0])
        x = torch.cat([x, self.skip(features[0])], 1)
        return self.fuse[1](self.fuse[0](x))


class DAFormer(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.ModuleList([nn.Linear(shape[0], CHANNELS) for shape in MAPS])
        self.context = Context(4 * CHANNELS, CHANNELS, (1, 6, 12, 18), separable=True, pool=False)

    def forward(self, features):
        maps = [
            resize(project(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), features[0])
            for project, x in zip(self.project, features, strict=True)
        ]
        return self.context(torch.cat(maps, 1))


class SegFormerBlocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.ModuleList([Block(shape[0], CHANNELS, 1) for shape in MAPS])
        self.fuse = Block(4 * CHANNELS, CHANNELS, 1)

    def forward(self, features):
        pairs = zip(self.project, features, strict=True)
        return self.fuse(torch.cat([resize(project(x), features[0]) for project, x in pairs], 1))


class Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        given = MAPS[1][0]
        self.blocks = nn.ModuleList([Block(given, CHANNELS, 1) for _ in range(4)])
        self.bottleneck = Block(given + 4 * CHANNELS, CHANNELS)

    def forward(self, features):
        x = features[1]
        pooled = [
            resize(block(F.adaptive_avg_pool2d(x, size)), x)
            for block, size in zip(self.blocks, (1, 2, 3, 6), strict=True)
        ]
        return self.bottleneck(torch.cat([x, *pooled], 1))


class SummedASPP(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv2d(MAPS[0][0], 7, 3, padding=d, dilation=d) for d in (6, 12, 18, 24)]
        )

    def forward(self, features):
        return torch.stack([conv(features[0]) for conv in self.convs]).sum(0)


class Refiner(nn.Module):
    def __init__(self):
        super().__init__()
        self.logits_block, self.depth_block = Block(7, CHANNELS), Block(MAPS[0][0], CHANNELS)
        self.fuse = Block(2 * CHANNELS, CHANNELS)
        self.correction = nn.Conv2d(CHANNELS, 7, 1)

    def forward(self, logits, depth_map):
        branches = [self.logits_block(logits), self.depth_block(resize(depth_map, logits))]
        correction = self.correction(self.fuse(torch.cat(branches, 1)))
        return logits + torch.sigmoid(torch.tensor(0.3)) * correction


def resize(x, other):
    return F.interpolate(x, other.shape[2:], mode="bilinear", align_corners=False)


def from_published(model):
    """The model with weights drawn by the names its published files have, and those shapes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save_pretrained(folder)
        known = {name: value.shape for name, value in load_file(path).items()}
        save_file(draw_weights(known), path, {"format": "pt"})
        return type(model).from_pretrained(folder).eval(), pack_shapes(known)


def few(x):
    """Channels last, and one in eight of them: enough to tell, and small to store."""
    return np.ascontiguousarray(last(x)[..., ::8])


if __name__ == "__main__":
    main()
