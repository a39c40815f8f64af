"""A Depth Anything checkpoint in Hugging Face layout -> KerasHub's backbone, without PyTorch."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras import checkpoints

UNUSED = frozenset({"backbone.embeddings.mask_token"})  # only pre-training masks tokens


def read_config(path: Path) -> dict[str, Any]:
    """The ``config.json`` of a checkpoint, checked to describe a relative Depth Anything.

    Raises ValueError, naming the file and what was expected.
    """
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file ({error}).") from error
    if not isinstance(config, dict) or config.get("model_type") != "depth_anything":
        raise ValueError(f"{path} does not describe a Depth Anything model (model_type).")
    if config.get("depth_estimation_type", "relative") != "relative":
        raise ValueError(f"{path}: a metric checkpoint; one for relative depth is needed.")
    try:
        encoder_arguments(config)
        network_arguments(config)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} lacks or misstates {error}.") from error
    return config


def encoder_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of KerasHub's DINOV2Backbone; defaults as in transformers' Dinov2Config."""
    config = config["backbone_config"]
    side, hidden = config.get("image_size", 224), config.get("hidden_size", 768)
    return {
        "patch_size": config.get("patch_size", 14),
        "num_layers": config.get("num_hidden_layers", 12),
        "hidden_dim": hidden,
        "num_heads": config.get("num_attention_heads", 12),
        "intermediate_dim": int(hidden * config.get("mlp_ratio", 4)),
        "layer_scale_init_value": config.get("layerscale_value", 1.0),
        "use_mask_token": False,
        "use_swiglu_ffn": config.get("use_swiglu_ffn", False),
        "image_shape": (side, side, 3),
        "position_embedding_shape": (side, side),
        "apply_layernorm": config.get("apply_layernorm", True),
    }


def network_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of KerasHub's DepthAnythingBackbone but its encoder."""
    backbone = config["backbone_config"]
    stages = backbone.get("out_features") or [f"stage{i}" for i in backbone["out_indices"]]
    return {
        "feature_keys": list(stages),
        "reassemble_factors": config.get("reassemble_factors", [4, 2, 1, 0.5]),
        "neck_hidden_dims": config.get("neck_hidden_sizes", [48, 96, 192, 384]),
        "fusion_hidden_dim": config.get("fusion_hidden_size", 64),
        "head_hidden_dim": config.get("head_hidden_size", 32),
        "head_in_index": config.get("head_in_index", -1),
    }


def load_weights(backbone, source: str | Path) -> None:
    """Fills ``backbone`` from a checkpoint (see :func:`rdepth_keras.checkpoints.load`), wholly.

    Raises ValueError naming the first array that is missing, left over or misshapen.
    """
    arrays = checkpoints.load(source)
    values = []
    for variable, key, transpose in _pairs(backbone):
        value = _take(arrays, key, source)
        value = np.transpose(value, transpose) if transpose else value
        if value.size != np.prod(variable.shape) or not np.isfinite(value).all():
            raise ValueError(
                f"{source}: {key} has the shape {value.shape}, expected {tuple(variable.shape)} "
                "and finite values; does config.json belong to it?"
            )
        values.append((variable, value.astype(np.float32).reshape(variable.shape)))
    left = sorted(arrays.keys() - UNUSED)
    if left:
        raise ValueError(f"{source} holds arrays this network has no place for, first {left[0]}.")
    for variable, value in values:
        variable.assign(value)


def _take(arrays: dict[str, np.ndarray], key: str, source: str | Path) -> np.ndarray:
    if key not in arrays:
        raise ValueError(f"{source} lacks {key}; is it a Depth Anything checkpoint?")
    return arrays.pop(key)


KERNEL = (2, 3, 1, 0)  # (out, in, h, w) -> (h, w, in, out); transposed convolutions likewise
Pair = tuple[Any, str, tuple[int, ...] | None]


def _pairs(backbone) -> Iterator[Pair]:
    """(variable, name in the file, axes to transpose by) for the whole network."""
    yield from _embedding_pairs(backbone.image_encoder.embeddings, "backbone.embeddings")
    for index, layer in enumerate(backbone.image_encoder.encoder.layers):
        yield from _block_pairs(layer, f"backbone.encoder.layer.{index}")
    yield from _norm(backbone.image_encoder.layernorm, "backbone.layernorm")
    yield from _neck_pairs(backbone.neck, "neck")
    for name in ("conv1", "conv2", "conv3"):
        yield from _convolution(getattr(backbone.head, name), f"head.{name}")


def _embedding_pairs(embeddings, name: str) -> Iterator[Pair]:
    yield embeddings.cls_token, f"{name}.cls_token", None
    yield embeddings.position_embeddings, f"{name}.position_embeddings", None
    yield from _convolution(
        embeddings.patch_embeddings.projection, f"{name}.patch_embeddings.projection"
    )


def _block_pairs(layer, name: str) -> Iterator[Pair]:
    attention = layer.attention.attention
    yield from _norm(layer.norm1, f"{name}.norm1")
    for part in ("query", "key", "value"):
        dense = getattr(attention, f"{part}_dense")
        yield from _dense(dense, f"{name}.attention.attention.{part}")
    yield from _dense(attention.output_dense, f"{name}.attention.output.dense")
    yield layer.layer_scale1.lambda1, f"{name}.layer_scale1.lambda1", None
    yield from _norm(layer.norm2, f"{name}.norm2")
    for part in ("weights_in", "weights_out") if layer.use_swiglu_ffn else ("fc1", "fc2"):
        yield from _dense(getattr(layer.mlp, part), f"{name}.mlp.{part}")
    yield layer.layer_scale2.lambda1, f"{name}.layer_scale2.lambda1", None


def _neck_pairs(neck, name: str) -> Iterator[Pair]:
    for index, layer in enumerate(neck.reassemble_stage):
        prefix = f"{name}.reassemble_stage.layers.{index}"
        yield from _convolution(layer.projection, f"{prefix}.projection")
        if layer.factor != 1:
            yield from _convolution(layer.resize, f"{prefix}.resize")
    for index, convolution in enumerate(neck.convs):
        yield from _convolution(convolution, f"{name}.convs.{index}")
    for index, layer in enumerate(neck.fusion_stage):
        prefix = f"{name}.fusion_stage.layers.{index}"
        yield from _convolution(layer.projection, f"{prefix}.projection")
        for part in ("residual_layer1", "residual_layer2"):
            for number in ("convolution1", "convolution2"):
                convolution = getattr(getattr(layer, part), number)
                yield from _convolution(convolution, f"{prefix}.{part}.{number}")


def _convolution(layer, name: str) -> Iterator[Pair]:
    yield layer.kernel, f"{name}.weight", KERNEL
    if layer.use_bias:
        yield layer.bias, f"{name}.bias", None


def _dense(layer, name: str) -> Iterator[Pair]:
    """Heads are axes of their own in Keras; the order of the numbers is the same."""
    yield layer.kernel, f"{name}.weight", (1, 0)
    yield layer.bias, f"{name}.bias", None


def _norm(layer, name: str) -> Iterator[Pair]:
    yield layer.gamma, f"{name}.weight", None
    yield layer.beta, f"{name}.bias", None
