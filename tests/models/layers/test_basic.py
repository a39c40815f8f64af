"""The shared layers, against plain NumPy and by their properties."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.layers.basic import (
    DEPTH_MEAN,
    DEPTH_STD,
    IMAGE_MEAN,
    IMAGE_STD,
    BatchNorm,
    ConvBlock,
    DropChannels,
    DropPath,
    LayerScale,
    Normal,
    Normalise,
)


def train(layer, x):
    """One jitted call in training mode: the output and what the layer changed, by name."""
    if not layer.built:
        layer.build(x.shape)
    fixed = layer.non_trainable_variables

    @jax.jit
    def call(fixed, x):
        params = [variable.value for variable in layer.trainable_variables]
        return layer.stateless_call(params, fixed, x, training=True)

    y, after = call([variable.value for variable in fixed], x)
    return np.asarray(y), {old.name: new for old, new in zip(fixed, after, strict=True)}


def test_normal_is_decided_by_seed_and_shape():
    keras.utils.set_random_seed(3)
    first, second = Normal(0.02), Normal(0.02)
    keras.utils.set_random_seed(3)
    np.testing.assert_array_equal(first((5, 4)), Normal(0.02)((5, 4)))
    assert not np.array_equal(first((5, 4)), second((5, 4)))
    again = Normal.from_config(second.get_config())
    np.testing.assert_array_equal(again((5, 4)), second((5, 4)))


def test_normal_has_the_deviation_of_its_fan_out():
    assert np.std(Normal(0.02, seed=0)((100, 100))) == pytest.approx(0.02, rel=0.03)
    he = (2 / (3 * 3 * 64)) ** 0.5
    assert np.std(Normal(seed=0)((3, 3, 16, 64))) == pytest.approx(he, rel=0.03)


def test_normalise_takes_bytes():
    image = np.arange(27, dtype=np.uint8).reshape(1, 3, 3, 3)
    wanted = (image.astype(np.float64) - IMAGE_MEAN) / IMAGE_STD
    y = Normalise(IMAGE_MEAN, IMAGE_STD, dtype="mixed_bfloat16")(image)
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, wanted, rtol=1e-6)


def test_depth_is_normalised_as_a_grey_image():
    depth = np.linspace(0, 1, 5, dtype=np.float32).reshape(1, 5, 1, 1)
    wanted = (255 * depth.repeat(3, -1) - IMAGE_MEAN) / IMAGE_STD
    layer = Normalise(DEPTH_MEAN, DEPTH_STD, channels=1)
    np.testing.assert_allclose(layer(depth), wanted, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape(depth.shape) == wanted.shape
    again = Normalise.from_config(layer.get_config())
    np.testing.assert_array_equal(again(depth), layer(depth))


def test_normalise_refuses_other_channels():
    layer = Normalise(DEPTH_MEAN, DEPTH_STD, channels=1, name="normalise_depth")
    with pytest.raises(ValueError, match="takes 1 channels; received 3, in the shape"):
        layer(np.zeros((1, 4, 4, 3)))


def test_drop_path_drops_whole_examples():
    layer = DropPath(0.25, seed=1)
    x = np.random.default_rng(0).normal(size=(2000, 2, 1, 3)).astype(np.float32)
    y, after = train(layer, x)
    kept = np.abs(y).sum((1, 2, 3)) > 0
    assert kept.mean() == pytest.approx(0.75, abs=0.03)
    np.testing.assert_allclose(y[kept], x[kept] / 0.75, rtol=1e-6)
    layer.seed_generator.state.assign(after["seed_generator_state"])
    assert not np.array_equal(train(layer, x)[0], y)
    np.testing.assert_array_equal(train(DropPath(0.25, seed=1), x)[0], y)
    np.testing.assert_array_equal(layer(x), x)


def test_drop_path_of_rate_zero_has_no_state():
    layer = DropPath(0.0)
    x = jnp.ones((2, 1, 1, 1))
    np.testing.assert_array_equal(layer(x, training=True), x)
    assert not layer.variables


def test_drop_channels_drops_whole_maps():
    x = np.ones((50, 3, 4, 40), np.float32)
    y, _ = train(DropChannels(0.5, seed=1), x)
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    assert (y[:, 0, 0] > 0).mean() == pytest.approx(0.5, abs=0.05)


def test_layer_scale():
    x = np.ones((1, 2, 2, 3), np.float32)
    np.testing.assert_allclose(LayerScale(0.1)(x), 0.1 * x)


def test_batch_norm_equals_numpy():
    x = np.random.default_rng(0).normal(2, 3, size=(2, 2, 1, 5)).astype(np.float32)
    layer = BatchNorm()
    y, after = train(layer, x)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after["moving_mean"], 0.1 * mean, rtol=1e-5)
    unbiased = x.var((0, 1, 2), ddof=1)
    np.testing.assert_allclose(after["moving_variance"], 0.9 + 0.1 * unbiased, rtol=1e-5)
    np.testing.assert_allclose(layer(x), x / np.sqrt(1 + 1e-5), rtol=1e-5)


def test_batch_norm_of_one_value_is_finite():
    y, after = train(BatchNorm(), np.full((1, 1, 1, 2), 5, np.float32))
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_allclose(after["moving_variance"], 0.9)


def test_batch_norm_keeps_float32_statistics_under_bfloat16():
    x = np.random.default_rng(0).normal(1000, 1, size=(4, 8, 8, 1)).astype(np.float32)
    layer = BatchNorm(dtype="mixed_bfloat16")
    y, after = train(layer, jnp.asarray(x, jnp.bfloat16))
    assert y.dtype == jnp.bfloat16
    assert after["moving_mean"].dtype == jnp.float32
    stored = np.asarray(jnp.asarray(x, jnp.bfloat16), np.float32)
    np.testing.assert_allclose(after["moving_mean"], 0.1 * stored.mean((0, 1, 2)), rtol=1e-5)


def test_batch_norm_counts_the_whole_batch_on_two_devices():
    devices = jax.devices()[:2]
    if len(devices) < 2:
        pytest.skip("needs two devices: XLA_FLAGS=--xla_force_host_platform_device_count=2")
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
    x = np.random.default_rng(0).normal(size=(4, 2, 3, 2)).astype(np.float32)
    layer = BatchNorm()
    alone, split = train(layer, x), train(layer, jax.device_put(x, sharding))
    for one, two in zip(jax.tree.leaves(alone), jax.tree.leaves(split), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


def test_a_frozen_batch_norm_keeps_its_statistics():
    layer = BatchNorm()
    layer.trainable = False
    x = np.random.default_rng(0).normal(2, 3, size=(2, 2, 1, 5)).astype(np.float32)
    y = layer(x, training=True)
    np.testing.assert_allclose(y, x / np.sqrt(1 + 1e-5), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, 0)


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_conv_block(kernel_size):
    block = ConvBlock(4, kernel_size, name="block")
    y = block(np.ones((2, 5, 7, 3), np.float32))
    assert y.shape == (2, 5, 7, 4)
    assert (np.asarray(y) >= 0).all()
    assert [variable.path for variable in block.variables] == [
        "block/conv/kernel",
        "block/norm/gamma",
        "block/norm/beta",
        "block/norm/moving_mean",
        "block/norm/moving_variance",
    ]
