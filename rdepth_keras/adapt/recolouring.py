"""Random colours and blur of a batch, inside the compiled step; see data.transforms for tiles'.

Images are RGB, 0..255, (B, H, W, 3), float32 as they come out. Every image has draws of its own.
"""

import functools
from dataclasses import dataclass

import jax
import jax.numpy as jnp

RADIUS = 4  # of the blur in pixels: 3.5 standard deviations of the widest one


@dataclass(frozen=True)
class Recolouring:
    """Brightness, contrast, saturation and hue, then a Gaussian blur.

    The strong augmentation of DACS and DAFormer. Their code draws the order of the first four and
    whether to change anything once a batch; here the order is fixed, and each image draws for
    itself.

    Attributes:
        change: half-width of the first three: brightness is added, in parts of 255, contrast and
            saturation are factors around 1.
        hue: half-width of its turn, as a part of the circle. The released 0.2 makes meadows of
            roofs, which is for images that others with their own colours stand beside.
        probability: of changing the colours of an image.
        blur_probability: of blurring it, by a deviation of 0.15 to 1.15 pixels.
    """

    change: float = 0.2
    hue: float = 0.2
    probability: float = 0.8
    blur_probability: float = 0.5

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1; received {value}.")

    def __call__(self, image: jax.Array, key: jax.Array) -> jax.Array:
        """A batch of images in other colours."""
        image = image.astype(jnp.float32)
        colours, blurs = jax.random.split(key)
        if self.probability:
            image = recolour(image, self._draws(colours, len(image)))
        if self.blur_probability:
            due, size = jax.random.uniform(blurs, (2, len(image)))
            blurred = blur(image, 0.15 + size)
            image = jnp.where(_each(due < self.blur_probability), blurred, image)
        return image

    def _draws(self, key: jax.Array, batch: int) -> jax.Array:
        """(4, B) changes of brightness, contrast, saturation and hue; 0 where none is due."""
        one, other = jax.random.split(key)
        due = jax.random.uniform(one, (batch,)) < self.probability
        widths = jnp.asarray([[self.change]] * 3 + [[self.hue]])
        return due * widths * jax.random.uniform(other, (4, batch), minval=-1, maxval=1)


def recolour(image: jax.Array, changes: jax.Array) -> jax.Array:
    """An image (B, H, W, 3) of 0..255 by changes (4, B): see :class:`Recolouring`."""
    brightness, contrast, saturation, hue = map(_each, changes)
    image = jnp.clip(image / 255 + brightness, 0, 1)
    image = jnp.clip(image * (1 + contrast), 0, 1)
    value = image.max(-1, keepdims=True)
    chroma = value - image.min(-1, keepdims=True)
    # A colour of HSV is value - chroma * part, and both changes act on these two alone.
    turned = _parts(_hue(image, value, chroma) + hue)
    chroma = jnp.minimum(chroma * (1 + saturation), value)
    return 255 * (value - chroma * turned)


def _hue(image: jax.Array, value: jax.Array, chroma: jax.Array) -> jax.Array:
    """In parts of the circle, (B, H, W, 1); 0 of a grey."""
    red, green, blue = jnp.split(image, 3, -1)
    safe = jnp.where(chroma > 0, chroma, 1.0)
    sextant = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    return sextant / 6 % 1.0


def _parts(hue: jax.Array) -> jax.Array:
    """How much of the chroma each of red, green and blue lacks, 0..1, for a hue (..., 1)."""
    places = (jnp.asarray([5.0, 3.0, 1.0]) + 6 * hue) % 6.0
    return jnp.clip(jnp.minimum(places, 4 - places), 0, 1)


def blur(image: jax.Array, deviations: jax.Array) -> jax.Array:
    """Gaussian of each image's own deviation (B,) in pixels; borders are mirrored."""
    places = jnp.arange(-RADIUS, RADIUS + 1)
    weights = jnp.exp(-0.5 * (places / deviations[:, None]) ** 2)
    weights /= weights.sum(1, keepdims=True)
    for axis in (1, 2):
        pads = [(RADIUS, RADIUS) if at == axis else (0, 0) for at in range(4)]
        padded, size = jnp.pad(image, pads, mode="reflect"), image.shape[axis]
        shifted = [
            _each(weights[:, place]) * jax.lax.slice_in_dim(padded, place, place + size, axis=axis)
            for place in range(2 * RADIUS + 1)
        ]
        image = functools.reduce(jnp.add, shifted)
    return image


def _each(values: jax.Array) -> jax.Array:
    """(B,) -> (B, 1, 1, 1)."""
    return values[:, None, None, None]
