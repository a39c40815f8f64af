"""The exact GELU (Hendrycks and Gimpel, 2016), with a gradient of its own under JAX.

x Phi(x), with Phi the distribution function of the normal, by one ``erf`` as in PyTorch. JAX goes
by ``erfc``, which is two rational functions and an exponential: its value and its gradient are
three kernels each on a CPU, where this has one each.
"""

import functools
from math import pi

import keras
from keras import ops


def gelu(x):
    """Any shape and dtype -> the same; computed in float32 under JAX."""
    if keras.backend.backend() == "jax":
        return _jax_gelu()(x)
    return ops.gelu(x, approximate=False)


@functools.cache
def _jax_gelu():
    """The function under JAX; a function of its own, since other backends may lack JAX."""
    import jax
    import jax.numpy as jnp

    def distribution(wide):
        return 0.5 + 0.5 * jax.lax.erf(wide * 0.5**0.5)

    @jax.custom_vjp
    def exact(x):
        wide = jnp.asarray(x, jnp.float32)
        return (wide * distribution(wide)).astype(x.dtype)

    def forward(x):
        return exact(x), x

    def backward(x, cotangent):
        wide = x.astype(jnp.float32)
        density = jnp.exp(-0.5 * wide**2) * (2 * pi) ** -0.5
        slope = distribution(wide) + wide * density
        return ((cotangent.astype(jnp.float32) * slope).astype(x.dtype),)

    exact.defvjp(forward, backward)
    return exact
