"""A tile seen at several sizes: the mean of what is found."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np


def mean_over_scales(
    see: Callable[[dict[str, jax.Array]], jax.Array],
    inputs: Mapping[str, jax.Array],
    scales: Sequence[float],
) -> jax.Array:
    """The mean of ``see(inputs)`` over the scales, (H, W, K) at the size of the inputs.

    Raises ValueError where the inputs are not of one size.
    """
    height, width = common_size(inputs)
    total = jnp.zeros((), jnp.float32)
    for scale in scales:
        # One scale after the other: side by side, each would hold its memory.
        inputs, total = jax.lax.optimization_barrier((dict(inputs), total))
        found = see({name: _resize(a, height, width, scale) for name, a in inputs.items()})
        total += _resize(found, height, width, 1.0)
    return total / len(scales)


def common_size(inputs: Mapping[str, jax.Array]) -> tuple[int, int]:
    """Height and width of arrays (H, W, C); ValueError where they are not of one size."""
    shapes = {name: np.shape(array) for name, array in inputs.items()}
    sizes = {shape[:2] for shape in shapes.values()}
    if len(sizes) > 1 or any(len(shape) != 3 for shape in shapes.values()):
        raise ValueError(
            "The arrays of a tile must be (H, W, channels) of one height and width; received "
            f"{', '.join(f'{name} {shape}' for name, shape in shapes.items())}. Resize, or take "
            "those of one tile."
        )
    ((height, width),) = sizes
    return height, width


def _resize(array: jax.Array, height: int, width: int, scale: float) -> jax.Array:
    """Bilinear to ``scale`` times height x width, antialiased; the very array where it fits."""
    shape = (max(1, round(height * scale)), max(1, round(width * scale)), array.shape[-1])
    if array.shape == shape:
        return array
    return jax.image.resize(array.astype(jnp.float32), shape, "linear")
