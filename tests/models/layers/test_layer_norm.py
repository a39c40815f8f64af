"""Our gradient against JAX's of Keras's own layer."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.layers.layer_norm import LayerNorm

RNG = np.random.default_rng(0)
SHAPES = [(2, 3, 5, 7), (2, 9, 16), (3, 2), (1, 1, 1, 33)]


def layers(shape, dtype="float32"):
    """Ours and Keras's, with equal variables that are not their initial ones."""
    pair = [
        kind(epsilon=1e-5, dtype=dtype) for kind in (LayerNorm, keras.layers.LayerNormalization)
    ]
    values = [RNG.normal(size=shape[-1:]) for _ in range(2)]
    for layer in pair:
        layer.build(shape)
        layer.set_weights(values)
    return pair


def pulled(layer, x, cotangent):
    """The value, and the gradients by x, gamma and beta."""

    def call(x, variables):
        return layer.stateless_call(variables, [], x)[0]

    y, pull = jax.vjp(call, x, [variable.value for variable in layer.variables])
    by_x, by_variables = pull(cotangent.astype(y.dtype))
    return [y, by_x, *by_variables]


@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_all_gradients_are_those_of_keras(shape):
    x, cotangent = (jnp.asarray(RNG.normal(3, 2, shape), jnp.float32) for _ in range(2))
    for ours, theirs in zip(*(pulled(layer, x, cotangent) for layer in layers(shape)), strict=True):
        assert ours.dtype == theirs.dtype
        scale = max(float(jnp.abs(theirs).max()), 1.0)
        np.testing.assert_allclose(ours, theirs, atol=2e-5 * scale)


def test_half_precision_sums_in_float32():
    shape = (2, 4, 4, 320)
    exact, half = layers(shape), layers(shape, "mixed_bfloat16")
    for variable, value in zip(half[0].variables, exact[0].variables, strict=True):
        variable.assign(value.value)
    x, cotangent = (jnp.asarray(RNG.normal(30, 1, shape), jnp.bfloat16) for _ in range(2))
    wanted = pulled(exact[0], x.astype(jnp.float32), cotangent)
    found = pulled(half[0], x, cotangent)
    assert [each.dtype for each in found] == [jnp.bfloat16] * 2 + [jnp.float32] * 2
    for ours, exactly in zip(found, wanted, strict=True):
        np.testing.assert_allclose(
            np.asarray(ours, np.float32), exactly, atol=0.01 * float(jnp.abs(exactly).max())
        )


def test_it_survives_its_configuration():
    layer = LayerNorm(epsilon=1e-6, name="norm")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(again) is LayerNorm and again.get_config() == layer.get_config()
