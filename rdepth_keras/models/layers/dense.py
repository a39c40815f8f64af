"""Dense convolution of stride 1 behind one function, with a fast path for the CPU under JAX.

XLA's CPU backend computes the gradient of a large convolution's kernel at a fifth of the speed of a
matrix product. On a CPU it is therefore written as one: for every tap of the kernel the shifted map
times the cotangent. The value and the gradient of the input stay XLA's own. A 1x1 convolution is
a product altogether. On other platforms all is XLA's own; which it is is settled when a
computation is lowered.
"""

import functools
from math import prod

import keras
from keras import ops

LARGE = 2**26  # multiply-adds of one tap, from where on products are faster; measured on two cores


def dense_conv(x, kernel, dilation: tuple[int, int] = (1, 1)):
    """Convolve with stride 1 and zero padding to the input's size.

    ``x`` is (B, H, W, I), ``kernel`` (h, w, I, O) for any h and w, even ones included: there the
    larger half of the padding lies below and to the right. The result is (B, H, W, O) in the
    dtype of ``x``.
    """
    if keras.backend.backend() == "jax":
        return _jax_convolution()(x, kernel, tuple(dilation))
    options = {"padding": "same", "dilation_rate": dilation, "data_format": "channels_last"}
    return ops.conv(x, kernel, **options)


@functools.cache
def _jax_convolution():
    """The convolution under JAX; a function of its own, since other backends may lack JAX."""
    import jax
    import jax.numpy as jnp

    def padding(kernel_shape, dilation):
        totals = [step * (size - 1) for size, step in zip(kernel_shape, dilation, strict=False)]
        return [(total // 2, total - total // 2) for total in totals]

    def plain(x, kernel, dilation):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(1, 1),
            padding=padding(kernel.shape[:2], dilation),
            rhs_dilation=dilation,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )

    def kernel_gradient(x, kernel, cotangent, dilation):
        """The shifted map, transposed, times the cotangent: a matrix for each tap."""
        padded = jnp.pad(x, ((0, 0), *padding(kernel.shape[:2], dilation), (0, 0)))
        places = jnp.indices(kernel.shape[:2]).reshape(2, -1).T * jnp.asarray(dilation)

        def correlate(place):
            shifted = jax.lax.dynamic_slice(padded, (0, place[0], place[1], 0), x.shape)
            axes = ((0, 1, 2), (0, 1, 2))
            return jax.lax.dot_general(
                shifted, cotangent, (axes, ((), ())), preferred_element_type=jnp.float32
            )

        return jax.lax.map(correlate, places).reshape(kernel.shape).astype(kernel.dtype)

    @functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
    def by_taps(x, kernel, dilation):
        return plain(x, kernel, dilation)

    def forward(x, kernel, dilation):
        return plain(x, kernel, dilation), (x, kernel)

    def backward(dilation, residual, cotangent):
        x, kernel = residual
        _, pull = jax.vjp(lambda x: plain(x, kernel, dilation), x)
        return *pull(cotangent), kernel_gradient(x, kernel, cotangent, dilation)

    by_taps.defvjp(forward, backward)

    def convolution(x, kernel, dilation):
        x, kernel = jnp.asarray(x), jnp.asarray(kernel)
        pointwise = kernel.shape[:2] == (1, 1)
        if not pointwise and prod(x.shape[:3]) * prod(kernel.shape[2:]) < LARGE:
            return plain(x, kernel, dilation)
        return jax.lax.platform_dependent(
            x,
            kernel,
            cpu=lambda x, kernel: x @ kernel[0, 0] if pointwise else by_taps(x, kernel, dilation),
            default=lambda x, kernel: plain(x, kernel, dilation),
        )

    return convolution
