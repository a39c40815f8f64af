"""The published Depth Anything checkpoints: where they come from and what their licence allows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A published checkpoint.

    ``origin`` is a Hugging Face repository, or ``keras_hub:`` and the name of a KerasHub preset.
    """

    title: str
    origin: str
    licence: str


PUBLISHED = "depth_anything_v1_large"  # the depth behind the published tables

PRESETS = {
    "depth_anything_v1_small": Preset(
        "Depth Anything V1, ViT-S", "LiheYoung/depth-anything-small-hf", "Apache-2.0"
    ),
    "depth_anything_v1_base": Preset(
        "Depth Anything V1, ViT-B", "LiheYoung/depth-anything-base-hf", "Apache-2.0"
    ),
    "depth_anything_v1_large": Preset(
        "Depth Anything V1, ViT-L", "LiheYoung/depth-anything-large-hf", "Apache-2.0"
    ),
    "depth_anything_v2_small": Preset(
        "Depth Anything V2, ViT-S", "keras_hub:depth_anything_v2_small", "Apache-2.0"
    ),
    "depth_anything_v2_base": Preset(
        "Depth Anything V2, ViT-B", "keras_hub:depth_anything_v2_base", "CC-BY-NC-4.0"
    ),
    "depth_anything_v2_large": Preset(
        "Depth Anything V2, ViT-L", "keras_hub:depth_anything_v2_large", "CC-BY-NC-4.0"
    ),
}
