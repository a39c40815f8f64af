"""Winograd's convolution F(2x2, 3x3) under JAX: 16 products where the plain one has 36.

Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016, equations 8 and 10:
a tile of 2x2 outputs is A^T [(G g G^T) * (B^T d B)] A, of the kernel g and of the 4x4 pixels d that
the tile sees. Summed over the input's channels, the product in the middle is one matrix product
for each of 16 places, whose rows are all tiles of the map. The same holds of both gradients: the
input's is the convolution of the cotangent with the kernel turned, the kernel's the transpose of
the formula. A dilated convolution is as many plain ones, of every n-th row and column.

In float32 the rounding is that of the plain convolution: G holds halves, A and B ones. JAX is
imported where it is called, since other backends may lack it.
"""

SIDE = 3  # of the kernels
STRIP = 2**26  # values of B^T d B and of the products that are in memory at once, at most


def products(size: tuple[int, int], dilation: tuple[int, int]) -> float:
    """Products per pixel, input and output channel, where the plain convolution has 9."""
    tiles = [-(-side // (2 * step)) * step for side, step in zip(size, dilation, strict=True)]
    return 16 * tiles[0] * tiles[1] / (size[0] * size[1])


def convolve(x, kernel, dilation):
    """(B, H, W, I) with (3, 3, I, O) -> (B, H, W, O) in float32, zero padded to that size."""
    return _convolve(x, kernel, dilation, 0)


def input_gradient(kernel, cotangent, dilation):
    """Of :func:`convolve` with respect to ``x``: (B, H, W, O) -> (B, H, W, I)."""
    return _convolve(cotangent, kernel[::-1, ::-1], dilation, 1)


def _convolve(x, kernel, dilation, axis):
    """The convolution; the channels of ``x`` are those along ``axis`` of each tap's matrix."""
    import jax
    import jax.numpy as jnp

    channels = ((5,), (axis,)), ((), ())
    outputs = kernel.shape[3 - axis]
    pixels, strips, height = _strips(x, dilation, outputs)
    matrices = _flatten([_mix_taps(row) for row in _mix_taps(kernel.astype("float32"))])

    def fill(strip, y):
        tiles = _transform(_take(pixels, strip * height, height + 2))
        maps = [
            jax.lax.dot_general(tile, matrix, channels)
            for tile, matrix in zip(tiles, matrices, strict=True)
        ]
        rows = [_sum_outputs(maps[4 * row : 4 * row + 4]) for row in range(4)]
        columns = [_sum_outputs([row[column] for row in rows]) for column in range(2)]
        filled = jnp.stack([jnp.stack(column, 2) for column in columns], 5)
        filled = filled.reshape(x.shape[0], height, *y.shape[2:])
        return jax.lax.dynamic_update_slice_in_dim(y, filled, strip * height, 1)

    batch, _, down, width, across, _ = pixels.shape
    y = jnp.zeros((batch, strips * height, down, width - 2, across, outputs), jnp.float32)
    y = jax.lax.fori_loop(0, strips, fill, y)
    y = y.reshape(batch, strips * height * down, (width - 2) * across, outputs)
    return y[:, : x.shape[1], : x.shape[2]]


def kernel_gradient(x, cotangent, dilation):
    """Of :func:`convolve` with respect to ``kernel``: (3, 3, I, O)."""
    import jax
    import jax.numpy as jnp

    every = ((0, 1, 2, 3, 4), (0, 1, 2, 3, 4)), ((), ())
    channels = x.shape[-1], cotangent.shape[-1]
    # The narrow side comes first in each product, since XLA transposes what does.
    turn = 1 if channels[0] <= channels[1] else -1
    pixels, strips, height = _strips(x, dilation, cotangent.shape[-1])
    cotangent = _split(cotangent, dilation, strips * height, 0)

    def add(strip, total):
        tiles = _transform(_take(pixels, strip * height, height + 2))
        outputs = _spread(_take(cotangent, strip * height, height), 1)
        outputs = _flatten([_spread(row, 3) for row in outputs])
        pairs = [pair[::turn] for pair in zip(tiles, outputs, strict=True)]
        matrices = [jax.lax.dot_general(*pair, every) for pair in pairs]
        rows = [_sum_taps(matrices[4 * row : 4 * row + 4]) for row in range(4)]
        columns = [_sum_taps([row[column] for row in rows]) for column in range(SIDE)]
        return total + jnp.stack([jnp.stack(column) for column in columns], 1)

    total = jnp.zeros((SIDE, SIDE, *channels[::turn]), jnp.float32)
    total = jax.lax.fori_loop(0, strips, add, total)
    return total if turn == 1 else total.swapaxes(2, 3)


def _strips(x, dilation, outputs):
    """The map, split and padded; how many strips it is taken in; how many rows are in each."""
    tall, wide = (-(-side // (2 * step)) for side, step in zip(x.shape[1:3], dilation, strict=True))
    row = 16 * x.shape[0] * dilation[0] * wide * dilation[1] * (x.shape[-1] + outputs)
    strips = min(tall, -(-tall * row // STRIP))
    height = 2 * -(-tall // strips)
    return _split(x, dilation, strips * height, 1), strips, height


def _take(x, start, height):
    import jax

    return jax.lax.dynamic_slice_in_dim(x, start, height, 1)


def _split(x, dilation, height, margin):
    """Pad and split: (B, H, W, C) -> (B, rows, dilation, columns, dilation, C) in float32.

    There are ``height`` rows and as many columns as whole tiles need, and ``margin`` rows and
    columns of zeros on every side of them.
    """
    import jax.numpy as jnp

    margins, shape = [], []
    columns = 2 * -(-x.shape[2] // (2 * dilation[1]))
    for side, step, places in zip(x.shape[1:3], dilation, (height, columns), strict=True):
        margins.append((margin * step, (places + margin) * step - side))
        shape += [places + 2 * margin, step]
    x = jnp.pad(x.astype("float32"), ((0, 0), *margins, (0, 0)))
    return x.reshape(x.shape[0], *shape, x.shape[-1])


def _transform(pixels):
    """B^T d B of every tile: 16 arrays (B, tiles, dilation, tiles, dilation, C)."""
    return _flatten([_mix_pixels(row, 3) for row in _mix_pixels(pixels, 1)])


def _mix_pixels(x, axis):
    """B^T along ``axis``, for tiles that begin at every second place of it."""
    from jax.lax import slice_in_dim

    end = x.shape[axis] - 3
    first, second, third, fourth = (
        slice_in_dim(x, start, start + end, 2, axis) for start in range(4)
    )
    return [first - third, second + third, third - second, second - fourth]


def _mix_taps(taps):
    """G along the first axis."""
    ends, middle = (taps[0] + taps[2]) / 2, taps[1] / 2
    return [taps[0], ends + middle, ends - middle, taps[2]]


def _sum_taps(matrices):
    """G^T of four: what :func:`_mix_taps` takes back to the taps."""
    first, second, third, fourth = matrices
    ends = (second + third) / 2
    return [first + ends, (second - third) / 2, ends + fourth]


def _sum_outputs(maps):
    """A^T of four."""
    first, second, third, fourth = maps
    return [first + second + third, second - third - fourth]


def _spread(y, axis):
    """A of both outputs of every tile along ``axis``: what :func:`_sum_outputs` takes back."""
    from jax.lax import slice_in_dim

    even, odd = (slice_in_dim(y, start, None, 2, axis) for start in range(2))
    return [even, even + odd, even - odd, -odd]


def _flatten(rows):
    return [place for row in rows for place in row]
