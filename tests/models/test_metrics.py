"""The Keras metric against the package's own counts."""

import jax
import numpy as np
import pytest

from rdepth_keras.evaluate.confusion import confusion_matrix, mean_iou
from rdepth_keras.models.metrics import MeanIoU


def batch(seed, classes):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, (2, 9, 11)).astype(np.uint8)
    truth[rng.random(truth.shape) < 0.3] = 255
    return truth, rng.normal(size=(2, 9, 11, classes)).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 7])
def test_equals_the_evaluators_counts(classes):
    metric, confusion = MeanIoU(classes), 0
    for seed in range(3):
        truth, logits = batch(seed, classes)
        metric.update_state(truth, logits)
        confusion = confusion + confusion_matrix(truth, logits.argmax(-1), classes)
    np.testing.assert_array_equal(metric.confusion[:-1], confusion)
    assert float(metric.result()) == pytest.approx(mean_iou(confusion), rel=1e-6)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_absent_and_only_predicted_classes():
    metric = MeanIoU(3)
    logits = np.zeros((1, 1, 3, 3), np.float32)
    logits[0, 0, :, 0] = 1
    logits[0, 0, 2] = [0, 5, 0]
    metric.update_state(np.zeros((1, 1, 3)), logits)
    assert float(metric.result()) == pytest.approx((2 / 3 + 0) / 2)


@pytest.mark.parametrize("label", [3, 9, 254, -1])
def test_ids_beyond_the_classes_are_wrong_predictions(label):
    """Right are two pixels of class 2, which is also predicted where there is no such class."""
    metric = MeanIoU(3)
    logits = np.zeros((1, 1, 3, 3), np.float32)
    logits[..., 2] = 1
    metric.update_state(np.array([[[2, 2, label]]]), logits)
    assert float(metric.result()) == pytest.approx(2 / 3)


def test_works_under_jit():
    metric, (truth, logits) = MeanIoU(7), batch(0, 7)

    @jax.jit
    def score(variables, truth, logits):
        variables = metric.stateless_update_state(variables, truth, logits)
        return metric.stateless_result(variables)

    value = score([variable.value for variable in metric.variables], truth, logits)
    assert float(value) == pytest.approx(
        mean_iou(confusion_matrix(truth, logits.argmax(-1), 7)), rel=1e-6
    )


def test_weights_are_refused():
    with pytest.raises(ValueError, match="no sample weights"):
        MeanIoU(7).update_state(*batch(0, 7), sample_weight=1.0)
