"""A prediction that is not finite says no class."""

import numpy as np
import pytest

from rdepth_keras.infer import check_finite, classify
from rdepth_keras.infer.prediction import check_inputs, check_output


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


PICTURE = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
DEPTH = PICTURE[..., :1] / np.float32(255)


@pytest.mark.parametrize(
    "inputs",
    [
        {"image": PICTURE, "depth": DEPTH},
        {"image": PICTURE.astype(np.float32), "depth": np.zeros((4, 5, 1), np.float16)},
        {"image": np.zeros((4, 5, 3), np.float32)},
        {"image": PICTURE // 255, "thermal": PICTURE},
        {"depth": DEPTH * np.float32(np.nan)},  # its prediction says so
    ],
)
def test_inputs_on_their_scale(inputs):
    check_inputs(inputs, {"id": 7})


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"image": PICTURE / 255}, "image of tile 7 must be RGB 0..255, .* float64 from 0 to 1. S"),
        ({"image": PICTURE / 1 - 120}, "image of tile 7 .* from -120 to"),
        ({"image": PICTURE * np.float32(257)}, "image of tile 7 .* to 6.5"),
        ({"image": PICTURE.astype(np.uint16)}, "image of tile 7 .* received uint16"),
        ({"depth": PICTURE[..., :1]}, r"depth of tile 7 must be floats in \[0, 1\].* uint8"),
        ({"depth": DEPTH[:3]}, r"one height and width; received .*, depth \(3, 5, 1\)"),
        ({"depth": DEPTH * 255}, "depth of tile 7 .* float32 from"),
        ({"depth": DEPTH - 0.5}, "depth of tile 7 .* from -0.496"),
        ({"depth": np.ma.masked_greater(DEPTH, 0.5)}, "depth of tile 7 must be whole; .* masked"),
        ({"image": (PICTURE / 1).astype(">f4")}, "image of tile 7 .* byte order; received >f4. C"),
    ],
)
def test_inputs_on_another_scale_are_refused(inputs, said):
    with pytest.raises(ValueError, match=said):
        check_inputs({"image": PICTURE, "depth": DEPTH} | inputs, {"id": 7})


def test_more_classes_than_there_are_train_ids():
    with pytest.raises(ValueError, match="classes of a prediction must .* from 1 to 255; .* 256"):
        classify(np.zeros((1, 1, 256)), {"id": 7})


def test_one_class_is_refused():
    """An argmax of one score is 0 everywhere, and a softmax 1."""
    with pytest.raises(ValueError, match="cut its sigmoid at a threshold"):
        classify(np.zeros((2, 2, 1), np.float32), "a")
    with pytest.raises(ValueError, match="cut its sigmoid at a threshold"):
        check_output(np.zeros((1, 2, 2, 1)))
    check_output(np.zeros((1, 2, 2, 2)))
