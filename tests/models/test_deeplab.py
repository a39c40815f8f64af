"""The baselines at toy size: outputs, taps, merged heads, depth, saving."""

from functools import partial

import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models.encoders.mit import MiT
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.layers.resample import resize

MIT = partial(MiT, (1, 1, 1, 1), (8, 16, 20, 32))
RESNET = partial(ResNet, (1, 1, 1, 1), 8)
CONVNEXT = {"depths": (1, 1, 1, 1), "widths": (4, 8, 12, 16)}
S16, S8 = partial(RESNET, output_stride=16), partial(RESNET, output_stride=8, deep_stem=True)
SIZE = (45, 37)
CASES = {  # network, arguments, and the sizes of its taps
    "segformer_b0": ({"image_encoder": MIT, "depth_encoder": MIT, "channels": 8}, {(12, 10)}),
    "deeplabv3": (
        {"image_encoder": S8, "channels": 8, "auxiliary_channels": 8},
        {(6, 5)},
    ),
    "deeplabv3_plus": (
        {"image_encoder": S8, "depth_encoder": CONVNEXT, "fusion": "gated", "channels": 8},
        {(12, 10), (6, 5)},
    ),
    "deeplabv2": ({"image_encoder": S16}, {(3, 3)}),
    "deeplabv2_two_taps": ({"image_encoder": S16, "depth_encoder": S16}, {(3, 3)}),
    "deeplabv2_two_heads": ({"image_encoder": S16}, {(3, 3)}),
    "pspnet": ({"image_encoder": S16, "channels": 8}, {(3, 3)}),
    "pspnet_two_heads": ({"image_encoder": S16, "channels": 8}, {(3, 3)}),
}


def batch(model):
    generator = np.random.default_rng(0)
    arrays = {
        "image": generator.integers(0, 256, (2, *SIZE, 3)).astype(np.uint8),
        "depth": generator.random((2, *SIZE, 1), np.float32),
    }
    return {name: arrays[name] for name in model.input}


def pair(name):
    """The network with and without taps."""
    return tuple(models.build(name, taps=taps, **CASES[name][0]) for taps in (False, True))


@pytest.mark.parametrize("name", CASES)
def test_prediction_is_the_merged_and_enlarged_logits(name):
    plain, taps = pair(name)
    assert [v.path for v in plain.variables] == [v.path for v in taps.variables]
    assert plain.output.shape == (None, None, None, 7)
    maps = taps.predict(batch(taps), verbose=0)
    heads = keras.tree.flatten(maps["logits"])
    assert {x.shape[1:3] for x in [*heads, maps.get("auxiliary", heads[0])]} == CASES[name][1]
    assert len(maps["features"]) == 4
    two_headed = name.startswith(("deeplabv2", "pspnet"))
    heads = [np.asarray(resize(x, SIZE, align_corners=two_headed)) for x in heads]
    if name == "deeplabv2_two_heads":
        wanted = heads[0] + heads[1]
    elif name == "pspnet_two_heads":
        wanted = np.log(sum(np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in heads) / 2)
    else:
        wanted = heads[-1]
    ours = plain.get_layer("logits")({**batch(plain), **maps})
    assert ours.shape == (2, *SIZE, 7)
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_two_heads_differ_in_their_taps():
    assert models.MODELS["deeplabv2_two_taps"].stages == (3, 4)
    _, taps = pair("deeplabv2_two_taps")
    widths = [taps.get_layer(name).variables[0].shape[2] for name in ("head1", "head2")]
    assert widths == [2 * 128, 2 * 256], "c4 and c5 of a ResNet of width 8, image and depth"


def test_an_unknown_merge_is_refused():
    with pytest.raises(ValueError, match="received 'product'"):
        models.build("deeplabv2_two_taps", image_encoder=S16, merge="product")


def test_an_unknown_head_is_refused():
    with pytest.raises(ValueError, match="Unknown head 'ppm'; known are aspp, pyramid"):
        models.build("deeplabv2", head="ppm", image_encoder=S16)
