"""A batch in parts: the gradients of the whole batch, whatever the valid pixels of each part."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.losses import cross_entropy
from rdepth_keras.models.network import Network


def network(chunks):
    keras.utils.set_random_seed(0)
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Conv2D(8, 3, padding="same", activation="gelu", name="one")(image)
    x = keras.layers.LayerNormalization(name="norm")(x)
    return Network(keras.Model({"image": image}, keras.layers.Conv2D(7, 1, name="two")(x)), chunks)


def example():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 7, (6, 8, 8)).astype(np.uint8)
    label[0] = 255  # parts differ in their number of valid pixels
    label[3, :5] = 255
    return jnp.asarray(rng.random((6, 8, 8, 3)), jnp.float32), jnp.asarray(label)


@pytest.mark.parametrize("chunks", [2, 3, 6])
@pytest.mark.parametrize("average", ["valid", "all"])
def test_equal_to_the_large_batch(chunks, average):
    image, label = example()

    def gradients(chunks):
        net = network(chunks)
        params, buffers = net.init()

        def loss(params):
            outputs, _ = net.apply(params, buffers, {"image": image}, jax.random.key(0))
            return cross_entropy(outputs, label, average=average)

        return jax.jit(jax.value_and_grad(loss))(params)

    (value, whole), (value_parts, parts) = gradients(1), gradients(chunks)
    np.testing.assert_allclose(value_parts, value, rtol=1e-6)
    for path in whole:
        np.testing.assert_allclose(parts[path], whole[path], rtol=1e-4, atol=1e-6)


def test_the_order_of_the_batch_is_kept():
    image, _ = example()
    params, buffers = network(1).init()
    key = jax.random.key(0)
    whole, _ = network(1).apply(params, buffers, {"image": image}, key)
    parts, _ = network(3).apply(params, buffers, {"image": image}, key)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


def test_parts_must_be_equal():
    net = network(4)
    params, buffers = net.init()
    with pytest.raises(ValueError, match="6 cannot go through in 4"):
        net.apply(params, buffers, {"image": example()[0]}, jax.random.key(0))
