"""The exact GELU (Hendrycks and Gimpel, 2016), with a gradient of its own under JAX.

x Phi(x), with Phi the distribution function of the normal, by one ``erf`` as in PyTorch. JAX goes
by ``erfc``, which is two rational functions and an exponential: its value and its gradient are
three kernels each on a CPU, where this has one each.
"""

import functools
from math import pi

import keras
from keras import ops


def gelu(x, bias=None):
    """Any shape (..., C) and dtype -> the same, of ``x`` plus a ``bias`` (C,) where one is given.

    Computed in float32 under JAX, the sum as well.
    """
    if keras.backend.backend() == "jax":
        return _jax_gelu()(x, ops.zeros(()) if bias is None else ops.convert_to_tensor(bias))
    return ops.gelu(x if bias is None else x + bias, approximate=False)


@functools.cache
def _jax_gelu():
    """The function under JAX; a function of its own, since other backends may lack JAX."""
    import jax
    import jax.numpy as jnp

    def distribution(wide):
        return 0.5 + 0.5 * jax.lax.erf(wide * 0.5**0.5)

    @jax.custom_vjp
    def exact(x, bias):
        wide = jnp.asarray(x, jnp.float32) + bias
        return (wide * distribution(wide)).astype(x.dtype)

    def forward(x, bias):
        return exact(x, bias), (x, bias)

    def backward(residual, cotangent):
        x, bias = residual
        wide = x.astype(jnp.float32) + bias
        density = jnp.exp(-0.5 * wide**2) * (2 * pi) ** -0.5
        slope = distribution(wide) + wide * density
        gradient = (cotangent.astype(jnp.float32) * slope).astype(x.dtype)
        if bias.ndim:
            # Else a GPU's compiler computes it anew for the sum, of maps that are twice as large.
            gradient = jax.lax.optimization_barrier(gradient)
        rest = tuple(range(x.ndim - bias.ndim))
        return gradient, gradient.astype(jnp.float32).sum(rest).astype(bias.dtype)

    exact.defvjp(forward, backward)
    return exact
