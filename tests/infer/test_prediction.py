"""A prediction that is not finite says no class."""

import numpy as np
import pytest

from rdepth_keras.infer import check_finite, classify


def test_the_largest_is_the_class():
    prediction = np.random.default_rng(0).normal(size=(5, 4, 3)).astype(np.float32)
    label = classify(prediction, {"id": 1})
    np.testing.assert_array_equal(label, prediction.argmax(-1))
    assert label.dtype == np.uint8 and check_finite(prediction, "a.png") is prediction


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("tile", "name"), [({"id": 7}, "tile 7"), ("a.png", "tile a.png")])
def test_one_value_that_is_not_finite_stops_it(value, tile, name):
    prediction = np.zeros((10, 10, 3), np.float32)
    prediction[4, 5, 2] = value
    for attempt in (check_finite, classify):
        with pytest.raises(FloatingPointError, match=rf"{name} is not finite in 1\.00%.*lower"):
            attempt(prediction, tile)


def test_a_prediction_of_nothing_but_nan():
    with pytest.raises(FloatingPointError, match=r"100\.00% of its pixels"):
        classify(np.full((3, 3, 2), np.nan), {"id": 1})


def test_saturated_logits_are_finite():
    prediction = np.float32([[[3e38, -3e38]]])
    assert classify(prediction, {"id": 1}) == [[0]]
