"""Dense convolution of stride 1 behind one function, with fast paths for the CPU under JAX.

On a CPU a large convolution is written as matrix products, value and both gradients: a wide 3x3
one as Winograd's, with less than half of the multiply-adds; of others the gradient of the kernel
alone, which XLA's CPU backend computes at a fifth of a product's speed: one product of all taps.
A 1x1 convolution is a product altogether. On other platforms all is XLA's own; which it is is
settled when a computation is lowered.
"""

import functools
import itertools
from math import prod

import keras
from keras import ops

# Measured on two cores: from where on products are faster.
LARGE = 2**26  # multiply-adds of one tap
MANY = 2**11  # pixels of all maps, for Winograd's: fewer do not pay for transforming the kernel
WIDE = 100  # input channels * output channels / (input channels + output channels), for Winograd's
FEW = 6  # Winograd's products per pixel, at most, of the plain convolution's 9


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

    from rdepth_keras.models.layers import winograd

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
        """One product: what has fewer channels, shifted by every tap, times the other as it is."""
        height, width, inputs, outputs = kernel.shape
        moves = outputs < inputs  # the cotangent is moved, the other way
        moved, fixed = (cotangent, x) if moves else (x, cotangent)
        margins = padding((height, width), dilation)
        margins = [pair[::-1] for pair in margins] if moves else margins
        moved = jnp.pad(moved, ((0, 0), *margins, (0, 0)))
        places = [
            [step * (size - 1 - tap if moves else tap) for tap in range(size)]
            for size, step in zip((height, width), dilation, strict=True)
        ]
        taps = [
            moved[:, top : top + x.shape[1], left : left + x.shape[2]]
            for top, left in itertools.product(*places)
        ]
        everywhere = ((0, 1, 2), (0, 1, 2)), ((), ())
        found = jax.lax.dot_general(
            fixed, jnp.concatenate(taps, 3), everywhere, preferred_element_type=jnp.float32
        )
        found = found.reshape(-1, height, width, moved.shape[-1])
        order = (1, 2, 0, 3) if moves else (1, 2, 3, 0)
        return found.transpose(order).astype(kernel.dtype)

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

    @functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
    def by_winograd(x, kernel, dilation):
        return winograd.convolve(x, kernel, dilation).astype(x.dtype)

    def forward_winograd(x, kernel, dilation):
        return by_winograd(x, kernel, dilation), (x, kernel)

    def backward_winograd(dilation, residual, cotangent):
        x, kernel = residual
        input_gradient = winograd.input_gradient(kernel, cotangent, dilation)
        kernel_gradient = winograd.kernel_gradient(x, cotangent, dilation)
        return input_gradient.astype(x.dtype), kernel_gradient.astype(kernel.dtype)

    by_winograd.defvjp(forward_winograd, backward_winograd)

    def pointwise(x, kernel, dilation):
        return x @ kernel[0, 0]

    def suits_winograd(x, kernel, dilation):
        inputs, outputs = kernel.shape[2:]
        if kernel.shape[:2] != (winograd.SIDE, winograd.SIDE) or prod(x.shape[:3]) < MANY:
            return False
        wide = inputs * outputs >= WIDE * (inputs + outputs)
        return wide and winograd.products(x.shape[1:3], dilation) <= FEW

    def convolution(x, kernel, dilation):
        x, kernel = jnp.asarray(x), jnp.asarray(kernel)
        if kernel.shape[:2] == (1, 1):
            fast = pointwise
        elif prod(x.shape[:3]) * prod(kernel.shape[2:]) < LARGE:
            return plain(x, kernel, dilation)
        elif suits_winograd(x, kernel, dilation):
            fast = by_winograd
        else:
            fast = by_taps
        return jax.lax.platform_dependent(
            x,
            kernel,
            cpu=lambda x, kernel: fast(x, kernel, dilation),
            default=lambda x, kernel: plain(x, kernel, dilation),
        )

    return convolution
