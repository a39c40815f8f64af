"""Depth Anything V1 and V2: an image in, its relative depth out."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from rdepth_keras import checkpoints
from rdepth_keras.depth.anything import PATCH, DepthNetwork
from rdepth_keras.depth.conversion import (
    encoder_arguments,
    load_weights,
    network_arguments,
    read_config,
)
from rdepth_keras.depth.presets import find_checkpoint
from rdepth_keras.depth.scene import estimate_scene, is_single_view

SIDE = 518  # pixels; the side these networks were trained at
OVERVIEW_PIXELS = 2 * SIDE**2  # of a scene seen as a whole
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
METHOD = (  # in cache keys
    "PIL bicubic to 518, multiple of 14, keeping aspect; bilinear back; scenes in aligned windows, "
    "overview of 2 x 518 x 518"
)


class DepthEstimator:
    """Relative depth of RGB images, larger = nearer.

    ``backbone`` is a KerasHub DepthAnythingBackbone. ``fingerprint`` names weights, wiring,
    precision and preprocessing: equal fingerprints give equal depth.
    """

    def __init__(self, backbone, *, precision: str = "float32"):
        self.fingerprint = _fingerprint(backbone, precision)
        self._backbone = backbone
        self._networks: dict[tuple, DepthNetwork] = {}

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Image (H, W, 3) uint8 of any size -> raw relative depth (H, W) float32.

        Images beyond the network's view are estimated in windows, see :mod:`.scene`.
        """
        return estimate_scene(self.view, image)

    def view(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Image (H, W, 3) uint8, seen in one view -> raw relative depth (*size) float32."""
        return self.estimate(prepare(image)[None], size)[0]

    def estimate(self, inputs: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Prepared images (B, h, w, 3) of one size -> raw relative depth (B, *size) float32."""
        height, width = inputs.shape[1:3]
        key = height, width, size
        if key not in self._networks:
            self._networks[key] = DepthNetwork(self._backbone, height, width, size)
        return np.asarray(self._networks[key].predict_on_batch(inputs))


def prepare(image: np.ndarray) -> np.ndarray:
    """Image (H, W, 3) uint8 -> network input (h, w, 3) float32: resized and normalised."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"An image is (height, width, 3) uint8; received {image.shape} {image.dtype}."
        )
    from PIL import Image

    height, width = input_size(*image.shape[:2])
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return (np.asarray(resized, np.float32) / 255 - MEAN) / STD


def input_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """The size an image is resized to: near ``side``, aspect kept, both multiples of 14.

    Of the two scales that bring one side to ``side``, the one nearer 1 is taken (Ranftl et al.'s
    DPT preprocessing, as in transformers' DPTImageProcessor). Of a long scene, far beyond one view,
    that would leave the other side as long as it likes: its area is bounded instead.
    """
    by_height, by_width = side / height, side / width
    scale = by_width if abs(1 - by_width) < abs(1 - by_height) else by_height
    if not is_single_view(height, width):
        scale = min(scale, (OVERVIEW_PIXELS / (height * width)) ** 0.5)
    return _to_multiple(height * scale), _to_multiple(width * scale)


def _to_multiple(length: float) -> int:
    return max(PATCH, round(length / PATCH) * PATCH)


def has_gpu() -> bool:
    """Whether Keras's backend sees a GPU: bfloat16 and batches pay there, not on a CPU."""
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except RuntimeError:
        return False


def load_estimator(origin: str | Path, *, precision: str = "float32") -> DepthEstimator:
    """Opens a checkpoint: ``keras_hub:PRESET``, a local folder, or a Hugging Face repository.

    ``precision`` is a Keras dtype policy; with ``mixed_bfloat16`` the last layers stay float32.
    Raises ImportError with the remedy where KerasHub is missing, FileNotFoundError and ValueError
    for a checkpoint that is not there or not sound.
    """
    name = str(origin)
    if name.startswith("keras_hub:"):
        backbone = _fetch(name.removeprefix("keras_hub:"), precision)
    else:
        _import_keras_hub()  # its absence is the first thing to know
        config = read_config(checkpoints.find_file(name, "config.json"))
        backbone = build_backbone(config, precision)
        load_weights(backbone, name)
    for layer in (backbone.head.conv1, backbone.head.conv2, backbone.head.conv3):
        layer.dtype_policy = "float32"
    return DepthEstimator(backbone, precision=precision)


def _fetch(preset: str, precision: str) -> Any:
    """A KerasHub backbone by name; any failure, such as no network, ends in the remedy."""
    family = _import_keras_hub().models.DepthAnythingBackbone
    try:
        return family.from_preset(preset, dtype=precision)
    except Exception as error:  # its downloaders raise of many kinds
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        where = find_checkpoint(f"keras_hub:{preset}").repository
        raise FileNotFoundError(
            f"The weights of {preset} cannot be fetched ({reason:.200}). "
            f"{checkpoints.folder_remedy(where)}"
        ) from error


def _import_keras_hub() -> Any:
    try:
        import keras_hub  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "Estimating depth needs KerasHub: pip install 'rdepth_keras[prepare]', or bring "
            f"ready-made depth maps (config depths_png). ({error})"
        ) from error
    return keras_hub


def build_backbone(config: Mapping[str, Any], precision: str = "float32") -> Any:
    """A KerasHub DepthAnythingBackbone with random weights, from a Hugging Face configuration."""
    hub = _import_keras_hub()
    encoder = hub.models.DINOV2Backbone(**encoder_arguments(config), dtype=precision)
    return hub.models.DepthAnythingBackbone(
        image_encoder=encoder, **network_arguments(config), dtype=precision
    )


def _fingerprint(backbone, precision: str) -> str:
    encoder = backbone.image_encoder
    wiring = sorted(backbone.feature_keys), backbone.head_in_index, bool(encoder.apply_layernorm)
    digest = hashlib.sha256(f"{METHOD}; {precision}; {wiring}".encode())
    for variable in backbone.variables:
        if "interpolated" not in variable.path:
            array = np.asarray(keras.ops.convert_to_numpy(variable), np.float32)
            digest.update(f"{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:32]
