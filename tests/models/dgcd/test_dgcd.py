"""The successor's network: what it hands out, and what predicts."""

from dataclasses import replace

import jax
import keras
import numpy as np
import pytest

from rdepth_keras.models import DGCD
from rdepth_keras.models.layers.resample import resize

ENCODER = {"depths": (1, 1, 1, 1), "widths": (4, 4, 4, 4)}
SMALL = DGCD(ENCODER, ENCODER, channels=8, auxiliary_channels=8)
SIZE = (40, 33)


def batch():
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (2, *SIZE, 3)).astype(np.uint8),
        "depth": generator.random((2, *SIZE, 1), np.float32),
    }


@pytest.mark.proof
def test_prediction_uses_the_refined_logits():
    keras.utils.set_random_seed(0)
    plain, taps = SMALL.build(), SMALL.build(taps=True)
    maps = taps.predict(batch(), verbose=0)
    assert np.abs(maps["refined"] - maps["logits"]).max() > 1e-4
    ours = plain.get_layer("logits")({**batch(), **maps})
    np.testing.assert_array_equal(ours, resize(maps["refined"], SIZE))
    assert len(maps["contrast"]) == 4
    for mix, image in maps["contrast"]:
        np.testing.assert_allclose((mix * mix).sum(-1), 1, rtol=1e-5)
        np.testing.assert_allclose((image * image).sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "maps"),
    [
        ({"contrast": False}, {"refined"}),
        ({"refine": False}, {"contrast"}),
        ({"refine": False, "contrast": False}, set()),
    ],
)
def test_each_addition_can_be_left_out(options, maps):
    plain, taps = (replace(SMALL, **options).build(taps=taps) for taps in (False, True))
    assert taps.output.keys() == {"logits", "auxiliary", "features"} | maps
    assert plain.get_layer("logits").predicts == ("refined" if "refined" in maps else "logits")
    groups = {variable.path.split("/")[0] for variable in taps.variables}
    assert ("refiner" in groups) == ("refined" in maps)
    assert ("contrast4" in groups) == ("contrast" in maps)
    assert jax.eval_shape(lambda: plain(batch())).shape == (2, *SIZE, 7)


def test_half_precision_keeps_the_logits_in_float32():
    model = SMALL.build(taps=True, dtype="mixed_bfloat16")
    assert model.output["refined"].dtype == "float32"
    assert model.output["contrast"][0][0].dtype == "float32"


@pytest.mark.parametrize("option", ["refine", "contrast"])
def test_the_additions_need_depth(option):
    options = {"refine": False, "contrast": False, option: True}
    with pytest.raises(ValueError, match="need a depth encoder"):
        DGCD(ENCODER, None, **options)
