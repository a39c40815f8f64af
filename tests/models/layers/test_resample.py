"""Resizing and pooling: properties for many sizes. Parity with PyTorch is in tests/parity."""

from math import ceil

import numpy as np
import pytest

from rdepth_keras.models.layers.resample import (
    adaptive_average_pool,
    boxes,
    interpolation,
    mix,
    resize,
)

SIZES = [(1, 1), (1, 5), (2, 3), (3, 2), (7, 7), (8, 32), (13, 5), (33, 47)]


@pytest.mark.parametrize(("old", "new"), SIZES)
@pytest.mark.parametrize("align_corners", [False, True])
def test_interpolation_keeps_constants_and_lines(old, new, align_corners):
    matrix = interpolation(old, new, align_corners)
    assert matrix.shape == (new, old)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(1), 1, rtol=1e-6)
    line = matrix @ np.arange(old)
    assert (np.diff(line) >= 0).all()
    if align_corners and new > 1:
        np.testing.assert_allclose(line, np.linspace(0, old - 1, new), atol=1e-5)
    elif not align_corners:
        np.testing.assert_allclose(line + line[::-1], old - 1, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 16, 31])
@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_boxes_equal_their_definition(size, bins):
    x = np.random.default_rng(0).normal(size=size)
    means = [x[i * size // bins : ceil((i + 1) * size / bins)].mean() for i in range(bins)]
    np.testing.assert_allclose(boxes(size, bins) @ x, means, atol=1e-6)


def test_resize_to_the_same_size_changes_nothing():
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 2)).astype(np.float32)
    assert resize(x, (3, 4)) is x


def test_dtype_stays():
    import jax.numpy as jnp

    x = jnp.ones((1, 3, 4, 2), jnp.bfloat16)
    assert resize(x, (6, 5)).dtype == adaptive_average_pool(x, 2).dtype == jnp.bfloat16


def test_mix_works_along_its_axis():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    rows, columns = (np.arange(6.0, dtype=np.float32).reshape(2, 3), np.eye(4)[:3])
    wanted = np.tensordot(x, rows, (1, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(mix(x, rows, 1), wanted, rtol=1e-5)
    np.testing.assert_array_equal(mix(x, columns, 2), x[:, :, :3])
