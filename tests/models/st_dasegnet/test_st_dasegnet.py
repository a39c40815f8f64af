"""ST-DASegNet's network: what it hands out, what predicts, its heads alone, depth."""

from dataclasses import replace

import jax
import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models import STDASegNet
from rdepth_keras.models.layers.resample import resize
from rdepth_keras.models.st_dasegnet.st_dasegnet import STYLES, MeanOutput, heads

ENCODER = {"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 16)}
SMALL = STDASegNet(ENCODER, ENCODER, decoder="segformer", channels=8)
DEEP = replace(SMALL, source_depth_encoder=ENCODER, target_depth_encoder=ENCODER)
SIZE = (40, 33)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_the_mean_of_both_heads_predicts():
    maps = {
        "image": np.zeros((2, *SIZE, 3), np.uint8),
        "logits": (draw(2, 10, 8, 5), draw(2, 10, 8, 5, seed=1)),
    }
    layer = MeanOutput.from_config(MeanOutput(name="logits").get_config())
    wanted = resize((maps["logits"][0] + maps["logits"][1]) / 2, SIZE)
    np.testing.assert_allclose(layer(maps), wanted, rtol=1e-6)
    handed = MeanOutput(taps=True)(maps)
    assert handed.keys() == {"logits"}
    np.testing.assert_array_equal(handed["logits"][1], maps["logits"][1])


def test_what_the_students_hand_out():
    maps = SMALL.build(3, taps=True).output
    shapes = {name: jax.tree.map(lambda x: x.shape[-1], value) for name, value in maps.items()}
    assert shapes == {
        "encoded": (16, 16),
        "styles": ((4, 6, 8, 24), (4, 6, 8, 24)),  # beside the last ones lie 8 of what both share
        "features": (8, 12, 16, 48),
        "logits": (3, 3),
    }


@pytest.mark.proof
def test_the_heads_alone_are_those_of_the_network():
    keras.utils.set_random_seed(0)
    model = SMALL.build(3, taps=True)
    alone = heads(model)
    assert {v.path.split("/")[0] for v in alone.variables if "seed" not in v.path} == {
        f"{style}_{part}" for style in STYLES for part in ("decoder", "head")
    }
    image = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)

    @jax.jit
    def both():
        maps = model({"image": image})
        return maps["logits"], alone(dict(zip(STYLES, maps["styles"], strict=True)))

    ours, found = both()
    assert np.abs(ours[0] - ours[1]).max() > 1e-4
    for one, other in zip(ours, found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {id(v) for v in alone.variables} <= {id(v) for v in model.variables}


def test_students_of_image_and_depth():
    assert DEEP.reads_depth and not SMALL.reads_depth
    assert DEEP.encoders.keys() == {
        f"{student}_encoder" for student in (*STYLES, "source_depth", "target_depth")
    }
    model = DEEP.build(3, taps=True)
    assert model.input.keys() == {"image", "depth"}
    assert [x.shape[-1] for x in model.output["encoded"]] == [32, 32]
    gated = replace(DEEP, fusion="gated").build(3, taps=True)
    assert [x.shape[-1] for x in gated.output["encoded"]] == [16, 16]


def test_students_of_other_channels_are_refused():
    other = {**ENCODER, "widths": (4, 6, 8, 8)}
    with pytest.raises(ValueError, match=r"same channels; received \[4, 6, 8, 16\] and \[4, 6, 8"):
        replace(SMALL, target_encoder=other).build()
    with pytest.raises(ValueError, match="Give both the same encoders"):
        replace(SMALL, source_depth_encoder=ENCODER).build()


def test_the_rows_networks():
    deeplab, segformer = (
        models.MODELS[f"st_dasegnet_{name}"] for name in ("deeplabv3", "segformer")
    )
    assert set(deeplab.encoders.values()) == {"resnet50c_s8"} and deeplab.decoder == "aspp_skip"
    assert set(segformer.encoders.values()) == {"mit_b5"} and segformer.channels == 256
