"""The refiner inside the network; its arithmetic is in the parity tests."""

import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models.dgcd.refiner import Refiner
from rdepth_keras.models.layers.resample import resize

SMALL = {"depths": (1, 1, 1, 1), "widths": (4, 4, 4, 4)}
SIZES = {"image_encoder": SMALL, "channels": 8, "auxiliary_channels": 8}
SIZE = (40, 33)


def batch():
    generator = np.random.default_rng(0)
    return {
        "image": generator.integers(0, 256, (2, *SIZE, 3)).astype(np.uint8),
        "depth": generator.random((2, *SIZE, 1), np.float32),
    }


def test_it_starts_with_a_share_of_0_574():
    layer = Refiner(7)
    layer.build((None, None, None, 7), (None, None, None, 5))
    assert 1 / (1 + np.exp(-float(layer.share.value))) == pytest.approx(0.574, abs=5e-4)


def test_prediction_uses_the_refined_logits():
    keras.utils.set_random_seed(0)
    plain, taps = (
        models.build("dgcd", depth_encoder=SMALL, taps=taps, **SIZES) for taps in (False, True)
    )
    maps = taps.predict(batch(), verbose=0)
    assert np.abs(maps["refined"] - maps["logits"]).max() > 1e-4
    ours = plain.get_layer("logits")({**batch(), **maps})
    np.testing.assert_array_equal(ours, resize(maps["refined"], SIZE))
    assert len(maps["contrast"]) == 4
    for mix, image in maps["contrast"]:
        np.testing.assert_allclose((mix * mix).sum(-1), 1, rtol=1e-5)
        np.testing.assert_allclose((image * image).sum(-1), 1, rtol=1e-5)


def test_half_precision_keeps_the_logits_in_float32():
    model = models.build("dgcd", depth_encoder=SMALL, taps=True, dtype="mixed_bfloat16", **SIZES)
    assert model.output["refined"].dtype == "float32"
    assert model.output["contrast"][0][0].dtype == "float32"


@pytest.mark.parametrize("option", ["refine", "contrast"])
def test_the_options_need_depth(option):
    options = {"refine": False, "contrast": False, option: True}
    with pytest.raises(ValueError, match="need a depth encoder"):
        models.build("dgcd", depth_encoder=None, **options, **SIZES)
