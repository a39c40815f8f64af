"""Memory is used again, but never while somebody looks at it."""

import jax
import numpy as np
import pytest

from rdepth_keras.data import memory
from rdepth_keras.data.memory import empty


@pytest.fixture(autouse=True)
def nothing_waits(monkeypatch):
    monkeypatch.setattr(memory, "_free", memory.defaultdict(list))


def place(array):
    return array.__array_interface__["data"][0]


def test_shapes_and_dtypes():
    array = empty((2, 3), "f4")
    assert array.shape == (2, 3) and array.dtype == np.float32 and array.flags.writeable


def test_used_again_where_nobody_holds_it():
    array = empty((4, 4), "f4")
    first = place(array)
    del array
    assert place(empty((64,), "u1")) == first, "of the same size"


def test_a_view_holds_it():
    view = empty((4, 4), "f4")[1:, ::2].T
    view[...] = 1
    for _ in range(3):
        empty((4, 4), "f4")[...] = 2
    assert (view == 1).all()


@pytest.mark.parametrize("size", [16, 1 << 20])
def test_an_array_of_jax_holds_what_it_shares(size):
    array = empty((size,), "f4")
    array[:] = 1
    there = jax.device_put(array)
    del array
    for _ in range(3):
        empty((size,), "f4")[:] = 2
    assert (np.asarray(there) == 1).all()


def test_few_blocks_wait():
    arrays = [empty((8,), "u1") for _ in range(memory.KEPT + 5)]
    del arrays
    assert len(memory._free[8]) == memory.KEPT
