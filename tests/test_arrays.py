"""Shapes and sizes that cannot be are refused, and none that networks hand out."""

import numpy as np
import pytest

from rdepth_keras.arrays import check_count, check_logits, check_shape


def test_shapes():
    array = np.zeros((2, 3))
    check_shape("array", array, (2, 3))
    check_shape("array", array, (None, 3))
    for expected in ((3, 2), (2,), (2, 3, 1), (None, 2)):
        with pytest.raises(ValueError, match=r"array must have the shape .*received \(2, 3\)"):
            check_shape("array", array, expected)
    with pytest.raises(ValueError, match=r"the shape \(any, 2\)"):
        check_shape("array", array, (None, 2))


@pytest.mark.parametrize("size", [(32, 32), (33, 1024), (47, 63), (1024, 1024), (1, 1)])
@pytest.mark.parametrize("rounded", [lambda x, n: max(x // n, 1), lambda x, n: -(-x // n)])
def test_logits_of_any_stride_belong_to_their_labels(size, rounded):
    label = np.broadcast_to(np.uint8(0), (2, *size))
    for stride in (1, 2, 4, 8, 16, 32):
        places = [rounded(side, stride) for side in size]
        check_logits(np.broadcast_to(np.float32(0), (2, *places, 7)), label)


@pytest.mark.parametrize(
    ("logits", "label"),
    [
        ((1, 8, 8, 7), (2, 8, 8)),  # would be broadcast
        ((2, 8, 8, 7), (1, 8, 8)),
        ((2, 8, 8, 7), (2, 8, 8, 1)),
        ((2, 8, 8), (2, 8, 8)),
        ((2, 7, 64, 64), (2, 64, 64)),  # classes first
        ((2, 7, 128, 128), (2, 512, 512)),
        ((2, 100, 101, 7), (2, 101, 100)),  # transposed
    ],
)
def test_logits_that_are_not_of_their_labels(logits, label):
    with pytest.raises(ValueError, match="the classes last, at one stride of their labels"):
        check_logits(np.zeros(logits, np.float32), np.zeros(label, np.uint8))


def test_counts():
    check_count("parts", 1)
    check_count("parts", np.int64(3), 3)
    for value in (0, -1, 1.5, 2.0, True, "2", None):
        with pytest.raises(ValueError, match="parts must be a whole number, at least 1; received"):
            check_count("parts", value)
    with pytest.raises(ValueError, match="whole number, from 1 to 3; received 4"):
        check_count("parts", 4, 3)
