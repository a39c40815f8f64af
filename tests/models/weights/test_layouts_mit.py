"""MiT's names; whole files are read in tests/models/encoders/test_mit.py."""

import re

from rdepth_keras.models.weights.layouts_mit import MIT_HUGGING_FACE, MIT_ORIGINAL, SEGFORMER


def test_both_layouts_name_the_same_layers():
    both = {
        "segformer.encoder.block.1.2.attention.self.sr": "block2.2.attn.sr",
        "segformer.encoder.block.0.0.layer_norm_2": "block1.0.norm2",
        "segformer.encoder.block.3.1.mlp.dwconv.dwconv": "block4.1.mlp.dwconv.dwconv",
        "segformer.encoder.block.2.0.attention.self.value": "block3.0.attn.kv.second",
        "segformer.encoder.layer_norm.2": "norm3",
        "segformer.encoder.patch_embeddings.1.proj": "patch_embed2.proj",
    }
    paths = [MIT_HUGGING_FACE.translate(name) for name in both]
    assert paths == [MIT_ORIGINAL.translate(name) for name in both.values()]
    assert None not in paths and len(set(paths)) == len(both)


def test_keys_and_values_are_a_pair():
    assert re.fullmatch(MIT_ORIGINAL.pairs, "block1.0.attn.kv")
    assert not re.fullmatch(MIT_ORIGINAL.pairs, "block1.0.attn.q")


def test_a_whole_network_holds_the_encoder():
    name = "segformer.encoder.block.0.1.mlp.dense1"
    assert SEGFORMER.translate(name) == f"image_encoder/{MIT_HUGGING_FACE.translate(name)}"
    assert SEGFORMER.translate("decode_head.linear_c.3.proj") == "decoder/project4"
