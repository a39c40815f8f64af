"""The depthwise convolution: value and gradient against the definition, on every path."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from rdepth_keras.models.layers.depthwise import depthwise_conv

CASES = [  # size of the map, size of the kernel, dilation
    ((9, 11), (7, 7), 1),
    ((1, 1), (7, 7), 1),
    ((2, 13), (7, 7), 1),
    ((8, 6), (3, 3), 1),
    ((7, 5), (4, 4), 1),
    ((5, 8), (2, 3), 1),
    ((6, 7), (1, 1), 1),
    ((9, 10), (3, 3), 3),
    ((6, 5), (2, 4), 2),
    ((4, 4), (3, 3), 6),
]


def convolve(x, kernel, dilation):
    """The definition, in plain NumPy."""
    height, width = x.shape[1:3]
    before = [dilation * (size - 1) // 2 for size in kernel.shape[:2]]
    y = np.zeros_like(x)
    for top in range(height):
        for left in range(width):
            for i, j in np.ndindex(*kernel.shape[:2]):
                row = top + i * dilation - before[0]
                column = left + j * dilation - before[1]
                if 0 <= row < height and 0 <= column < width:
                    y[:, top, left] += x[:, row, column] * kernel[i, j, 0]
    return y


def xla_convolve(x, kernel, dilation):
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (1, 1),
        "SAME",
        rhs_dilation=(dilation, dilation),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def draw(size, kernel_size, channels=3, dtype=np.float32):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(2, *size, channels)).astype(dtype)
    return x, generator.normal(size=(*kernel_size, 1, channels)).astype(dtype)


@pytest.mark.parametrize(("size", "kernel_size", "dilation"), CASES)
def test_value_equals_the_definition(size, kernel_size, dilation):
    x, kernel = draw(size, kernel_size)
    wanted = convolve(x, kernel, dilation)
    np.testing.assert_allclose(depthwise_conv(x, kernel, dilation), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "kernel_size", "dilation"), CASES)
def test_gradient_equals_that_of_the_plain_convolution(size, kernel_size, dilation):
    x, kernel = draw(size, kernel_size)
    cotangent = draw(size, kernel_size)[0][::-1]

    def gradients(function):
        def total(x, kernel):
            return (function(x, kernel, dilation) * cotangent).sum()

        return jax.jit(jax.grad(total, (0, 1)))(x, kernel)

    for ours, wanted in zip(gradients(depthwise_conv), gradients(xla_convolve), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-4)


def test_gradient_equals_finite_differences():
    x, kernel = draw((5, 4), (3, 3), channels=2)
    check_grads(
        lambda x, k: depthwise_conv(x, k, 1), (x, kernel), order=1, modes=["rev"], rtol=0.02
    )


def test_bfloat16_keeps_its_dtype_and_sums_in_float32():
    x, kernel = (jnp.asarray(array, jnp.bfloat16) for array in draw((16, 16), (7, 7)))
    exact = convolve(np.asarray(x, np.float32), np.asarray(kernel, np.float32), 1)
    y = depthwise_conv(x, kernel)
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(y, jnp.asarray(exact, jnp.bfloat16))
    gradients = jax.grad(lambda *a: depthwise_conv(*a).astype(jnp.float32).sum(), (0, 1))(x, kernel)
    assert {gradient.dtype for gradient in gradients} == {jnp.dtype(jnp.bfloat16)}


@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", 0), ("cuda", 3)])
def test_each_platform_gets_its_own_lowering(platform, convolutions):
    x, kernel = draw((8, 8), (7, 7))

    def call(x, kernel):
        y, pull = jax.vjp(depthwise_conv, x, kernel)
        return y, pull(y)

    text = jax.jit(call).trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.convolution") == convolutions


def test_batch_split_over_two_devices():
    devices = jax.devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices: XLA_FLAGS=--xla_force_host_platform_device_count=2")
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    x, kernel = draw((6, 7), (7, 7))

    def total(x, kernel):
        return (depthwise_conv(x, kernel) ** 2).sum()

    split = jax.jit(jax.grad(total, 1))(jax.device_put(x, sharding), kernel)
    np.testing.assert_allclose(split, jax.grad(total, 1)(x, kernel), rtol=1e-5, atol=1e-4)
