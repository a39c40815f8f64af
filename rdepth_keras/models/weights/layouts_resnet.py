"""How published ResNet checkpoints name their layers: see ``layouts``."""

from rdepth_keras.models.weights.layouts import Layout

STAGES = (1, 2, 3, 4)


def _timm_block(stage: int) -> tuple[tuple[str, str], ...]:
    source, path = rf"layer{stage}\.(\d+)\.", f"stage{stage}_block{{}}/"
    return (
        *((f"{source}conv{n}", f"{path}conv{n}") for n in (1, 2, 3)),
        *((f"{source}bn{n}", f"{path}norm{n}") for n in (1, 2, 3)),
        (rf"{source}downsample\.0", f"{path}shortcut"),
        (rf"{source}downsample\.1", f"{path}shortcut_norm"),
    )


_TIMM_BLOCKS = tuple(rule for stage in STAGES for rule in _timm_block(stage))

RESNET_TIMM = Layout(  # torchvision's, too
    name="timm",
    mark=r"conv1\.weight",
    rules=((r"conv1", "stem1"), (r"bn1", "stem_norm1"), *_TIMM_BLOCKS),
    leftovers=r"fc\..*",
    stem="stem1",
)

RESNET_TIMM_DEEP = Layout(
    name="timm, deep stem",
    mark=r"conv1\.0\.weight",
    rules=(
        (r"conv1\.0", "stem1"),
        (r"conv1\.1", "stem_norm1"),
        (r"conv1\.3", "stem2"),
        (r"conv1\.4", "stem_norm2"),
        (r"conv1\.6", "stem3"),
        (r"bn1", "stem_norm3"),
        *_TIMM_BLOCKS,
    ),
    leftovers=r"fc\..*",
    stem="stem1",
)

_START = r"(?:resnet\.)?embedder\.embedder\."
_BLOCK = r"(?:resnet\.)?encoder\.stages\.(\d+)\.layers\.(\d+)\."
_PATH = "stage{}_block{}/"

RESNET_HUGGING_FACE = Layout(
    name="Hugging Face",
    mark=_START + r"convolution\.weight",
    rules=(
        (_START + "convolution", "stem1"),
        (_START + "normalization", "stem_norm1"),
        *((rf"{_BLOCK}layer\.{n}\.convolution", f"{_PATH}conv{n + 1}") for n in (0, 1, 2)),
        *((rf"{_BLOCK}layer\.{n}\.normalization", f"{_PATH}norm{n + 1}") for n in (0, 1, 2)),
        (_BLOCK + r"shortcut\.convolution", _PATH + "shortcut"),
        (_BLOCK + r"shortcut\.normalization", _PATH + "shortcut_norm"),
    ),
    leftovers=r"classifier\..*",
    stem="stem1",
)
