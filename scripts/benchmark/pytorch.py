"""PyTorch's side of a comparison: ``python -m benchmark.pytorch NAME CASE FOLDER``.

See ``serving``. Written for speed as its users would: channels last, the fused optimizer; on a GPU
autocast to bfloat16 and, where the name is ``pytorch_compiled``, ``torch.compile``. It needs torch
and NumPy, for depth transformers as well; never JAX.
"""

# pyright: basic, reportMissingImports=false

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from benchmark.case import (
    AUXILIARY_WEIGHT,
    CLASSES,
    IGNORE,
    LEARNING_RATE,
    WEIGHT_DECAY,
    Case,
    draw_inputs,
    draw_pixels,
)
from benchmark.networks_torch import Twin, load_weights, resize, torch_name
from benchmark.serving import Measured, serve

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
Faster = Callable[[Any], Any]  # torch.compile, or nothing


def step(case: Case, folder: Path, faster: Faster) -> Measured:
    """Training steps on one batch."""
    model, weights = _network(case, folder)
    forward, optimizer = faster(model.train()), _optimizer(model)
    image, depth, label = _inputs(case)

    def run():
        optimizer.zero_grad(set_to_none=True)
        with _autocast():
            logits, auxiliary = forward(image, depth)
        terms = _losses(logits, auxiliary, label)
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        _wait()
        return {name: term.detach() for name, term in terms.items()}

    def scalars(terms, number):
        named = {**terms, "loss": torch.stack(list(terms.values())).sum()}
        return {f"{name} of step {number}": value.cpu().numpy() for name, value in named.items()}

    def check(first):
        state = model.state_dict()
        moved = {
            path: state[torch_name(path)].cpu().numpy().copy()
            for path in weights
            if "/moving_" in path
        }
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
        norms = {"gradient_norm of step 1": norm.cpu().numpy()}
        return {**moved, **norms, **scalars(first, 1), **scalars(run(), 2)}

    return Measured(run, check, _facts(), _device_memory)


def infer(case: Case, folder: Path, faster: Faster) -> Measured:
    """Predictions of one tile: bytes in, logits (H, W, classes) out."""
    model, _ = _network(case, folder)
    forward = faster(model.eval())
    tile = {name: torch.from_numpy(array) for name, array in draw_inputs(case).items()}
    side = case.window or case.pixels
    corners = [(y, x) for y in range(0, case.pixels, side) for x in range(0, case.pixels, side)]

    def windows(array):
        cut = [array[:, top : top + side, left : left + side] for top, left in corners]
        return torch.cat(cut) if len(cut) > 1 else array

    @torch.inference_mode()
    def run():
        image, depth = (windows(tile[name].to(DEVICE)) for name in ("image", "depth"))
        with _autocast():
            found = forward(image, depth).permute(0, 2, 3, 1)
        whole = torch.empty(case.pixels, case.pixels, CLASSES, device=DEVICE)
        for (top, left), part in zip(corners, found, strict=True):
            whole[top : top + side, left : left + side] = part
        return whole.cpu().numpy()

    def check(first):
        run()
        return {"logits": first}

    return Measured(run, check, _facts(), _device_memory)


def depth(case: Case, folder: Path, faster: Faster) -> Measured:
    """transformers' Depth Anything ViT-S on one prepared image; writes its checkpoint first."""
    model = _depth_anything(case.pixels)
    model.save_pretrained(folder / "depth")
    forward = faster(model.to(DEVICE, memory_format=torch.channels_last))
    pixels = torch.from_numpy(draw_pixels(case)).permute(0, 3, 1, 2)

    @torch.inference_mode()
    def run():
        with _autocast():
            found = forward(pixel_values=pixels.to(DEVICE)).predicted_depth
        return found.float().cpu().numpy()

    def check(first):
        run()
        return {"depth": first}

    return Measured(run, check, _facts(), _device_memory)


def _network(case: Case, folder: Path):
    model = Twin(case.network or {}, CLASSES)
    with np.load(folder / "weights.npz") as file:
        weights = dict(file)
    load_weights(model, weights)
    return model.to(DEVICE, memory_format=torch.channels_last), weights


def _optimizer(model):
    matrices, vectors = (
        [p for p in model.parameters() if (p.dim() > 1) is several] for several in (True, False)
    )
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)


def _inputs(case: Case):
    arrays = {name: torch.from_numpy(array) for name, array in draw_inputs(case).items()}
    image, depth, label = (arrays[name].to(DEVICE) for name in ("image", "depth", "label"))
    return image, depth, label.long()


def _losses(logits, auxiliary, label) -> dict[str, torch.Tensor]:
    terms = {"decode": _cross_entropy(logits, label)}
    if auxiliary is not None:
        terms["auxiliary"] = AUXILIARY_WEIGHT * _cross_entropy(auxiliary, label)
    return terms


def _cross_entropy(logits, label):
    return F.cross_entropy(resize(logits.float(), label.shape[1:]), label, ignore_index=IGNORE)


def _depth_anything(side: int):
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(0)
    encoder = Dinov2Config(
        hidden_size=384,
        num_attention_heads=6,
        num_hidden_layers=12,
        image_size=side,
        patch_size=14,
        out_indices=[9, 10, 11, 12],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=encoder,
        neck_hidden_sizes=[48, 96, 192, 384],
        fusion_hidden_size=64,
        head_hidden_size=32,
        reassemble_hidden_size=384,
    )
    return DepthAnythingForDepthEstimation(config).eval()


def _autocast():
    return torch.autocast(DEVICE.type, torch.bfloat16, enabled=GPU)


def _wait() -> None:
    if GPU:
        torch.cuda.synchronize()


def _facts() -> Mapping[str, Any]:
    return {
        "device": torch.cuda.get_device_name() if GPU else "cpu",
        "version": f"torch {torch.__version__}",
        "precision": "mixed_bfloat16" if GPU else "float32",
    }


def _device_memory() -> dict[str, int]:
    return {"device_peak_bytes": torch.cuda.max_memory_allocated()} if GPU else {}


def main(name: str, text: str, folder: Path) -> None:
    torch.backends.cudnn.benchmark = True
    case = Case.from_json(text)
    prepare = {"step": step, "infer": infer, "depth": depth}[case.kind]
    faster = torch.compile if name == "pytorch_compiled" else lambda model: model
    serve(prepare(case, folder, faster), folder / f"{name}.npz")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
