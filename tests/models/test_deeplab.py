"""Networks of several heads: what they hand out, how heads merge, what is refused."""

from functools import partial

import jax
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models import DeepLabV2
from rdepth_keras.models.deeplab import MergedOutput
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.models.layers.resample import resize

SMALL = {
    "image_encoder": partial(ResNet, (1, 1, 1, 1), width=4, output_stride=16),
    "channels": 4,
}


def draw(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


MAPS = {
    "image": np.zeros((2, 9, 14, 3), np.uint8),
    "features": (draw(2, 3, 4, 8),),
    "logits": (draw(2, 3, 4, 5), 9 * draw(2, 3, 4, 5)),
}


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


@pytest.mark.parametrize("merge", ["last", "sum", "mean"])
def test_heads_merge_after_they_are_enlarged(merge):
    """With aligned corners, as the originals have it."""
    first, second = (np.asarray(resize(x, (9, 14), align_corners=True)) for x in MAPS["logits"])
    wanted = {
        "last": second,
        "sum": first + second,
        "mean": np.log((softmax(first) + softmax(second)) / 2),
    }
    layer = MergedOutput(merge=merge)
    np.testing.assert_allclose(layer(MAPS), wanted[merge], rtol=1e-5, atol=1e-5)
    again = MergedOutput.from_config(layer.get_config())
    np.testing.assert_array_equal(again(MAPS), layer(MAPS))


def test_with_taps_the_heads_come_apart():
    handed = MergedOutput(taps=True, merge="sum")(MAPS)
    assert handed.keys() == {"logits", "features"}
    np.testing.assert_array_equal(handed["logits"][1], MAPS["logits"][1])


@pytest.mark.parametrize(
    ("name", "heads"),
    [("deeplabv2", 1), ("deeplabv2_two_taps", 2), ("pspnet", 1), ("pspnet_two_heads", 2)],
)
def test_a_head_for_each_stage(name, heads):
    model = models.build(name, taps=True, **SMALL)
    found = {name: jax.tree.leaves(model.output.get(name)) for name in ("auxiliary", "logits")}
    shapes = [x.shape for own in found.values() for x in own]
    assert shapes == heads * [(None, None, None, 7)]
    together = models.MODELS[name].merge != "last"
    assert len(found["logits"]) == (heads if together else 1)
    assert isinstance(model.output["logits"], tuple) == (len(found["logits"]) > 1)


def test_heads_sit_on_their_stages_and_see_depth():
    encoders = {"image_encoder": SMALL["image_encoder"], "depth_encoder": SMALL["image_encoder"]}
    model = DeepLabV2(**encoders, stages=(3, 4)).build(taps=True)
    widths = [model.get_layer(name).variables[0].shape[2] for name in ("head1", "head2")]
    assert widths == [2 * 64, 2 * 128], "c4 and c5 of a ResNet of width 4, image and depth"
    assert set(model.input) == {"image", "depth"}


def test_the_base_of_transnorm():
    network = models.MODELS["deeplabv2_transnorm"]
    assert (network.stages, network.merge) == ((4, 4), "sum")
    encoder = models.ENCODERS[network.image_encoder]()
    assert isinstance(encoder.stem_norms[0], TransNorm)
    assert encoder.settings["output_stride"] == 16


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head": "ppm"}, "Unknown head 'ppm'; known are aspp, pyramid"),
        ({"merge": "product"}, "merge must be .* received 'product'"),
        ({"stages": ()}, r"stages must be one or more of 1, 2, 3, 4 in a tuple; received \(\)"),
        ({"stages": 4}, "in a tuple; received 4"),
        ({"stages": (4, 5)}, "stages must be a whole number, from 1 to 4; received 5"),
        ({"stages": (4.0,)}, "from 1 to 4; received 4.0"),
        ({"image_encoder": "resnet18"}, "Unknown image_encoder 'resnet18'"),
        ({"depth_encoder": "atto", "fusion": "sum"}, "Unknown fusion 'sum'"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepLabV2(**arguments)
