"""Calibration and risk at coverage against plain sorting, by hand, and streamed in parts."""

import numpy as np
import pytest

from rdepth_keras.evaluate.calibration import FINE_BINS, count_confidence


def draw(seed=0, shape=(30, 20), classes=5):
    rng = np.random.default_rng(seed)
    scores = np.exp(2 * rng.normal(size=(*shape, classes)))
    probabilities = (scores / scores.sum(-1, keepdims=True)).astype(np.float32)
    truth = rng.integers(0, classes, shape).astype(np.uint8)
    truth[rng.random(shape) < 0.1] = 255
    return truth, probabilities


def flat(truth, probabilities):
    valid = truth != 255
    right = (probabilities.argmax(-1) == truth)[valid]
    return probabilities.max(-1)[valid].astype(np.float64), right


def test_calibration_error_is_the_weighted_gap():
    confidence, right = flat(*draw())
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert count_confidence(*draw()).calibration_error() == pytest.approx(expected, rel=1e-12)


def test_risk_coverage_is_that_of_sorted_pixels():
    confidence, right = flat(*draw())
    order = np.argsort(-confidence)
    wrong = np.cumsum(~right[order])
    coverage, risk = count_confidence(*draw()).risk_coverage()
    for share, value in zip(coverage, risk, strict=True):
        count = round(share * len(right))
        assert value == wrong[count - 1] / count
    assert coverage[-1] == 1 and risk[-1] == pytest.approx(1 - right.mean())
    area = np.mean(wrong / np.arange(1, len(right) + 1))
    assert count_confidence(*draw()).risk_area() == pytest.approx(area, abs=0.01)


def test_parts_add_up_and_ignored_pixels_never_count():
    truth, probabilities = draw()
    whole = count_confidence(truth, probabilities)
    parts = count_confidence(truth[:11], probabilities[:11])
    parts = parts + count_confidence(truth[11:], probabilities[11:])
    np.testing.assert_array_equal(whole.pixels, parts.pixels)
    np.testing.assert_array_equal(whole.right, parts.right)
    np.testing.assert_allclose(whole.total, parts.total)
    assert whole.pixels.sum() == (truth != 255).sum()


def test_the_last_bin_holds_certainty():
    truth = np.array([[0, 1]], np.uint8)
    certain = count_confidence(truth, np.array([[[1.0, 0.0], [1.0, 0.0]]]))
    assert certain.pixels[FINE_BINS - 1] == 2
    assert certain.calibration_error() == 0.5
    assert certain.reliability(10)["accuracy"][-1] == 0.5
    with pytest.raises(ValueError, match="bins must divide"):
        certain.reliability(7)


def test_nothing_to_count():
    nothing = count_confidence(np.full((2, 2), 255, np.uint8), np.ones((2, 2, 3)) / 3)
    assert np.isnan(nothing.calibration_error()) and np.isnan(nothing.risk_area())
