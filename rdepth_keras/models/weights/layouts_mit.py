"""How published MiT and SegFormer checkpoints name their layers.

That is the layout of the files on the Hugging Face hub, which transformers still writes; see
:mod:`rdepth_keras.models.weights.layouts`.
"""

from rdepth_keras.models.weights.layouts import Layout

_ENCODER = r"(?:segformer\.)?encoder\."
_BLOCK = _ENCODER + r"block\.(\d+)\.(\d+)\."
_PATH = "stage{}_block{}/"

MIT_HUGGING_FACE = Layout(
    name="Hugging Face",
    mark=_ENCODER + r"patch_embeddings\.0\.proj\.weight",
    rules=(
        (_ENCODER + r"patch_embeddings\.(\d+)\.proj", "stage{}_patches"),
        (_ENCODER + r"patch_embeddings\.(\d+)\.layer_norm", "stage{}_patches_norm"),
        (_BLOCK + r"layer_norm_1", _PATH + "attention_norm"),
        (_BLOCK + r"attention\.self\.query", _PATH + "attention/query"),
        (_BLOCK + r"attention\.self\.key", _PATH + "attention/key"),
        (_BLOCK + r"attention\.self\.value", _PATH + "attention/value"),
        (_BLOCK + r"attention\.self\.sr", _PATH + "attention/reduce"),
        (_BLOCK + r"attention\.self\.layer_norm", _PATH + "attention/reduce_norm"),
        (_BLOCK + r"attention\.output\.dense", _PATH + "attention/project"),
        (_BLOCK + r"layer_norm_2", _PATH + "expand_norm"),
        (_BLOCK + r"mlp\.dense1", _PATH + "expand"),
        (_BLOCK + r"mlp\.dwconv\.dwconv", _PATH + "depthwise"),
        (_BLOCK + r"mlp\.dense2", _PATH + "project"),
        (_ENCODER + r"layer_norm\.(\d+)", "stage{}_output_norm"),
    ),
    leftovers=r"classifier\..*|decode_head\..*",
    stem="stage1_patches",
)

SEGFORMER = Layout(
    name="transformers' SegformerForSemanticSegmentation",
    mark=r"decode_head\.linear_fuse\.weight",
    rules=(
        *((pattern, f"image_encoder/{path}") for pattern, path in MIT_HUGGING_FACE.rules),
        (r"decode_head\.linear_c\.(\d+)\.proj", "decoder/project{}"),
        (r"decode_head\.linear_fuse", "decoder/fuse/conv"),
        (r"decode_head\.batch_norm", "decoder/fuse/norm"),
        (r"decode_head\.classifier", "head/classifier"),
    ),
    stem="image_encoder/stage1_patches",
)


def _original_stage(stage: int) -> tuple[tuple[str, str], ...]:
    block, path = rf"block{stage}\.(\d+)\.", f"stage{stage}_block{{}}/"
    return (
        (rf"patch_embed{stage}\.proj", f"stage{stage}_patches"),
        (rf"patch_embed{stage}\.norm", f"stage{stage}_patches_norm"),
        (block + "norm1", path + "attention_norm"),
        (block + r"attn\.q", path + "attention/query"),
        (block + r"attn\.kv\.first", path + "attention/key"),
        (block + r"attn\.kv\.second", path + "attention/value"),
        (block + r"attn\.sr", path + "attention/reduce"),
        (block + r"attn\.norm", path + "attention/reduce_norm"),
        (block + r"attn\.proj", path + "attention/project"),
        (block + "norm2", path + "expand_norm"),
        (block + r"mlp\.fc1", path + "expand"),
        (block + r"mlp\.dwconv\.dwconv", path + "depthwise"),
        (block + r"mlp\.fc2", path + "project"),
        (rf"norm{stage}", f"stage{stage}_output_norm"),
    )


MIT_ORIGINAL = Layout(  # in safetensors: segmentation_models.pytorch's on the hub
    name="original",
    mark=r"patch_embed1\.proj\.weight",
    rules=tuple(rule for stage in (1, 2, 3, 4) for rule in _original_stage(stage)),
    leftovers=r"head\..*",
    stem="stage1_patches",
    pairs=r".*\.attn\.kv",
)
