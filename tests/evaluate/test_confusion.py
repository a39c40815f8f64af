"""Counts and scores against scikit-learn, hand-made numbers and a plain loop."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as sklearn_confusion
from sklearn.metrics import jaccard_score

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
    valid = truth != 255
    ours = confusion_matrix(truth, prediction, 7)
    np.testing.assert_array_equal(
        ours, sklearn_confusion(truth[valid], prediction[valid], labels=range(7))
    )
    np.testing.assert_allclose(
        class_iou(ours), jaccard_score(truth[valid], prediction[valid], average=None)
    )


def test_rows_are_the_truth():
    ours = confusion_matrix(np.array([0, 0, 1]), np.array([1, 1, 1]), 2)
    assert ours.tolist() == [[0, 2], [0, 1]]
    assert class_iou(ours).tolist() == [0, 1 / 3]


def test_absent_and_only_predicted_classes():
    confusion = confusion_matrix(np.array([0, 0, 0]), np.array([0, 0, 1]), 3)
    iou = class_iou(confusion)
    assert iou[0] == 2 / 3 and iou[1] == 0 and np.isnan(iou[2])
    assert mean_iou(confusion) == pytest.approx(1 / 3)


def test_ignored_pixels_never_count(maps):
    truth, prediction = maps
    changed = prediction.copy()
    changed[truth == 255] = 6
    np.testing.assert_array_equal(
        confusion_matrix(truth, prediction, 7), confusion_matrix(truth, changed, 7)
    )
    nothing = confusion_matrix(np.full((3, 3), 255), np.zeros((3, 3), int), 7)
    assert nothing.sum() == 0 and np.isnan(mean_iou(nothing))


def test_wrong_arrays_are_named():
    with pytest.raises(ValueError, match="one shape"):
        confusion_matrix(np.zeros((2, 2)), np.zeros((2, 3)), 7)
    with pytest.raises(ValueError, match=r"prediction must hold .* up to 7"):
        confusion_matrix(np.zeros(2, np.uint8), np.array([0, 7], np.uint8), 7)
