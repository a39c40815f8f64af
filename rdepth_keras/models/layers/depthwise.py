"""Depthwise convolution behind one function, with a fast path for the CPU under JAX.

XLA's CPU backend runs a grouped convolution 15 to 50 times slower than it need be. On a CPU the
convolution is therefore written as shifted products, with a gradient of its own: with respect to
the input it is the same convolution with the kernel flipped, with respect to the kernel a scan
over the rows of the map. On other platforms XLA's own convolution is taken; which of the two is
settled when a computation is lowered, so one program may run on both.
"""

import functools

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

    def shifted(x, kernel, dilation, flipped=False):
        """The sum of h * w products of the padded map, shifted, with one kernel element each."""
        height, width = x.shape[1:3]
        padded = pad(x, kernel.shape, dilation, flipped)
        kernel = kernel.astype(jnp.float32)
        total = jnp.zeros(x.shape, jnp.float32)
        for row in range(kernel.shape[0]):
            for column in range(kernel.shape[1]):
                top, left = row * dilation, column * dilation
                window = padded[:, top : top + height, left : left + width]
                total = total + window * kernel[row, column]
        return total.astype(x.dtype)

    def kernel_gradient(x, kernel, cotangent, dilation):
        """Correlate the padded map with the cotangent, one row of the map at a time."""
        rows, columns = kernel.shape[:2]
        height, width = x.shape[1:3]
        padded = pad(x, kernel.shape, dilation)

        def add_row(total, row):
            strip = jax.lax.dynamic_slice_in_dim(padded, row, dilation * (rows - 1) + 1, 1)
            strip = strip[:, ::dilation]
            weight = jax.lax.dynamic_slice_in_dim(cotangent, row, 1, 1).astype(jnp.float32)

            def correlate(column):
                window = jax.lax.dynamic_slice_in_dim(strip, column * dilation, width, 2)
                return (window * weight).sum((0, 2))

            return total + jax.lax.map(correlate, jnp.arange(columns)), None

        start = jnp.zeros((columns, rows, x.shape[-1]), jnp.float32)
        total, _ = jax.lax.scan(add_row, start, jnp.arange(height))
        return total.swapaxes(0, 1)[:, :, None].astype(kernel.dtype)

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
