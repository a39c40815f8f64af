"""Flipped and turned views: copied as NumPy copies them."""

import numpy as np
import pytest

from rdepth_keras.data.views import contiguous, copy_into


def views(array):
    """All eight symmetries, and a part of another array."""
    for axes in ((), (0,), (1,), (0, 1)):
        yield np.flip(array, axes)
        yield np.flip(array.swapaxes(0, 1), axes)
    yield np.pad(array, [(1, 2)] * 2 + [(0, 0)] * (array.ndim - 2))[1:-2, 1:-2]


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((5, 8, 3), "u1"), ((8, 5, 1), "f4"), ((7, 7), "u1"), ((1, 6), "u1"), ((6, 1, 3), "f4")],
)
def test_copies_are_those_of_numpy(shape, dtype):
    array = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    for view in views(array):
        target = np.zeros((2, *view.shape), dtype)
        copy_into(target[1], view)
        np.testing.assert_array_equal(target[1], view, strict=True)
        assert not target[0].any()
        copy = contiguous(view)
        assert copy.flags.c_contiguous
        np.testing.assert_array_equal(copy, view, strict=True)
    assert contiguous(array) is array


def test_numbers():
    target = np.zeros(3, int)
    copy_into(target[1, ...], np.asarray(7))
    assert target.tolist() == [0, 7, 0]


@pytest.mark.parametrize("other", [np.zeros((4, 4, 1), "u1"), np.zeros((4, 4, 3), "f4")])
def test_nothing_is_broadcast_or_cast(other):
    with pytest.raises(ValueError, match=r"uint8 \(4, 4, 3\) is expected; received"):
        copy_into(np.zeros((4, 4, 3), "u1"), other)
