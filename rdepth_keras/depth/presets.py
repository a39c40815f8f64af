"""The published Depth Anything checkpoints: where they come from and what their licence allows."""

import re
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Preset:
    """A checkpoint.

    ``origin`` is a Hugging Face repository, ``keras_hub:`` and the name of a KerasHub preset, or a
    folder; ``repository`` the Hugging Face repository of the same weights, if there is one.
    """

    title: str
    origin: str
    licence: str
    repository: str = ""

    def __str__(self):
        return f"{self.title} ({self.origin}); weights under {self.licence}"


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
        "Depth Anything V2, ViT-S",
        "keras_hub:depth_anything_v2_small",
        "Apache-2.0",
        "depth-anything/Depth-Anything-V2-Small-hf",
    ),
    "depth_anything_v2_base": Preset(
        "Depth Anything V2, ViT-B",
        "keras_hub:depth_anything_v2_base",
        "CC-BY-NC-4.0",
        "depth-anything/Depth-Anything-V2-Base-hf",
    ),
    "depth_anything_v2_large": Preset(
        "Depth Anything V2, ViT-L",
        "keras_hub:depth_anything_v2_large",
        "CC-BY-NC-4.0",
        "depth-anything/Depth-Anything-V2-Large-hf",
    ),
}


def find_checkpoint(source: str) -> Preset:
    """The checkpoint that is meant: a name in PRESETS, a hub name, or a folder.

    Hub names of published ones are known with their licence. Raises ValueError, listing the names,
    for what is none of the three.
    """
    if source in PRESETS:
        return PRESETS[source]
    for preset in PRESETS.values():
        if source in {preset.origin, preset.repository} - {""}:
            return replace(preset, origin=source)
    folder = Path(source).expanduser()
    if source and folder.is_dir():
        return Preset(f"the checkpoint in {source}", str(folder.resolve()), "a licence of its own")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not source.startswith("."):
        return Preset(source, source, "a licence of its own")
    raise ValueError(
        f"{source} is no depth checkpoint: give one of {', '.join(PRESETS)}; or a folder with "
        "config.json and model.safetensors; or a name of the Hugging Face hub (OWNER/NAME)."
    )
