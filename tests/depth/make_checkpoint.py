"""Writes a small random Depth Anything checkpoint in Hugging Face layout; NumPy only.

python tests/depth/make_checkpoint.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HIDDEN, LAYERS, HEADS, SIDE, PATCH = 8, 4, 2, 98, 14
NECK, FUSION, HEAD = (8, 8, 8, 8), 8, 4  # few distinct shapes: each costs Keras a compilation
FACTORS = (4, 2, 1, 0.5)

CONFIG = {
    "model_type": "depth_anything",
    "architectures": ["DepthAnythingForDepthEstimation"],
    "backbone_config": {
        "model_type": "dinov2",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "image_size": SIDE,
        "patch_size": PATCH,
        "out_features": [f"stage{i}" for i in (1, 2, 3, 4)],
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
        "apply_layernorm": True,
    },
    "reassemble_hidden_size": HIDDEN,
    "reassemble_factors": list(FACTORS),
    "neck_hidden_sizes": list(NECK),
    "fusion_hidden_size": FUSION,
    "head_hidden_size": HEAD,
    "head_in_index": -1,
    "depth_estimation_type": "relative",
}


def shapes() -> dict[str, tuple[int, ...]]:
    """Name -> shape of every array, as PyTorch stores them."""
    found: dict[str, tuple[int, ...]] = {}

    def dense(name, outputs, inputs):
        found[f"{name}.weight"], found[f"{name}.bias"] = (outputs, inputs), (outputs,)

    def convolution(name, outputs, inputs, kernel, bias=True):
        found[f"{name}.weight"] = (outputs, inputs, kernel, kernel)
        found.update({f"{name}.bias": (outputs,)} if bias else {})

    def norm(name):
        found[f"{name}.weight"], found[f"{name}.bias"] = (HIDDEN,), (HIDDEN,)

    found["backbone.embeddings.cls_token"] = (1, 1, HIDDEN)
    found["backbone.embeddings.mask_token"] = (1, HIDDEN)
    found["backbone.embeddings.position_embeddings"] = (1, (SIDE // PATCH) ** 2 + 1, HIDDEN)
    convolution("backbone.embeddings.patch_embeddings.projection", HIDDEN, 3, PATCH)
    for i in range(LAYERS):
        block = f"backbone.encoder.layer.{i}"
        for part in ("attention.query", "attention.key", "attention.value", "output.dense"):
            dense(f"{block}.attention.{part}", HIDDEN, HIDDEN)
        norm(f"{block}.norm1")
        norm(f"{block}.norm2")
        dense(f"{block}.mlp.fc1", 4 * HIDDEN, HIDDEN)
        dense(f"{block}.mlp.fc2", HIDDEN, 4 * HIDDEN)
        found[f"{block}.layer_scale1.lambda1"] = (HIDDEN,)
        found[f"{block}.layer_scale2.lambda1"] = (HIDDEN,)
    norm("backbone.layernorm")
    for i, (channels, factor) in enumerate(zip(NECK, FACTORS, strict=True)):
        reassemble, fusion = f"neck.reassemble_stage.layers.{i}", f"neck.fusion_stage.layers.{i}"
        convolution(f"{reassemble}.projection", channels, HIDDEN, 1)
        if factor != 1:
            convolution(f"{reassemble}.resize", channels, channels, 3 if factor < 1 else factor)
        convolution(f"neck.convs.{i}", FUSION, channels, 3, bias=False)
        convolution(f"{fusion}.projection", FUSION, FUSION, 1)
        for part in ("residual_layer1", "residual_layer2"):
            for number in (1, 2):
                convolution(f"{fusion}.{part}.convolution{number}", FUSION, FUSION, 3)
    convolution("head.conv1", FUSION // 2, FUSION, 3)
    convolution("head.conv2", HEAD, FUSION // 2, 3)
    convolution("head.conv3", 1, HEAD, 1)
    return found


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    """Values large enough that every array leaves its mark on the output."""
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes().items():
        scale = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.3
        values = random.standard_normal(shape) * scale
        centred_on_one = name.endswith(("norm1.weight", "norm2.weight", "layernorm.weight"))
        arrays[name] = (values + centred_on_one).astype(np.float32)
    arrays["backbone.embeddings.position_embeddings"] *= 4
    arrays["head.conv3.weight"] = np.abs(arrays["head.conv3.weight"])
    arrays["head.conv3.bias"] += 3  # above the last rectifier
    return arrays


def write(folder: Path, seed: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    save_file(weights(seed), folder / "model.safetensors")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
