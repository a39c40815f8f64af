"""Depthwise convolution behind one function, with a fast path for the CPU under JAX.

XLA's CPU backend runs a grouped convolution 15 to 50 times slower than it need be. On a CPU the
convolution is therefore written as shifted products, with a gradient of its own: with respect to
the input it is the same convolution with the kernel flipped, with respect to the kernel a loop
over its taps. On other platforms XLA's own convolution is taken; which of the two is settled when
a computation is lowered, so one program may run on both.
"""

import functools
import itertools

import keras
from keras import ops


def depthwise_conv(x, kernel, dilation: int = 1):
    """Convolve every channel with its own kernel: stride 1, zero padding to the input's size.

    ``x`` is (B, H, W, C), ``kernel`` (h, w, 1, C) for any h and w, even ones included: there the
    larger half of the padding lies below and to the right. The result is (B, H, W, C) in the
    dtype of ``x``; sums run in float32 on the CPU.
    """
    if keras.backend.backend() == "jax":
        return _jax_convolution()(x, kernel, dilation)
    return ops.depthwise_conv(
        x,
        ops.transpose(kernel, (0, 1, 3, 2)),
        padding="same",
        dilation_rate=dilation,
        data_format="channels_last",
    )


@functools.cache
def _jax_convolution():
    """The convolution under JAX; a function of its own, since other backends may lack JAX."""
    import jax
    import jax.numpy as jnp

    def padding(size, dilation):
        total = dilation * (size - 1)
        return total // 2, total - total // 2

    def pad(x, kernel_shape, dilation, flipped=False):
        rows, columns = (padding(size, dilation) for size in kernel_shape[:2])
        if flipped:
            rows, columns = rows[::-1], columns[::-1]
        return jnp.pad(x, ((0, 0), rows, columns, (0, 0))).astype(jnp.float32)

    @functools.partial(jax.jit, static_argnums=(2, 3))  # traced once for all blocks of a stage
    def shifted(x, kernel, dilation, flipped=False):
        """The sum of h * w products of the padded map, shifted, with one kernel element each.

        Upper and lower half are two turns of a loop, since XLA repeats within every consumer what
        is no loop: four times the 49 products of a block of ConvNeXt.
        """
        height, width = x.shape[1:3]
        half = -(-height // 2)
        padded = pad(x, kernel.shape, dilation, flipped)
        padded = jnp.pad(padded, ((0, 0), (0, 2 * half - height), (0, 0), (0, 0)))
        kernel = kernel.astype(jnp.float32)

        def fill(turn, filled):
            total = jnp.zeros_like(filled, shape=(x.shape[0], half, *x.shape[2:]))
            strip_height = half + dilation * (kernel.shape[0] - 1)
            strip = jax.lax.dynamic_slice_in_dim(padded, turn * half, strip_height, 1)
            for row, column in itertools.product(*map(range, kernel.shape[:2])):
                top, left = row * dilation, column * dilation
                window = strip[:, top : top + half, left : left + width]
                total = total + window * kernel[row, column]
            return jax.lax.dynamic_update_slice_in_dim(filled, total, turn * half, 1)

        start = jnp.zeros((x.shape[0], 2 * half, *x.shape[2:]), jnp.float32)
        return jax.lax.fori_loop(0, 2, fill, start)[:, :height].astype(x.dtype)

    @functools.partial(jax.jit, static_argnums=3)
    def kernel_gradient(x, kernel, cotangent, dilation):
        """Correlate the padded map with the cotangent, one tap of the kernel at a time."""
        padded = pad(x, kernel.shape, dilation)
        cotangent = cotangent.astype(jnp.float32)

        def correlate(place):
            window = jax.lax.dynamic_slice(padded, (0, place[0], place[1], 0), x.shape)
            return (window * cotangent).sum((0, 1, 2))

        places = dilation * jnp.indices(kernel.shape[:2]).reshape(2, -1).T
        return jax.lax.map(correlate, places).reshape(kernel.shape).astype(kernel.dtype)

    @functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
    def on_cpu(x, kernel, dilation):
        return shifted(x, kernel, dilation)

    def forward(x, kernel, dilation):
        return shifted(x, kernel, dilation), (x, kernel)

    def backward(dilation, residual, cotangent):
        x, kernel = residual
        input_gradient = shifted(cotangent, kernel[::-1, ::-1], dilation, flipped=True)
        return input_gradient, kernel_gradient(x, kernel, cotangent, dilation)

    on_cpu.defvjp(forward, backward)

    def elsewhere(x, kernel, dilation):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(1, 1),
            padding=[padding(size, dilation) for size in kernel.shape[:2]],
            rhs_dilation=(dilation, dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=x.shape[-1],
        )

    def convolution(x, kernel, dilation):
        x, kernel = jnp.asarray(x), jnp.asarray(kernel)
        return jax.lax.platform_dependent(
            x,
            kernel,
            cpu=lambda x, kernel: on_cpu(x, kernel, dilation),
            default=lambda x, kernel: elsewhere(x, kernel, dilation),
        )

    return convolution
