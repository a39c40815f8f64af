"""Layouts: names to paths, and that each layout knows its own files only."""

import pytest

from rdepth_keras.models.weights.layouts import (
    CONVNEXT_HUGGING_FACE,
    CONVNEXT_TIMM,
    UPERNET,
    Layout,
)
from rdepth_keras.models.weights.layouts_mit import MIT_HUGGING_FACE, MIT_ORIGINAL, SEGFORMER
from rdepth_keras.models.weights.layouts_resnet import (
    RESNET_HUGGING_FACE,
    RESNET_TIMM,
    RESNET_TIMM_DEEP,
)

NAMES = {  # layout -> a name of its files, with the path of ours
    CONVNEXT_TIMM: ("stages.0.blocks.0.conv_dw", "stage1_block1/depthwise"),
    CONVNEXT_HUGGING_FACE: ("encoder.stages.0.layers.0.dwconv", "stage1_block1/depthwise"),
    UPERNET: ("decode_head.fpn_bottleneck.conv", "decoder/fuse/conv"),
    MIT_HUGGING_FACE: ("encoder.patch_embeddings.0.proj", "stage1_patches"),
    MIT_ORIGINAL: ("patch_embed1.proj", "stage1_patches"),
    SEGFORMER: ("decode_head.linear_fuse", "decoder/fuse/conv"),
    RESNET_TIMM: ("conv1", "stem1"),
    RESNET_TIMM_DEEP: ("conv1.0", "stem1"),
    RESNET_HUGGING_FACE: ("embedder.embedder.convolution", "stem1"),
}


@pytest.mark.parametrize("layout", NAMES, ids=lambda layout: layout.name)
def test_a_file_fits_its_layout_only(layout):
    name, path = NAMES[layout]
    assert [known for known in NAMES if known.fits([f"{name}.weight"])] == [layout]
    assert layout.translate(name) == path
    assert layout.translate("some.other.layer") is None


def test_numbers_count_from_one():
    layout = Layout("own", "x", rules=((r"s(\d+)\.b(\d+)", "stage{}_block{}"),))
    assert layout.translate("s0.b11") == "stage1_block12"
    assert layout.translate("s0.b11.more") is None


def test_prefixes_of_a_hub_model_may_be_there():
    for prefix in ("", "convnext."):
        name = f"{prefix}encoder.stages.2.layers.8.pwconv2"
        assert CONVNEXT_HUGGING_FACE.translate(name) == "stage3_block9/project"
