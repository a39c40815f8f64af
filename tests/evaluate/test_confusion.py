"""Counts and scores against scikit-learn, hand-made numbers and a plain loop."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from rdepth_keras.evaluate import confusion as ours
from rdepth_keras.evaluate.confusion import class_iou, confusion_matrix, mean_iou


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 7, (40, 30)).astype(np.uint8)
    prediction = np.where(rng.random(truth.shape) < 0.5, truth, rng.integers(0, 7, truth.shape))
    truth[rng.random(truth.shape) < 0.2] = 255
    return truth, prediction.astype(np.uint8)


def test_equals_scikit_learn(maps):
    truth, prediction = maps
    pair = truth[truth != 255], prediction[truth != 255]
    counts = confusion_matrix(truth, prediction, 7)
    np.testing.assert_array_equal(counts, metrics.confusion_matrix(*pair, labels=range(7)))
    for score, theirs in (
        (class_iou, metrics.jaccard_score(*pair, average=None)),
        (ours.class_f1, metrics.f1_score(*pair, average=None)),
        (ours.class_precision, metrics.precision_score(*pair, average=None)),
        (ours.class_recall, metrics.recall_score(*pair, average=None)),
        (mean_iou, metrics.jaccard_score(*pair, average="macro")),
        (ours.overall_accuracy, metrics.accuracy_score(*pair)),
        (ours.kappa, metrics.cohen_kappa_score(*pair)),
        (ours.frequency_weighted_iou, metrics.jaccard_score(*pair, average="weighted")),
    ):
        np.testing.assert_allclose(score(counts), theirs, err_msg=score.__name__)


@pytest.mark.parametrize(
    "score",
    [
        class_iou, ours.class_f1, ours.class_precision, ours.class_recall, mean_iou,
        ours.overall_accuracy, ours.kappa, ours.frequency_weighted_iou,
    ],
)  # fmt: skip
def test_leading_axes_are_scored_one_by_one(score):
    many = np.random.default_rng(1).integers(0, 9, (2, 3, 4, 4))
    many[1, 2] = 0
    many[0, 1, :, 3] = many[0, 1, 3] = 0
    expected = [[score(one) for one in row] for row in many]
    np.testing.assert_array_equal(score(many), expected)


def test_rows_are_the_truth():
    counts = confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 1]), 2)
    assert counts.tolist() == [[0, 2], [0, 1]]
    assert class_iou(counts).tolist() == [0, 1 / 3]


def test_absent_and_only_predicted_classes():
    counts = confusion_matrix(np.array([0, 0, 0]), np.array([0, 0, 1]), 3)
    iou = class_iou(counts)
    assert iou[0] == 2 / 3 and iou[1] == 0 and np.isnan(iou[2])
    assert mean_iou(counts) == pytest.approx(1 / 3)
    assert mean_iou(counts, "truth") == pytest.approx(2 / 3)
    assert mean_iou(counts, "zero") == pytest.approx(2 / 9)
    assert np.isnan(ours.class_recall(counts)[1:]).all()
    assert np.isnan(ours.class_precision(counts)).tolist() == [False, False, True]
    with pytest.raises(ValueError, match="absent must be one of"):
        mean_iou(counts, "ignored")


def test_kappa_by_hand():
    counts = np.array([[20, 5], [10, 15]])
    assert ours.kappa(counts) == pytest.approx(0.4)  # (0.7 - 0.5) / (1 - 0.5)
    assert np.isnan(ours.kappa(np.array([[9, 0], [0, 0]])))


def test_ignored_pixels_never_count(maps):
    truth, prediction = maps
    changed = prediction.copy()
    changed[truth == 255] = 6
    np.testing.assert_array_equal(
        confusion_matrix(truth, prediction, 7), confusion_matrix(truth, changed, 7)
    )
    nothing = confusion_matrix(np.full((3, 3), 255), np.zeros((3, 3), int), 7)
    assert nothing.sum() == 0
    for absent in ("union", "truth", "zero"):
        assert np.isnan(mean_iou(nothing, absent))


def test_wrong_arrays_are_named():
    with pytest.raises(ValueError, match="one shape"):
        confusion_matrix(np.zeros((2, 2)), np.zeros((2, 3)), 7)
    with pytest.raises(ValueError, match=r"prediction must hold .* received \[7\]"):
        confusion_matrix(np.zeros(2, np.uint8), np.array([0, 7], np.uint8), 7)
    whole = np.array([0, 6], np.uint8)
    for name, pair in (("truth", (whole / 1, whole)), ("prediction", (whole, whole + 0.5))):
        with pytest.raises(ValueError, match=f"{name} must hold .* as integers; received float64"):
            confusion_matrix(*pair, 7)
    with pytest.raises(ValueError, match=r"prediction must hold .* received \[255\]"):
        confusion_matrix(whole, np.array([0, 255], np.uint8), 7)
    with pytest.raises(ValueError, match="classes must be a whole number, from 1 to 255; .* 300"):
        confusion_matrix(whole, whole, 300)
    for strange in (-1, 0.5, np.nan):
        with pytest.raises(ValueError, match=rf"whole numbers of pixels; received \[{strange}"):
            mean_iou(np.array([[3, strange], [0, 1]]))
    for shape in ((5, 4), (25,)):
        with pytest.raises(ValueError, match=r"must be \(\.\.\., classes, classes\).* received"):
            mean_iou(np.ones(shape, np.int64))


def test_masked_arrays_are_refused():
    """What is masked would count as right: a sum passes over it, and an index does not."""
    whole = np.zeros((2, 2), np.uint8)
    masked = np.ma.masked_array(whole, [[True, False], [False, False]])
    for name, pair in (("truth", (masked, whole)), ("prediction", (whole, masked))):
        with pytest.raises(ValueError, match=rf"The {name} must be whole; .* \.filled\(255\)"):
            confusion_matrix(*pair, 7)
    assert confusion_matrix(np.ma.masked_array(whole), whole, 7).sum() == 4  # nothing is masked


SCORES = (
    ours.class_iou, ours.class_f1, ours.class_precision, ours.class_recall, ours.mean_iou,
    ours.overall_accuracy, ours.kappa, ours.frequency_weighted_iou,
)  # fmt: skip


@pytest.mark.parametrize("score", SCORES)
def test_counts_of_narrow_integers_do_not_overflow(score):
    small = np.array([[200, 10], [20, 130]], np.uint8)
    for factor, dtype in ((1, np.uint8), (250, np.uint16), (9_000_000, np.int32)):
        counts = (small.astype(np.int64) * factor).astype(dtype)
        np.testing.assert_allclose(score(counts), score(small.astype(np.int64)))
    np.testing.assert_allclose(score(jnp.asarray(small)), score(small.astype(np.int64)))


def test_one_hot_maps_are_refused():
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 3, (2, 4, 5)), rng.integers(0, 3, (2, 4, 5))
    with pytest.raises(ValueError, match=r"one 0 or 1 for each of 3 classes. Take .argmax"):
        confusion_matrix(np.eye(3, dtype=int)[truth], np.eye(3, dtype=int)[said], 3)
