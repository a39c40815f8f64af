"""Boundaries against a plain loop over classes and pixels, by hand, and properties."""

import numpy as np
import pytest

from rdepth_keras.evaluate.boundary import boundary, boundary_counts, boundary_iou


def twin_boundary(label, own, distance):
    """Pixels of a class within the distance of one that is not (ignored ones excused)."""
    height, width = label.shape
    found = np.zeros(label.shape, bool)
    for row, column in np.argwhere(label == own):
        top, left = row - distance, column - distance
        bottom, right = row + distance, column + distance
        inside = min(top, left) >= 0 and bottom < height and right < width
        around = label[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
        found[row, column] = not inside or (~np.isin(around, (own, 255))).any()
    return found


def maps(seed=0, side=26):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, (4, 4)).repeat(side // 4 + 1, 0).repeat(side // 4 + 1, 1)
    truth = truth[:side, : side - 3].astype(np.uint8)
    prediction = np.roll(truth, 2, axis=1)
    truth[5:9, 3:11] = 255
    return truth, prediction


@pytest.mark.parametrize("distance", [1, 2, 4])
def test_plain_loop(distance):
    truth, prediction = maps()
    seen = np.where(truth == 255, 255, prediction)
    counts = boundary_counts(truth, prediction, 4, distance)
    assert counts.dtype == np.int64
    for own in range(4):
        one, other = twin_boundary(truth, own, distance), twin_boundary(seen, own, distance)
        assert counts[:, own].tolist() == [(one & other).sum(), (one | other).sum()]


def test_by_hand():
    truth = np.zeros((5, 5), np.uint8)
    assert (~boundary(truth, 1)).sum() == 9  # the edge of the image is a contour
    truth[2, 2] = 1
    assert boundary(truth, 1).all()
    truth[2, 2] = 255
    assert not boundary(truth, 1)[1:-1, 1:-1].any()  # next to unknown ground there is none


def test_the_default_distance_is_two_percent_of_the_diagonal():
    truth, prediction = maps(side=120)
    expected = boundary_counts(truth, prediction, 3, 3)  # 0.02 * hypot(120, 117) = 3.35
    np.testing.assert_array_equal(boundary_counts(truth, prediction, 3), expected)


def test_what_is_predicted_on_ignored_pixels_changes_nothing():
    truth, prediction = maps(seed=1)
    changed = prediction.copy()
    changed[truth == 255] = 2
    np.testing.assert_array_equal(
        boundary_counts(truth, prediction, 3, 2), boundary_counts(truth, changed, 3, 2)
    )


def test_perfect_and_absent():
    truth, _ = maps()
    iou = boundary_iou(boundary_counts(truth, np.where(truth == 255, 0, truth), 4))
    assert iou[:3].tolist() == [1, 1, 1] and np.isnan(iou[3])


def test_the_largest_class_ends_at_the_edge_of_the_image_too():
    whole = np.full((9, 9), 254, np.uint8)
    np.testing.assert_array_equal(boundary(whole, 2), boundary(whole * 0, 2))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"truth": np.full((6, 6), 3)}, r"truth must hold train ids 0..2 .* \[3\]"),
        ({"prediction": np.full((6, 6), 256)}, r"prediction must hold .* \[256\]"),
        ({"prediction": np.full((6, 6), 255)}, r"prediction must hold .* \[255\]"),
        ({"prediction": np.zeros((6, 6))}, "as integers; received float64"),
        ({"prediction": np.zeros((6, 1), int)}, r"the shape \(6, 6\); received \(6, 1\)"),
        ({"distance_pixels": 0}, "distance_pixels must be a whole number, at least 1"),
    ],
)
def test_what_cannot_be_counted_is_refused(change, said):
    same = np.zeros((6, 6), int)
    with pytest.raises(ValueError, match=said):
        boundary_counts(**{"truth": same, "prediction": same, "classes": 3, **change})
