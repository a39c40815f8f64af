"""ResNet's names; numbers are held by tests/parity."""

from rdepth_keras.models.weights.layouts_resnet import (
    RESNET_HUGGING_FACE,
    RESNET_TIMM,
    RESNET_TIMM_DEEP,
)


def test_blocks_are_the_same_in_all_layouts():
    timm = {
        "layer2.0.conv2": "stage2_block1/conv2",
        "layer4.2.bn3": "stage4_block3/norm3",
        "layer1.0.downsample.1": "stage1_block1/shortcut_norm",
    }
    hub = {
        "resnet.encoder.stages.1.layers.0.layer.1.convolution": "stage2_block1/conv2",
        "resnet.encoder.stages.3.layers.2.layer.2.normalization": "stage4_block3/norm3",
        "resnet.encoder.stages.0.layers.0.shortcut.normalization": "stage1_block1/shortcut_norm",
    }
    for layout, names in (
        (RESNET_TIMM, timm),
        (RESNET_TIMM_DEEP, timm),
        (RESNET_HUGGING_FACE, hub),
    ):
        for name, path in names.items():
            assert layout.translate(name) == path


def test_the_deep_stem_ends_in_the_norm_of_the_plain_one():
    assert RESNET_TIMM.translate("bn1") == "stem_norm1"
    assert RESNET_TIMM_DEEP.translate("bn1") == "stem_norm3"
    assert RESNET_TIMM_DEEP.translate("conv1.3") == "stem2"
