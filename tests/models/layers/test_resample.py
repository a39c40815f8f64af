"""Resizing and pooling: properties for many sizes. Parity with PyTorch is in tests/parity."""

from math import ceil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.models.layers.resample import (
    adaptive_average_pool,
    boxes,
    interpolation,
    mix,
    nonzero,
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


def by_matrices(x, size, align_corners):
    for axis, new in zip((1, 2), size, strict=True):
        x = mix(x, interpolation(x.shape[axis], new, align_corners), axis)
    return x


@pytest.mark.parametrize("size", [*SIZES, (1, 40), (40, 1), (5, 97), (90, 7)])
@pytest.mark.parametrize("align_corners", [False, True])
def test_resize_and_its_gradient_equal_products_with_the_matrices(size, align_corners):
    """The sizes reach past the widest sum that is written out."""
    old, new = (size[0], size[1]), (size[1], size[0] + 1)
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.normal(size=(2, *old, 3)), jnp.float32)
    cotangent = jnp.asarray(generator.normal(size=(2, *new, 3)), jnp.float32)

    def call(function):
        y, pull = jax.vjp(lambda x: function(x, new, align_corners), x)
        return y, *pull(cotangent)

    for ours, wanted in zip(
        jax.jit(call, static_argnums=0)(resize), call(by_matrices), strict=True
    ):
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(ours / scale, wanted / scale, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), SIZES)
def test_the_nonzero_part_is_the_whole_matrix(old, new):
    for matrix in (interpolation(old, new), interpolation(old, new).T):
        index, weights = nonzero(matrix)
        again = np.zeros_like(matrix)
        np.add.at(again, (np.arange(len(matrix)), index), weights)
        np.testing.assert_array_equal(again, matrix)


def test_bfloat16_is_summed_in_float32():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 5, 6, 2)), jnp.bfloat16)
    exact = by_matrices(x.astype(jnp.float32), (10, 24), False)
    y, pull = jax.vjp(lambda x: resize(x, (10, 24)), x)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=0.01, atol=0.01)
    assert pull(y)[0].dtype == y.dtype == jnp.bfloat16


def test_batch_split_over_two_devices():
    devices = jax.devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices: XLA_FLAGS=--xla_force_host_platform_device_count=2")
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    x = np.random.default_rng(0).normal(size=(4, 3, 5, 2)).astype(np.float32)
    gradient = jax.jit(jax.grad(lambda x: (resize(x, (6, 7)) ** 2).sum()))
    split = gradient(jax.device_put(x, sharding))
    assert split.sharding.is_equivalent_to(sharding, x.ndim), "nothing is gathered"
    np.testing.assert_allclose(split, gradient(x), rtol=1e-5, atol=1e-5)


def test_dtype_stays():
    x = jnp.ones((1, 3, 4, 2), jnp.bfloat16)
    assert resize(x, (6, 5)).dtype == adaptive_average_pool(x, 2).dtype == jnp.bfloat16


def test_mix_works_along_its_axis():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    rows, columns = (np.arange(6.0, dtype=np.float32).reshape(2, 3), np.eye(4)[:3])
    wanted = np.tensordot(x, rows, (1, 1)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(mix(x, rows, 1), wanted, rtol=1e-5)
    np.testing.assert_array_equal(mix(x, columns, 2), x[:, :, :3])
