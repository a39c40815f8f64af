"""The pure face of a Keras model."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.network import Network


def build(norm):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(4, 3, padding="same", name="conv")(image)
    x = norm(name="norm")(x)
    x = keras.layers.Dropout(0.5, name="first")(x)
    x = keras.layers.Dropout(0.5, name="second")(x)
    return Network(keras.Model({"image": image}, x))


@pytest.fixture
def network():
    return build(BatchNorm)


@pytest.fixture
def batch():
    return {"image": jax.random.uniform(jax.random.key(1), (2, 8, 8, 3)), "depth": None}


def test_another_floatx_is_refused():
    """Layers without a dtype of their own, and draws, would come in it, and nothing would tell."""
    keras.config.set_floatx("float16")
    try:
        with pytest.raises(
            RuntimeError, match=r"floatx float32; it is float16\. Set it back in keras.json"
        ):
            build(BatchNorm)
    finally:
        keras.config.set_floatx("float32")


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


def share_of_zeros(outputs):
    return float((np.asarray(outputs) == 0).mean())


@pytest.mark.parametrize("norm", [BatchNorm, TransNorm])
def test_dropout_and_statistics_are_switched_apart(norm, batch):
    network, key = build(norm), jax.random.key(3)
    params, buffers = network.init()
    found = {}
    for statistics in ("batch", "running"):
        still, after = network.apply(params, buffers, batch, statistics=statistics)
        drawn, same = network.apply(params, buffers, batch, key, statistics)
        moved = any((np.asarray(after[path]) != np.asarray(buffers[path])).any() for path in after)
        assert moved == (statistics == "batch")
        for path in after:
            np.testing.assert_array_equal(after[path], same[path], err_msg=path)
        assert share_of_zeros(still) < 0.05 and 0.6 < share_of_zeros(drawn) < 0.9
        # What is not dropped is as without dropout, times 1 / (0.5 * 0.5).
        kept = np.asarray(drawn) != 0
        np.testing.assert_allclose(np.asarray(drawn)[kept], 4 * np.asarray(still)[kept], rtol=1e-5)
        found[statistics] = still
    assert (np.asarray(found["batch"]) != np.asarray(found["running"])).any()
    for statistics, given in (("batch", key), ("running", None)):
        named, one = network.apply(params, buffers, batch, given, statistics)
        default, other = network.apply(params, buffers, batch, given)
        np.testing.assert_array_equal(named, default)
        for path in one:
            np.testing.assert_array_equal(one[path], other[path], err_msg=path)


def test_a_norm_of_kerass_own_cannot_choose_its_statistics(batch):
    network = build(keras.layers.BatchNormalization)
    network.apply(*network.init(), batch, jax.random.key(0))
    with pytest.raises(ValueError, match="statistics of the layer norm cannot be chosen"):
        network.apply(*network.init(), batch, statistics="batch")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"kernel_regularizer": "l2"}, "the regularizer of conv/kernel"),
        ({"bias_constraint": "non_neg"}, "the constraint of conv/bias"),
        ({"activity_regularizer": "l1"}, "the activity_regularizer of conv"),
    ],
)
def test_what_only_kerass_loop_adds_is_refused_in_training(network, asked, told):
    """A prediction has nothing of it."""
    network.check_plain()
    image = keras.Input((8, 8, 3), name="image")
    out = keras.layers.Conv2D(4, 3, name="conv", **asked)(image)
    ours = Network(keras.Model({"image": image}, out))
    with pytest.raises(ValueError, match=f"Keras's own loop adds: {told}. Leave it away"):
        ours.check_plain()
    ours.apply(*ours.init(), {"image": jnp.zeros((1, 8, 8, 3))})


def test_other_words_for_the_statistics_are_refused(network, batch):
    with pytest.raises(ValueError, match="must be 'batch' or 'running', or None; received 'own'"):
        network.apply(*network.init(), batch, statistics="own")


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
