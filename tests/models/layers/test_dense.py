"""The dense convolution: its fast paths against the plain one, values and both gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from rdepth_keras.models.layers import dense, winograd
from rdepth_keras.models.layers.dense import dense_conv

CASES = [  # size of the map, size of the kernel, dilation
    ((9, 11), (3, 3), (1, 1)),
    ((1, 1), (3, 3), (1, 1)),
    ((2, 13), (7, 7), (1, 1)),
    ((7, 5), (4, 4), (1, 1)),
    ((5, 8), (2, 3), (1, 1)),
    ((6, 7), (1, 1), (1, 1)),
    ((9, 10), (3, 3), (3, 3)),
    ((8, 6), (3, 3), (2, 1)),
    ((2, 1), (3, 3), (1, 2)),
    ((6, 5), (2, 4), (2, 1)),
    ((4, 4), (3, 3), (6, 6)),
]


@pytest.fixture
def by_taps(monkeypatch):
    """The gradient by taps for maps of any size."""
    monkeypatch.setattr(dense, "LARGE", 0)


@pytest.fixture
def by_winograd(monkeypatch, by_taps):
    """Winograd's convolution for all of 3x3, whatever it costs."""
    monkeypatch.setattr(dense, "WIDE", 0)
    monkeypatch.setattr(dense, "MANY", 0)
    monkeypatch.setattr(dense, "FEW", np.inf)


@pytest.fixture
def in_strips(monkeypatch, by_winograd):
    """The same, a row of tiles at a time."""
    monkeypatch.setattr(winograd, "STRIP", 1)


@pytest.fixture(params=["by_taps", "by_winograd", "in_strips"])
def fast(request):
    """Each of them, one after the other."""
    return request.getfixturevalue(request.param)


def plain(x, kernel, dilation=(1, 1)):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", rhs_dilation=dilation, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def draw(size, kernel_size, dtype=np.float32, channels=(3, 4)):
    """A map, a kernel and a cotangent."""
    generator = np.random.default_rng(0)
    shapes = (2, *size, channels[0]), (*kernel_size, *channels), (2, *size, channels[1])
    return [jnp.asarray(generator.normal(size=shape), dtype) for shape in shapes]


def differentiate(function, x, kernel, cotangent, dilation=(1, 1)):
    """The value and both gradients, under jit."""

    @jax.jit
    def call(x, kernel, cotangent):
        y, pull = jax.vjp(lambda x, kernel: function(x, kernel, dilation), x, kernel)
        return y, *pull(cotangent)

    return call(x, kernel, cotangent)


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("channels", [(3, 4), (4, 3)])
@pytest.mark.parametrize(("size", "kernel_size", "dilation"), CASES)
def test_value_and_gradients_equal_those_of_the_plain_convolution(
    size, kernel_size, dilation, channels
):
    arrays = draw(size, kernel_size, channels=channels)
    ours = differentiate(dense_conv, *arrays, dilation)
    for one, wanted in zip(ours, differentiate(plain, *arrays, dilation), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("fast")
def test_gradient_equals_finite_differences():
    x, kernel, _ = draw((5, 4), (3, 3))
    check_grads(dense_conv, (x, kernel), order=1, modes=["rev"], rtol=0.02)


@pytest.mark.usefixtures("fast")
def test_bfloat16_keeps_its_dtype_and_sums_in_float32():
    arrays = draw((16, 16), (3, 3), jnp.bfloat16)
    exact = differentiate(plain, *(array.astype(jnp.float32) for array in arrays))
    for one, wanted in zip(differentiate(dense_conv, *arrays), exact, strict=True):
        assert one.dtype == jnp.bfloat16
        np.testing.assert_allclose(one.astype(jnp.float32), wanted, rtol=0.01, atol=0.05)


@pytest.mark.usefixtures("by_taps")
@pytest.mark.parametrize(("platform", "convolutions"), [("cpu", 2), ("cuda", 3)])
def test_each_platform_gets_its_own_lowering(platform, convolutions):
    traced = jax.jit(lambda *arrays: differentiate(dense_conv, *arrays)).trace(
        *draw((8, 8), (3, 3))
    )
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.convolution") == convolutions


@pytest.mark.usefixtures("by_winograd")
@pytest.mark.parametrize(("platform", "convolutions", "products"), [("cpu", 0, 48), ("cuda", 3, 0)])
def test_winograd_is_for_the_cpu_alone(platform, convolutions, products):
    traced = jax.jit(lambda *arrays: differentiate(dense_conv, *arrays)).trace(
        *draw((8, 8), (3, 3))
    )
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count("stablehlo.convolution") == convolutions
    assert text.count("stablehlo.dot_general") == products


@pytest.mark.parametrize(
    ("size", "channels", "dilation", "products"),
    [
        ((64, 64), 256, (1, 1), 48),
        ((64, 64), 128, (1, 1), 1),  # too narrow: by taps
        ((63, 65), 256, (1, 1), 48),
        ((64, 64), 256, (2, 2), 48),
        ((64, 64), 256, (24, 24), 1),  # half of the tiles would be filling
        ((16, 16), 256, (1, 1), 0),  # small
        ((24, 24), 1024, (1, 1), 1),  # few pixels: the kernel's gradient alone
    ],
)
def test_winograd_is_taken_where_it_saves(size, channels, dilation, products):
    shapes = (2, *size, 256), (3, 3, 256, channels), (2, *size, channels)
    arrays = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    call = jax.jit(lambda *arrays: differentiate(dense_conv, *arrays, dilation))
    assert call.lower(*arrays).as_text().count("stablehlo.dot_general") == products


@pytest.mark.usefixtures("by_winograd")
def test_winograd_rounds_as_the_plain_convolution_does():
    x, kernel, cotangent = draw((32, 32), (3, 3))
    exact = np.zeros((2, 32, 32, 4))
    padded = np.pad(np.asarray(x, np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    for row in range(3):
        for column in range(3):
            window = padded[:, row : row + 32, column : column + 32]
            exact += window @ np.asarray(kernel, np.float64)[row, column]
    ours = differentiate(dense_conv, x, kernel, cotangent)[0]
    assert np.abs(ours - exact).max() < 1e-6 * np.abs(exact).max()


@pytest.mark.parametrize(("channels", "products"), [(63, 0), (64, 1)])
def test_small_maps_stay_plain(channels, products):
    shapes = (4, 64, 64, 64), (3, 3, 64, channels), (4, 64, 64, channels)
    arrays = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    text = jax.jit(lambda *arrays: differentiate(dense_conv, *arrays)).lower(*arrays).as_text()
    assert text.count("stablehlo.dot_general") == products


@pytest.mark.usefixtures("fast")
def test_batch_split_over_two_devices():
    devices = jax.devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices: XLA_FLAGS=--xla_force_host_platform_device_count=2")
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    x, kernel, cotangent = draw((6, 7), (3, 3))
    x, cotangent = jax.device_put((x, cotangent), sharding)
    split = differentiate(dense_conv, x, kernel, cotangent)
    assert split[1].sharding.is_equivalent_to(sharding, x.ndim), "nothing is gathered"
    for one, wanted in zip(split, differentiate(plain, *draw((6, 7), (3, 3))), strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4)
