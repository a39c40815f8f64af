"""Layer normalisation of the channels, with a gradient of its own under JAX.

Ba, Kiros and Hinton, "Layer Normalization", 2016. Derived by hand the gradient takes two sums over
the channels and keeps two numbers a pixel; derived by JAX it takes twice as many kernels.
"""

import functools

import keras

from rdepth_keras.models.layers.basic import register


@register
class LayerNorm(keras.layers.LayerNormalization):
    """Keras's layer over the last axis, (..., C) -> (..., C); sums run in float32."""

    def call(self, x):
        if keras.backend.backend() != "jax":
            return super().call(x)
        return _jax_normalisation()(x, self.gamma.value, self.beta.value, self.epsilon)


@functools.cache
def _jax_normalisation():
    """The normalisation under JAX; a function of its own, since other backends may lack JAX."""
    import jax
    import jax.numpy as jnp

    @functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
    def normalise(x, gamma, beta, epsilon):
        return forward(x, gamma, beta, epsilon)[0]

    def forward(x, gamma, beta, epsilon):
        wide = x.astype(jnp.float32)
        mean = wide.mean(-1, keepdims=True)
        centred = wide - mean
        inverse = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + epsilon)
        y = centred * inverse * gamma.astype(jnp.float32) + beta.astype(jnp.float32)
        return y.astype(x.dtype), (x, mean, inverse, gamma, beta)

    def backward(epsilon, residual, cotangent):
        x, mean, inverse, gamma, beta = residual
        normal, cotangent = (x - mean) * inverse, cotangent.astype(jnp.float32)
        rest = tuple(range(x.ndim - 1))
        scaled = cotangent * gamma.astype(jnp.float32)
        along = (scaled * normal).mean(-1, keepdims=True)
        gradient = inverse * (scaled - scaled.mean(-1, keepdims=True) - normal * along)
        # A GPU's compiler writes this map; in the dtype of the others it is half as large.
        by_gamma = jax.lax.optimization_barrier((cotangent * normal).astype(x.dtype))
        return (
            gradient.astype(x.dtype),
            by_gamma.astype(jnp.float32).sum(rest).astype(gamma.dtype),
            cotangent.sum(rest).astype(beta.dtype),
        )

    normalise.defvjp(forward, backward)
    return normalise
