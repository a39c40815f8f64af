"""What ``model.compile`` takes: a loss and a metric with an ignore label, on every Keras backend.

Both are registered: a model compiled with them is loaded again by ``keras.saving.load_model`` once
``rdepth_keras.models`` is imported.
"""

import keras
import numpy as np
from keras import ops

from rdepth_keras.arrays import check_count, check_logits, check_native, check_shape
from rdepth_keras.labels import IGNORE, MOST_CLASSES
from rdepth_keras.models.layers.basic import refusal, register
from rdepth_keras.models.layers.resample import resize


@register
class CompiledCrossEntropy(keras.Loss):
    """Mean cross-entropy over the labelled pixels, for ``model.compile(loss=...)``; float32.

    :func:`rdepth_keras.losses.cross_entropy` for Keras. It is one number a batch, so that weights
    of images or pixels would only scale it: they are refused, and so is another ``reduction``.
    """

    def __init__(self, name="compiled_cross_entropy", reduction="sum_over_batch_size", **options):
        super().__init__(name=name, reduction=reduction, **options)
        if reduction != "sum_over_batch_size":
            raise ValueError(
                f"{name} is the mean over a batch's labelled pixels, and has no other reduction; "
                f"received {reduction!r}. Of single pixels there is "
                "rdepth_keras.losses.pixel_cross_entropy."
            )

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The loss of train ids (B, H, W), pixels of 255 left out, and logits (B, h, w, K).

        Logits are enlarged to the size of ``y_true``. What is no train id makes the loss NaN. A
        batch without a labelled pixel has the loss 0; :class:`MeanIoU` is NaN where all are so.
        Raises ValueError for shapes that do not belong together, logits that are no floats or of
        one class, and for ``sample_weight`` or ``class_weight`` of ``fit``.
        """
        if sample_weight is not None:
            raise refusal(
                f"{self.name} takes no sample_weight or class_weight, which would only scale it. "
                "Leave them away; pixels that are not to count are 255."
            )
        check_logits(y_pred, y_true)
        dtype = keras.backend.standardize_dtype(y_pred.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(f"Logits must be floats; received {dtype}. Are they labels?")
        if y_pred.shape[-1] == 1:
            raise ValueError(
                "Logits of one class always have the entropy 0; give two or more, or take a loss "
                "for one channel, such as keras.losses.BinaryCrossentropy."
            )
        return self.call(y_true, y_pred)

    def call(self, y_true, y_pred):
        logits = resize(ops.cast(y_pred, "float32"), y_true.shape[1:])
        truth, valid, known = _train_ids(y_true, logits.shape[-1])
        safe = ops.where(known, truth, 0)
        entropy = ops.sparse_categorical_crossentropy(safe, logits, from_logits=True)
        entropy = ops.where(valid, ops.where(known, entropy, float("nan")), 0.0)
        return ops.sum(entropy) / ops.maximum(ops.sum(ops.cast(valid, "float32")), 1.0)


compiled_cross_entropy = CompiledCrossEntropy()


@register
class MeanIoU(keras.Metric):
    """Mean intersection over union of logits against train ids, pixels of 255 left out.

    Classes in neither truth nor prediction are left out of the mean; one that is predicted but
    absent counts 0. What is no train id makes its pixel a wrong prediction, never a right one.
    Without a labelled pixel the result is NaN. Predictions that are not finite make it NaN until
    the next reset. Works inside ``jit``; counts are exact up to 2^24 pixels an image, and 2^31
    between two resets.

    ``y_true`` is (B, H, W) train ids, ``y_pred`` (B, H, W, classes) logits or probabilities;
    other shapes raise ValueError, and so do classes that are no number from 2 to 255: of one
    channel the largest says nothing.
    """

    def __init__(self, classes: int = 7, name: str = "miou", **options):
        super().__init__(name=name, **options)
        check_count("classes", classes, MOST_CLASSES)
        if classes < 2:
            raise ValueError(
                "MeanIoU takes the largest of two classes or more; received classes=1. For one "
                "channel and a sigmoid, use keras.metrics.BinaryIoU."
            )
        self.classes = classes
        self._direction = "up"  # which way is better, as Keras's callbacks ask its own metrics
        # Rows are the truth; the last one is of ids beyond the classes.
        self.confusion = self.add_variable((classes + 1, classes), "zeros", dtype="int32")
        self.broken = self.add_variable((), "zeros", dtype="int32", name="broken")

    def update_state(self, y_true, y_pred, sample_weight=None):
        if sample_weight is not None:
            raise ValueError("MeanIoU counts pixels and takes no sample weights.")
        check_shape("y_true", y_true, (None, None, None))
        check_shape("y_pred", y_pred, (*y_true.shape, self.classes))
        check_native("y_pred", y_pred)
        truth, valid, known = _train_ids(y_true, self.classes)
        rows = ops.one_hot(ops.where(known, truth, self.classes), self.classes + 1)
        rows = rows * ops.cast(valid, "float32")[..., None]
        columns = ops.one_hot(ops.argmax(y_pred, -1), self.classes)
        # One matrix an image: float32 counts its pixels exactly, whichever the backend.
        counts = ops.einsum("bhwi,bhwj->bij", rows, columns)
        self.confusion.assign_add(ops.sum(ops.cast(counts, "int32"), 0))
        broken = ops.any(ops.logical_not(ops.isfinite(y_pred)))
        self.broken.assign(ops.maximum(self.broken, ops.cast(broken, "int32")))

    def result(self):
        confusion = ops.cast(self.confusion, "float32")
        hit = ops.diagonal(confusion)
        union = ops.sum(confusion, 0) + ops.sum(confusion[:-1], 1) - hit
        present = ops.cast(union > 0, "float32")
        iou, count = hit / ops.maximum(union, 1.0), ops.sum(present)
        mean = ops.sum(iou * present) / ops.maximum(count, 1.0)
        empty = ops.logical_or(self.broken > 0, ops.equal(count, 0))
        return ops.where(empty, float("nan"), mean)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


def _train_ids(y_true, classes: int):
    """Labels as int32, which of them count, and which are a class.

    They may come as floats, which Keras makes of them: one that is not whole is no class.
    """
    if isinstance(y_true, np.ndarray):
        y_true = y_true.astype(np.float32)  # JAX would cut integers to 32 bits before
    given = ops.cast(y_true, "float32")
    truth = ops.cast(given, "int32")
    known = ops.logical_and(given >= 0, given < classes)
    known = ops.logical_and(known, ops.equal(ops.cast(truth, "float32"), given))
    return truth, ops.not_equal(given, IGNORE), known
