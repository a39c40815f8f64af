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
