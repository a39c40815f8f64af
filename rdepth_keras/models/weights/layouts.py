"""How published checkpoints name the layers of our networks: one table a layout.

A rule turns the name of a source layer into the path of ours. Numbers found by ``(\\d+)`` fill the
braces in order, plus one, because our stages and blocks count from 1.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The names of one kind of checkpoint.

    ``mark`` is a pattern that some name of every such checkpoint matches and none of another
    kind. ``leftovers`` matches names that are not needed, ``fresh`` our paths that such a
    checkpoint may lack. ``stem`` is our first layer. ``pairs`` matches source layers that are two
    in one: rules know them as ``name.first`` and ``name.second``.
    """

    name: str
    mark: str
    rules: tuple[tuple[str, str], ...]
    leftovers: str = r"(?!)"
    fresh: str = r"(?!)"
    stem: str = "stem"
    pairs: str = r"(?!)"

    def fits(self, names) -> bool:
        return any(re.fullmatch(self.mark, name) for name in names)

    def translate(self, layer: str) -> str | None:
        """The path of our layer for the name of a source layer; None where there is none."""
        for pattern, path in self.rules:
            if match := re.fullmatch(pattern, layer):
                return path.format(*(int(number) + 1 for number in match.groups()))
        return None


CONVNEXT_TIMM = Layout(
    name="timm",
    mark=r"stages\.0\.blocks\.0\.conv_dw\.weight",
    rules=(
        (r"stem\.0", "stem"),
        (r"stem\.1", "stem_norm"),
        (r"stages\.(\d+)\.downsample\.0", "stage{}_downsample_norm"),
        (r"stages\.(\d+)\.downsample\.1", "stage{}_downsample"),
        (r"stages\.(\d+)\.blocks\.(\d+)\.conv_dw", "stage{}_block{}/depthwise"),
        (r"stages\.(\d+)\.blocks\.(\d+)\.norm", "stage{}_block{}/norm"),
        (r"stages\.(\d+)\.blocks\.(\d+)\.mlp\.fc1", "stage{}_block{}/expand"),
        (r"stages\.(\d+)\.blocks\.(\d+)\.mlp\.fc2", "stage{}_block{}/project"),
        (r"stages\.(\d+)\.blocks\.(\d+)\.gamma", "stage{}_block{}/scale"),
        (r"head\.norm", "stage4_output_norm"),
    ),
    leftovers=r"head\.(?:pre_logits\.)?fc\..*",
    fresh=r"stage[123]_output_norm/.*",
)

_BLOCK = r"(?:convnext\.)?encoder\.stages\.(\d+)\.layers\.(\d+)\."

CONVNEXT_HUGGING_FACE = Layout(
    name="Hugging Face",
    mark=r"(?:convnext\.)?encoder\.stages\.0\.layers\.0\.dwconv\.weight",
    rules=(
        (r"(?:convnext\.)?embeddings\.patch_embeddings", "stem"),
        (r"(?:convnext\.)?embeddings\.layernorm", "stem_norm"),
        (
            r"(?:convnext\.)?encoder\.stages\.(\d+)\.downsampling_layer\.0",
            "stage{}_downsample_norm",
        ),
        (r"(?:convnext\.)?encoder\.stages\.(\d+)\.downsampling_layer\.1", "stage{}_downsample"),
        (_BLOCK + "dwconv", "stage{}_block{}/depthwise"),
        (_BLOCK + "layernorm", "stage{}_block{}/norm"),
        (_BLOCK + "pwconv1", "stage{}_block{}/expand"),
        (_BLOCK + "pwconv2", "stage{}_block{}/project"),
        (_BLOCK + "layer_scale_parameter", "stage{}_block{}/scale"),
        (r"(?:convnext\.)?layernorm", "stage4_output_norm"),
        *((rf"hidden_states_norms\.stage{n}", f"stage{n}_output_norm") for n in (1, 2, 3, 4)),
    ),
    leftovers=r"classifier\..*",
    fresh=r"stage[123]_output_norm/.*",
)


def _conv_block(source: str, path: str) -> tuple[tuple[str, str], ...]:
    return (source + r"\.conv", f"{path}/conv"), (source + r"\.batch_norm", f"{path}/norm")


UPERNET = Layout(
    name="transformers' UperNetForSemanticSegmentation",
    mark=r"decode_head\.fpn_bottleneck\.conv\.weight",
    rules=(
        *(
            (r"backbone\." + pattern, f"image_encoder/{path}")
            for pattern, path in CONVNEXT_HUGGING_FACE.rules
        ),
        *_conv_block(r"decode_head\.psp_modules\.0\.1", "decoder/pyramid1"),
        *_conv_block(r"decode_head\.psp_modules\.1\.1", "decoder/pyramid2"),
        *_conv_block(r"decode_head\.psp_modules\.2\.1", "decoder/pyramid3"),
        *_conv_block(r"decode_head\.psp_modules\.3\.1", "decoder/pyramid6"),
        *_conv_block(r"decode_head\.bottleneck", "decoder/bottleneck"),
        *_conv_block(r"decode_head\.lateral_convs\.(\d+)", "decoder/lateral{}"),
        *_conv_block(r"decode_head\.fpn_convs\.(\d+)", "decoder/output{}"),
        *_conv_block(r"decode_head\.fpn_bottleneck", "decoder/fuse"),
        (r"decode_head\.classifier", "head/classifier"),
        *_conv_block(r"auxiliary_head\.convs\.0", "auxiliary/block"),
        (r"auxiliary_head\.classifier", "auxiliary/classifier"),
    ),
    stem="image_encoder/stem",
)
