"""Value and slope against the normal distribution of the standard library."""

from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.models.layers.gelu import gelu

X = np.concatenate([np.linspace(-9, 9, 721), [-40.0, 40.0, 1e-20]])
NORMAL = NormalDist()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-6), ("bfloat16", 2**-8)])
def test_value_and_slope(dtype, tolerance):
    x = jnp.asarray(X, dtype)
    y, pull = jax.vjp(gelu, x)
    (slope,) = pull(jnp.ones_like(x))
    assert y.dtype == slope.dtype == x.dtype
    places = np.asarray(x, np.float64)
    values = [place * NORMAL.cdf(place) for place in places]
    slopes = [NORMAL.cdf(place) + place * NORMAL.pdf(place) for place in places]
    np.testing.assert_allclose(np.asarray(y, np.float64), values, rtol=tolerance, atol=2e-6)
    np.testing.assert_allclose(np.asarray(slope, np.float64), slopes, rtol=tolerance, atol=2e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2**-7)])
def test_with_a_bias_it_is_that_of_the_sum(dtype, tolerance):
    """And so are the gradients, that of the bias being summed in float32."""
    rng = np.random.default_rng(0)
    x, cotangent = (jnp.asarray(rng.normal(size=(3, 5, 7, 4)), dtype) for _ in range(2))
    bias = jnp.asarray(rng.normal(size=4), jnp.float32)

    def plain(x, bias):
        return jax.nn.gelu(x.astype(jnp.float32) + bias, approximate=False)

    y, pull = jax.vjp(gelu, x, bias)
    wanted, pull_wanted = jax.vjp(plain, x, bias)
    found = [y, *pull(cotangent)]
    assert [one.dtype for one in found] == [x.dtype, x.dtype, jnp.float32]
    for ours, theirs in zip(
        found, [wanted, *pull_wanted(cotangent.astype(jnp.float32))], strict=True
    ):
        theirs = np.asarray(theirs, np.float32)
        most = tolerance * np.abs(theirs).max()
        np.testing.assert_allclose(np.asarray(ours, np.float32), theirs, rtol=0, atol=most)
