"""A batch in parts: the parts, their order, and what cannot be. Encoders: tests/train."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.layers.memory import check_backend, in_parts


def test_parts_give_the_whole_and_its_gradient():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    draws = [np.arange(6, dtype=np.float32)[:, None], None]

    def function(x, draws):
        assert draws[1] is None
        return jnp.sin(x) * draws[0], x + 1

    whole, parts = function(x, draws), in_parts(function, 3, x, draws)
    for one, two in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)

    def energy(x, parts):
        return sum((y**2).sum() for y in in_parts(function, parts, x, draws))

    slopes = [jax.grad(energy)(x, parts) for parts in (1, 2)]
    np.testing.assert_allclose(slopes[0], slopes[1], rtol=1e-5)


def test_one_part_at_a_time_is_seen():
    sizes = []

    def function(x):
        sizes.append(x.shape)
        return x

    in_parts(function, 3, jnp.zeros((6, 2)))
    assert set(sizes) == {(2, 2)}


def test_a_batch_that_does_not_split_is_refused():
    with pytest.raises(ValueError, match="A batch of 5 does not split into 2 equal parts"):
        in_parts(lambda x: x, 2, jnp.zeros((5, 2)))


def test_what_a_backend_cannot_do_is_refused(monkeypatch):
    check_backend(remat=True, accumulate=2)
    with pytest.raises(ValueError, match="at least 1 part; received 0"):
        check_backend(remat=False, accumulate=0)
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    check_backend(remat=False, accumulate=1)
    for settings in ({"remat": True, "accumulate": 1}, {"remat": False, "accumulate": 2}):
        with pytest.raises(ValueError, match="need the JAX backend; this is torch"):
            check_backend(**settings)
