"""Write the goldens of tests/golden with PyTorch, timm and transformers.

Run in an environment of its own, from the repository: ``python tests/parity/make_golden.py``. It
needs ``torch timm transformers numpy`` and no network; all weights are random.
"""

from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from draw import draw, draw_image, draw_label, draw_weights, pack_shapes
from transformers import (
    ConvNextBackbone,
    ConvNextConfig,
    UperNetConfig,
    UperNetForSemanticSegmentation,
)

FOLDER = Path(__file__).resolve().parents[1] / "golden"
MEAN = torch.tensor([123.675, 116.28, 103.53])
STD = torch.tensor([58.395, 57.12, 57.375])
STAGES = ["stage1", "stage2", "stage3", "stage4"]
SIZES = ((32, 32), (33, 47), (40, 56), (35, 64))


def main():
    torch.use_deterministic_algorithms(True)
    for make in (resample, convnext, upernet, gradients, block_gradients):
        np.savez_compressed(FOLDER / f"{make.__name__}.npz", **make())


def resample():
    """Adaptive pooling and both conventions of the bilinear resize."""
    arrays = {}
    for height, width in ((7, 9), (16, 16), (2, 1), (5, 13)):
        x = torch.from_numpy(draw("map", (1, 2, height, width)))
        for bins in (1, 2, 3, 6):
            arrays[f"pool_{height}_{width}_{bins}"] = last(F.adaptive_avg_pool2d(x, bins))
        for size in ((3, 4), (14, 18), (31, 8), (1, 1)):
            for align in (False, True):
                resized = F.interpolate(x, size, mode="bilinear", align_corners=align)
                name = f"resize_{height}_{width}_{size[0]}_{size[1]}_{int(align)}"
                arrays[name] = last(resized)
    return arrays


@torch.no_grad()
def convnext():
    """Four stages of ConvNeXt Tiny (timm), and of a short one as wide as Base (transformers)."""
    tiny = timm.create_model("convnext_tiny", num_classes=0).eval()
    fill(tiny)
    x = draw("tiny", (1, 3, 33, 45))
    tiny_maps = tiny.forward_intermediates(torch.from_numpy(x), intermediates_only=True)
    tiny_maps = [y.permute(0, 2, 3, 1) for y in tiny_maps]
    for stage in range(4):
        given = (tiny.head.norm.weight, tiny.head.norm.bias) if stage == 3 else (None, None)
        tiny_maps[stage] = F.layer_norm(tiny_maps[stage], tiny_maps[stage].shape[-1:], *given, 1e-6)

    wide = ConvNextBackbone(convnext_config([1, 1, 2, 1], [128, 256, 512, 1024])).eval()
    fill(wide)
    x = draw("wide", (1, 3, 32, 40))
    wide_maps = [last(y) for y in wide(torch.from_numpy(x)).feature_maps]
    return {
        "tiny_shapes": shapes(tiny),
        **{f"tiny_{stage}": y.numpy() for stage, y in enumerate(tiny_maps, 1)},
        "wide_shapes": shapes(wide),
        **{f"wide_{stage}": y for stage, y in enumerate(wide_maps, 1)},
    }


@torch.no_grad()
def upernet():
    """Full-size logits of UPerNet on a small ConvNeXt, for images of several sizes."""
    model = small_upernet([1, 1, 1, 1], [16, 24, 32, 48], 16).eval()
    fill(model)
    arrays = {"shapes": shapes(model)}
    for height, width in SIZES:
        name = f"logits_{height}_{width}"
        arrays[name] = last(model(normalise(draw_image(name, (1, height, width)))).logits)
    return arrays


def gradients():
    """Loss, gradients of all parameters and running statistics after one training step."""
    model = small_upernet([1, 1, 1, 1], [8, 12, 16, 24], 8).train()
    fill(model)
    image = normalise(draw_image("gradients", (3, 64, 96)))
    label = torch.from_numpy(draw_label("gradients", (3, 64, 96)).astype(np.int64))
    loss = model(image, labels=label).loss
    loss.backward()
    arrays = {"shapes": shapes(model), "loss": np.float32(loss.item())}
    for name, parameter in model.named_parameters():
        arrays[f"gradient {name}"] = parameter.grad.numpy()
    for name, buffer in model.named_buffers():
        if "running" in name:
            arrays[f"buffer {name}"] = buffer.numpy()
    return arrays


def block_gradients():
    """One ConvNeXt block: its output, and gradients of input and parameters."""
    model = timm.models.convnext.ConvNeXtBlock(6)
    fill(model)
    x = torch.from_numpy(draw("x", (2, 6, 5, 11))).requires_grad_()
    y = model(x)
    (y * torch.from_numpy(draw("cotangent", tuple(y.shape)))).sum().backward()
    arrays = {"shapes": shapes(model), "y": last(y.detach()), "gradient x": last(x.grad)}
    for name, parameter in model.named_parameters():
        arrays[f"gradient {name}"] = parameter.grad.numpy()
    return arrays


def small_upernet(depths, widths, channels):
    config = UperNetConfig(
        backbone_config=convnext_config(depths, widths),
        hidden_size=channels,
        auxiliary_in_channels=widths[2],
        auxiliary_channels=channels,
        num_labels=7,
    )
    return UperNetForSemanticSegmentation(config)


def convnext_config(depths, widths):
    return ConvNextConfig(depths=depths, hidden_sizes=widths, out_features=STAGES)


def fill(module):
    """Random weights and random batch-norm statistics."""
    state = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    weights = {name: torch.from_numpy(value) for name, value in draw_weights(state).items()}
    module.load_state_dict(weights, strict=False)


def shapes(module):
    return pack_shapes({name: value.shape for name, value in module.state_dict().items()})


def normalise(image):
    return ((torch.from_numpy(image).float() - MEAN) / STD).permute(0, 3, 1, 2)


def last(x):
    """Channels last, as an array."""
    return np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy())


if __name__ == "__main__":
    main()
