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
    found = count_confidence(*draw())
    assert found.risk_area() == pytest.approx(area, abs=found.risk_bound() + 1e-12)
    assert found.risk_bound() < 1e-3 * area


def area_of_orders(confidence, right, orders):
    """The mean over orders of equally confident pixels, each sorted pixel by pixel."""
    rng, areas = np.random.default_rng(0), []
    for _ in range(orders):
        order = np.lexsort((rng.random(len(right)), -confidence))
        areas.append(np.mean(np.cumsum(~right[order]) / np.arange(1, len(right) + 1)))
    return np.mean(areas), np.std(areas) / np.sqrt(orders)


@pytest.mark.parametrize("scale", [12, 40])
def test_the_area_of_saturated_networks_is_exact(scale):
    """Most confidences are 1 or next to it, where equal bins of confidence saw no order."""
    rng = np.random.default_rng(1)
    logits = (scale * rng.normal(size=(60, 80, 5))).astype(np.float32)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = powers / powers.sum(-1, keepdims=True)
    gaps = np.diff(np.sort(logits, -1)[..., -2:])[..., 0]
    wrong = rng.random(gaps.shape) < 0.5 * np.exp(-gaps / scale)
    truth = ((probabilities.argmax(-1) + wrong) % 5).astype(np.uint8)
    assert (probabilities.max(-1) > 1 - 1 / FINE_BINS).mean() > 0.4
    area, error = area_of_orders(*flat(truth, probabilities), 300)
    found = count_confidence(truth, probabilities)
    assert abs(found.risk_area() - area) < found.risk_bound() + 4 * error
    assert found.risk_bound() < 1e-4 * area and 4 * error < 6e-3 * area


def test_equal_confidences_have_no_order():
    """By hand: one wrong of two equal pixels, first or last: (1 + 1/2) / 2 or (0 + 1/2) / 2."""
    truth, certain = np.array([[0, 1]], np.uint8), np.array([[[1.0, 0.0], [1.0, 0.0]]])
    found = count_confidence(truth, certain)
    assert found.risk_area() == pytest.approx((0.75 + 0.25) / 2) and found.risk_bound() == 0
    added = found + count_confidence(truth, np.array([[[0.6, 0.4], [0.4, 0.6]]]))
    assert added.risk_area() == pytest.approx((0.5 + 0.5 + 1 / 3 + 1 / 4) / 4)


def test_parts_add_up_and_ignored_pixels_never_count():
    truth, probabilities = draw()
    whole = count_confidence(truth, probabilities)
    parts = count_confidence(truth[:11], probabilities[:11])
    parts = parts + count_confidence(truth[11:], probabilities[11:])
    np.testing.assert_array_equal(whole.pixels, parts.pixels)
    np.testing.assert_array_equal(whole.right, parts.right)
    np.testing.assert_allclose(whole.total, parts.total)
    np.testing.assert_array_equal(whole.doubt_pixels, parts.doubt_pixels)
    np.testing.assert_array_equal(whole.doubt_right, parts.doubt_right)
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
    assert np.isnan(nothing.risk_bound())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda truth, p: (truth, np.log(p)), "Of logits, take the softmax"),
        (lambda truth, p: (truth, 2 * p), "sums from 2 to 2"),
        (lambda truth, p: (truth, np.where(p == p.max(), np.nan, p)), "sum to 1 in every pixel"),
        (lambda truth, p: (truth, p[..., :4]), r"train ids 0..3 .*received \[4\]"),
        (lambda truth, p: (truth, p[..., 0]), "probabilities must have the shape"),
        (lambda truth, p: (truth[:1], p), "probabilities must have the shape"),
        (lambda truth, p: (truth / 1, p), "as integers; received float64"),
    ],
)
def test_what_are_no_probabilities_of_these_pixels(change, said):
    with pytest.raises(ValueError, match=said):
        count_confidence(*change(*draw()))
