"""The same networks in PyTorch, written for speed: channels last in memory, no copies between.

Modules bear the names of our layers, so that a variable's path is its name here.
"""

# pyright: basic, reportMissingImports=false

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # ImageNet, RGB 0..255
NAMES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


class LayerNorm(nn.LayerNorm):
    """Over the channels of a map (B, C, H, W)."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.expand = nn.Linear(width, 4 * width)
        self.project = nn.Linear(4 * width, width)
        self.scale = Scale(width)

    def forward(self, x):
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale(self.project(F.gelu(self.expand(y))))
        return x + y.permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    def __init__(self, depths, widths):
        super().__init__()
        self.depths = depths
        self.stem = nn.Conv2d(3, widths[0], 4, 4)
        self.stem_norm = LayerNorm(widths[0], eps=1e-6)
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True), 1):
            if stage > 1:
                before = widths[stage - 2]
                self.add_module(f"stage{stage}_downsample_norm", LayerNorm(before, eps=1e-6))
                self.add_module(f"stage{stage}_downsample", nn.Conv2d(before, width, 2, 2))
            for block in range(1, depth + 1):
                self.add_module(f"stage{stage}_block{block}", Block(width))
            self.add_module(f"stage{stage}_output_norm", LayerNorm(width, eps=1e-6))

    def forward(self, x):
        x, maps = self.stem_norm(self.stem(x)), []
        for stage, depth in enumerate(self.depths, 1):
            if stage > 1:
                x = getattr(self, f"stage{stage}_downsample_norm")(x)
                x = getattr(self, f"stage{stage}_downsample")(x)
            for block in range(1, depth + 1):
                x = getattr(self, f"stage{stage}_block{block}")(x)
            maps.append(getattr(self, f"stage{stage}_output_norm")(x))
        return maps


class ConvBlock(nn.Module):
    def __init__(self, before, channels, size):
        super().__init__()
        self.conv = nn.Conv2d(before, channels, size, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)), inplace=True)


class UPerNet(nn.Module):
    BINS = (1, 2, 3, 6)

    def __init__(self, widths, channels):
        super().__init__()
        for bins in self.BINS:
            self.add_module(f"pyramid{bins}", ConvBlock(widths[3], channels, 1))
        self.bottleneck = ConvBlock(widths[3] + len(self.BINS) * channels, channels, 3)
        for stage in (1, 2, 3):
            self.add_module(f"lateral{stage}", ConvBlock(widths[stage - 1], channels, 1))
            self.add_module(f"output{stage}", ConvBlock(channels, channels, 3))
        self.fuse = ConvBlock(4 * channels, channels, 3)

    def forward(self, features):
        maps = [getattr(self, f"lateral{stage}")(features[stage - 1]) for stage in (1, 2, 3)]
        last = features[3]
        pooled = [
            getattr(self, f"pyramid{bins}")(F.adaptive_avg_pool2d(last, bins)) for bins in self.BINS
        ]
        pooled = [resize(x, last.shape[2:]) for x in pooled]
        maps.append(self.bottleneck(torch.cat([last, *pooled], 1)))
        for level in (2, 1, 0):
            maps[level] = maps[level] + resize(maps[level + 1], maps[level].shape[2:])
        for level in (0, 1, 2):
            maps[level] = getattr(self, f"output{level + 1}")(maps[level])
        return self.fuse(torch.cat([resize(x, maps[0].shape[2:]) for x in maps], 1))


class Head(nn.Module):
    def __init__(self, before, classes, channels=None):
        super().__init__()
        self.block = ConvBlock(before, channels, 3) if channels else nn.Identity()
        self.classifier = nn.Conv2d(channels or before, classes, 1)

    def forward(self, x):
        return self.classifier(self.block(x))


class Twin(nn.Module):
    """(image, depth) (B, H, W, C) -> in training (logits, auxiliary) at their strides, else the
    logits (B, classes, H, W) alone."""

    def __init__(self, network: Mapping[str, Any], classes: int):
        super().__init__()
        parts = network["decoder"], network["fusion"], network["drop_path"], network["dropout"]
        if parts != ("upernet", "concat", 0, 0):
            raise ValueError(
                "PyTorch's side is written for UPerNet on concatenated maps without dropping "
                f"anything; received {', '.join(map(str, parts))}."
            )
        encoders = [network[f"{kind}_encoder"] for kind in ("image", "depth")]
        self.image_encoder = ConvNeXt(**encoders[0])
        self.depth_encoder = ConvNeXt(**encoders[1]) if encoders[1] else None
        widths = np.sum([encoder["widths"] for encoder in encoders if encoder], axis=0).tolist()
        self.decoder = UPerNet(widths, network["channels"])
        self.head = Head(network["channels"], classes)
        auxiliary = network["auxiliary_channels"]
        self.auxiliary = Head(widths[2], classes, auxiliary) if auxiliary else None
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    def forward(self, image, depth):
        maps = self.image_encoder((image.permute(0, 3, 1, 2) - self.mean) / self.std)
        if self.depth_encoder:
            grey = (255 * depth.permute(0, 3, 1, 2) - self.mean) / self.std
            grey = grey.contiguous(memory_format=torch.channels_last)
            pairs = zip(maps, self.depth_encoder(grey), strict=True)
            maps = [torch.cat(pair, 1) for pair in pairs]
        logits = self.head(self.decoder(maps))
        if not self.training:
            return resize(logits.float(), image.shape[1:3])
        return logits, self.auxiliary(maps[2]) if self.auxiliary else None


def resize(x, size):
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def torch_name(path: str) -> str:
    """``decoder/fuse/norm/gamma`` -> ``decoder.fuse.norm.weight``."""
    *layers, variable = path.split("/")
    return ".".join([*layers, NAMES.get(variable, variable)])


def load_weights(model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Fills the whole network from our variables, path -> array.

    Raises RuntimeError for arrays that are missing, left over or misshapen.
    """
    state = model.state_dict()
    fresh = {name for name in state if name.endswith("num_batches_tracked")}
    given = {torch_name(path): _torch_axes(array) for path, array in arrays.items()}
    for name, tensor in given.items():
        if name in state and state[name].dim() == tensor.dim() + 2:  # 1x1 convolutions are dense
            given[name] = tensor[..., None, None]
    model.load_state_dict({**given, **{name: state[name] for name in fresh}}, strict=True)


def _torch_axes(array: np.ndarray) -> torch.Tensor:
    """(h, w, in, out) -> (out, in, h, w), (in, out) -> (out, in)."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim, (0,))
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))
