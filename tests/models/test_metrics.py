"""The Keras loss and metric against the package's own; saving what was compiled with them."""

import subprocess
import sys

import jax
import keras
import numpy as np
import pytest

from rdepth_keras.evaluate.confusion import confusion_matrix, mean_iou
from rdepth_keras.losses import cross_entropy
from rdepth_keras.models.layers.basic import IMAGE_MEAN, IMAGE_STD, Normalise
from rdepth_keras.models.metrics import CompiledCrossEntropy, MeanIoU, compiled_cross_entropy


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
    assert not np.any(metric.confusion)


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


@pytest.mark.parametrize("more", [0, 255])
def test_wide_labels_do_not_wrap(more):
    """In 32 bits 2^32 is class 0, and 2^32 + 255 is ignored."""
    truth = np.full((1, 1, 2), 2**32 + more, np.int64)
    assert np.isnan(float(compiled_cross_entropy(truth, np.zeros((1, 1, 2, 3), np.float32))))


def test_nothing_labelled_has_no_mean():
    """As of a batch, or a whole split, without labels: no score of 0."""
    metric = MeanIoU(classes=3)
    assert np.isnan(float(metric.result())), "nothing was counted yet"
    truth, scores = np.full((1, 4, 4), 255, np.uint8), np.zeros((1, 4, 4, 3), np.float32)
    metric.update_state(truth, scores)
    assert np.isnan(float(metric.result()))
    metric.update_state(truth * 0, scores)
    assert float(metric.result()) == 1


def test_logits_that_are_no_floats_are_refused():
    label = np.zeros((1, 4, 4), np.uint8)
    for dtype in (np.uint8, np.complex64):
        with pytest.raises(ValueError, match="Logits must be floats; received"):
            compiled_cross_entropy(
                label, keras.ops.convert_to_tensor(np.zeros((1, 4, 4, 3), dtype))
            )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_never_scored(value):
    metric, (truth, logits) = MeanIoU(7), batch(0, 7)
    spoilt = logits.copy()
    spoilt[0, 0, 0, 3] = value
    metric.update_state(truth, spoilt)
    metric.update_state(truth, logits)
    assert np.isnan(float(metric.result()))
    metric.reset_state()
    metric.update_state(truth, logits)
    assert 0 < float(metric.result()) < 1


@pytest.mark.parametrize("label", [7, 254, -1])
def test_the_loss_of_an_id_beyond_the_classes_is_nan(label):
    truth, logits = batch(0, 7)
    truth = truth.astype(np.int32)
    assert np.isfinite(float(compiled_cross_entropy(truth, logits)))
    truth[0, 0, 0] = label
    assert np.isnan(float(compiled_cross_entropy(truth, logits)))


@pytest.mark.parametrize("label", [1.5, 255.5, np.nan])
def test_a_label_that_is_not_whole_is_no_class(label):
    """Keras hands labels on as floats; whole ones are what they were."""
    (truth, logits), metric = batch(0, 7), MeanIoU(7)
    truth = truth.astype(np.float32)
    assert float(compiled_cross_entropy(truth, logits)) == float(
        cross_entropy(logits, batch(0, 7)[0])
    )
    logits[0, 0, 0], truth[0, 0, 0] = np.eye(7)[1], label
    assert np.isnan(float(compiled_cross_entropy(truth, logits)))
    metric.update_state(truth[:1, :1, :1], logits[:1, :1, :1])
    assert float(metric.result()) == 0 and int(np.sum(metric.confusion[-1])) == 1


@pytest.mark.parametrize(
    ("truth", "logits"),
    [
        ((2, 9, 11), (1, 9, 11, 7)),
        ((1, 9, 11), (2, 9, 11, 7)),
        ((2, 9, 11, 1), (2, 9, 11, 7)),
        ((2, 9, 11), (2, 7, 9, 11)),
    ],
)
def test_shapes_that_would_be_broadcast_are_refused(truth, logits):
    pair = np.zeros(truth, np.uint8), np.zeros(logits, np.float32)
    if logits[1] == 9:  # labels as small as that could also be of seven rows
        with pytest.raises(ValueError, match="Logits must be"):
            compiled_cross_entropy(*pair)
    with pytest.raises(ValueError, match="must have the shape"):
        MeanIoU(7).update_state(*pair)


@pytest.mark.parametrize("classes", [6, 8])
def test_other_classes_than_the_metrics_are_refused(classes):
    truth, logits = batch(0, 7)
    with pytest.raises(ValueError, match=rf"\(2, 9, 11, {classes}\); received \(2, 9, 11, 7\)"):
        MeanIoU(classes).update_state(truth, logits)


@pytest.mark.parametrize("classes", [0, -1, 256, True, 7.0])
def test_a_number_of_classes_that_cannot_be(classes):
    with pytest.raises(ValueError, match="classes must be a whole number, from 1 to 255"):
        MeanIoU(classes)


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


@pytest.mark.parametrize("stride", [1, 2])
def test_the_loss_is_the_packages_cross_entropy(stride):
    truth, logits = batch(0, 7)
    logits = logits[:, ::stride, ::stride]
    wanted = float(cross_entropy(logits, truth))
    assert float(compiled_cross_entropy(truth, logits)) == pytest.approx(wanted, rel=1e-6)
    slope, theirs = (
        jax.grad(loss)(logits)
        for loss in (lambda x: compiled_cross_entropy(truth, x), lambda x: cross_entropy(x, truth))
    )
    np.testing.assert_allclose(slope, theirs, atol=1e-8)


def test_the_loss_of_nothing_labelled_is_zero():
    truth, logits = batch(0, 7)
    assert float(compiled_cross_entropy(np.full_like(truth, 255), logits)) == 0


LOAD = """
import sys
import keras
import numpy as np
try:
    keras.saving.load_model(sys.argv[1])
except TypeError as error:
    print(error)
import rdepth_keras.models
example = dict(np.load(sys.argv[2]))
print("scores", *keras.saving.load_model(sys.argv[1]).evaluate(**example, verbose=0))
"""


@pytest.mark.parametrize("measure", [MeanIoU(3), compiled_cross_entropy])
def test_arrays_that_jax_would_misread_are_refused(measure):
    truth, logits = np.zeros((1, 2, 2), np.int32), np.ones((1, 2, 2, 3), np.float32)
    masked = np.ma.masked_array(truth, np.eye(2, dtype=bool)[None])
    with pytest.raises(ValueError, match="must be whole; received a masked array"):
        measure(masked, logits)
    with pytest.raises(ValueError, match="this machine's byte order; received >f4"):
        measure(truth, logits.astype(">f4"))


def test_another_reduction_is_refused():
    with pytest.raises(ValueError, match="has no other reduction; received 'sum'"):
        CompiledCrossEntropy(reduction="sum")
    assert CompiledCrossEntropy.from_config(compiled_cross_entropy.get_config())


@pytest.mark.parametrize("shape", [(4,), (4, 2, 2)])
def test_weights_that_would_only_scale_the_loss_are_refused(shape):
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Dense(3)])
    model.compile("sgd", loss=compiled_cross_entropy)
    x, truth = np.ones((4, 2, 2, 3), np.float32), np.zeros((4, 2, 2), np.int32)
    model.fit(x, truth, verbose=0)
    with pytest.raises(ValueError, match="takes no sample_weight or class_weight"):
        model.fit(x, truth, sample_weight=np.ones(shape), verbose=0)


@pytest.mark.proof
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_a_compiled_model_is_loaded_by_another_process(tmp_path):
    """After ``import rdepth_keras.models`` alone; without it, the error names that package."""
    image = keras.Input((9, 11, 3))
    model = keras.Model(image, keras.layers.Dense(5)(Normalise(IMAGE_MEAN, IMAGE_STD)(image)))
    model.compile("sgd", loss=compiled_cross_entropy, metrics=[MeanIoU(classes=5)])
    truth, logits = batch(0, 5)
    example = {"x": 50 * logits[..., :3], "y": truth}
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "example.npz", **example)
    script = [sys.executable, "-W", "ignore", "-c", LOAD]
    done = subprocess.run(
        [*script, str(tmp_path / "model.keras"), str(tmp_path / "example.npz")],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert "make sure they are all imported" in done.stdout
    assert "rdepth_keras.models" in done.stdout
    scores = [float(word) for word in done.stdout.split("scores")[1].split()]
    assert scores == pytest.approx(model.evaluate(**example, verbose=0), rel=1e-5)
    assert 0 < scores[1] < 1


def test_callbacks_know_which_way_is_better():
    """Keras asks this of its own metrics, and refuses ``monitor="val_miou"`` without an answer."""
    callback = keras.callbacks.EarlyStopping(monitor="val_miou")
    model = keras.Sequential([keras.layers.Input((4, 4, 3)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", loss=compiled_cross_entropy, metrics=[MeanIoU(3)])
    x, y = np.zeros((2, 4, 4, 3), np.float32), np.zeros((2, 4, 4), np.int32)
    model.fit(x, y, validation_data=(x, y), epochs=2, verbose=0, callbacks=[callback])
    assert callback.monitor_op(2.0, 1.0)


def test_one_class_is_refused():
    """The largest of one channel is always the first, and its softmax 1."""
    with pytest.raises(ValueError, match=r"BinaryIoU"):
        MeanIoU(classes=1)
    with pytest.raises(ValueError, match=r"BinaryCrossentropy"):
        compiled_cross_entropy(np.zeros((1, 4, 4), "uint8"), np.zeros((1, 4, 4, 1), "float32"))
