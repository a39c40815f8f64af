"""The pure face of a Keras model."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.network import Network


@pytest.fixture
def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dropout(0.5, name="first")(x)
    x = keras.layers.Dropout(0.5, name="second")(x)
    return Network(keras.Model({"image": image}, x))


@pytest.fixture
def batch():
    return {"image": jax.random.uniform(jax.random.key(1), (2, 8, 8, 3)), "depth": None}


def test_inference_equals_keras_and_leaves_buffers(network, batch):
    params, buffers = network.init()
    outputs, after = jax.jit(network.apply)(params, buffers, batch_image(batch))
    np.testing.assert_allclose(outputs, network.model(batch_image(batch)), rtol=1e-5, atol=1e-6)
    assert after.keys() == buffers.keys()
    for path in buffers:
        np.testing.assert_array_equal(after[path], buffers[path])


def batch_image(batch):
    return {"image": batch["image"]}


def test_training_moves_buffers_and_draws_from_the_key(network, batch):
    params, buffers = network.init()
    key = jax.random.key(3)
    one, after = network.apply(params, buffers, batch, key)
    same, _ = network.apply(params, buffers, batch, key)
    other, _ = network.apply(params, buffers, batch, jax.random.key(4))
    np.testing.assert_array_equal(one, same)
    assert (np.asarray(one) != np.asarray(other)).any()
    assert any((np.asarray(after[path]) != np.asarray(buffers[path])).any() for path in buffers)


def test_two_dropouts_draw_differently(network, batch):
    params, buffers = network.init()
    ones = {**params, "conv/kernel": jnp.zeros((3, 3, 3, 4)), "norm/beta": jnp.ones(4)}
    outputs, _ = network.apply(ones, buffers, batch, jax.random.key(0))
    kept = float((np.asarray(outputs) > 0).mean())
    assert 0.15 < kept < 0.35, "both dropouts keep a half: together a quarter"


def test_init_copies(network):
    params, _ = network.init()
    before = np.asarray(network.model.trainable_variables[0].value).copy()
    jax.jit(lambda tree: jax.tree.map(lambda x: x + 1, tree), donate_argnums=0)(params)
    np.testing.assert_array_equal(network.model.trainable_variables[0].value, before)


def test_write_is_the_inverse_of_init(network, batch):
    params, buffers = network.init()
    changed = {path: value + 0.5 for path, value in params.items()}
    network.write(changed, buffers)
    np.testing.assert_allclose(
        network.model(batch_image(batch)), network.apply(changed, buffers, batch)[0], rtol=1e-5
    )


def test_equal_paths_are_refused():
    def encoder(name):
        x = keras.Input((4,))
        return keras.Model(x, keras.layers.Dense(2, name="dense")(x), name=name)

    image, depth = keras.Input((4,), name="image"), keras.Input((4,), name="depth")
    both = keras.layers.Concatenate()([encoder("one")(image), encoder("two")(depth)])
    with pytest.raises(ValueError, match="dense/kernel"):
        Network(keras.Model({"image": image, "depth": depth}, both))
