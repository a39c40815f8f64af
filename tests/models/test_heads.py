"""Classifier heads and the end of a network."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.heads import Head, Output


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("channels", [None, 6])
def test_logits_are_float32_under_any_policy(channels):
    head = Head(3, channels, name="head", dtype="mixed_bfloat16")
    y = head(jnp.asarray(draw(2, 5, 4, 8), jnp.bfloat16))
    assert (y.shape, y.dtype) == ((2, 5, 4, 3), jnp.float32)
    assert head.classifier.kernel.shape == (channels or 8, 3)


def test_head_is_a_linear_classifier():
    head = Head(3, name="head")
    x = draw(1, 2, 2, 4)
    y = head(x)
    kernel, bias = (variable.value for variable in head.trainable_variables)
    np.testing.assert_allclose(y, x @ kernel + bias, rtol=1e-5, atol=1e-7)


def test_dropout_acts_in_training_only():
    keras.utils.set_random_seed(0)
    head = Head(3, dropout=0.9, name="head")
    x = draw(4, 2, 2, 50)
    np.testing.assert_array_equal(head(x), head(x))
    assert not np.allclose(head(x, training=True), head(x))


def test_output():
    maps = {"image": draw(1, 8, 12, 3), "logits": draw(1, 2, 3, 5), "features": (draw(1, 2, 3, 4),)}
    assert Output()(maps).shape == (1, 8, 12, 5)
    taps = Output(taps=True)(maps)
    assert taps.keys() == {"logits", "features"}
    np.testing.assert_array_equal(taps["logits"], maps["logits"])
