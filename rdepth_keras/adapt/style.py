"""Generalisation without the target: the source's tiles in the colours of other source tiles."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.method import Given, Networks, Outcome, Phase
from rdepth_keras.adapt.recolouring import Recolouring
from rdepth_keras.adapt.source_only import SourceOnly


@dataclass(frozen=True)
class SourceStyle(SourceOnly):
    """Source-only training on tiles whose style is another's of their batch; sees no target.

    Style is the amplitude of the image's Fourier transform, its phase keeps the shapes: Xu et al.,
    "A Fourier-based Framework for Domain Generalization" (FACT), CVPR 2021, equation 5, of whose
    loss this takes the augmentation alone. Depth stays as it is.

    Departures: low frequencies alone are mixed, as by Yang and Soatto, "FDA", CVPR 2020, equation
    3, since all of them (``style_band`` of 1, FACT's) carry the texture that classes are told by;
    and hues hardly turn, since no image keeps its own colours beside the changed one.

    Attributes:
        style_probability: of mixing an image's amplitudes.
        style_strength: the part of the other image's amplitude is drawn from 0 to this.
        style_band: frequencies that are mixed, as a part of the highest one; 1 mixes all.
        recolouring: colours and blur, after that.
    """

    style_probability: float = 0.5
    style_strength: float = 1.0
    style_band: float = 0.1
    recolouring: Recolouring = Recolouring(hue=0.02)

    def __post_init__(self):
        super().__post_init__()
        for name in ("style_probability", "style_strength", "style_band"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1; received {getattr(self, name)}.")

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        (supervised,) = super().phases(networks)

        def loss(params, given: Given) -> Outcome:
            key, colours, own = jax.random.split(given.key, 3)
            image = self._restyled(given.source["image"].astype(jnp.float32), key)
            source = {**given.source, "image": self.recolouring(image, colours)}
            return supervised.loss(params, given._replace(source=source, key=own))

        return (Phase(loss),)

    def _restyled(self, image: jax.Array, key: jax.Array) -> jax.Array:
        if len(image) == 1 and self.style_probability and self.style_strength:
            raise ValueError(
                "The method source_style takes the style of the batch's other tiles, and there is "
                "one tile: use a batch size of at least 2, or --method.style-probability 0."
            )
        due, part = jax.random.uniform(key, (2, len(image)))
        parts = jnp.where(due < self.style_probability, self.style_strength * part, 0.0)
        return mix_amplitudes(image, jnp.roll(image, 1, 0), parts, self.style_band)


def mix_amplitudes(image: jax.Array, other: jax.Array, parts: jax.Array, band: float) -> jax.Array:
    """Amplitude (1 - part) * own + part * other's, phase own: (B, H, W, 3) of 0..255, clipped.

    ``parts`` (B,) in [0, 1]; frequencies above ``band`` of the highest in height or width keep
    their amplitude.
    """
    height, width = image.shape[1:3]
    own, foreign = (jnp.fft.rfft2(x.astype(jnp.float32), axes=(1, 2)) for x in (image, other))
    rows, columns = jnp.abs(jnp.fft.fftfreq(height)), jnp.fft.rfftfreq(width)
    inside = (rows[:, None] <= band / 2) & (columns <= band / 2)
    amount = parts[:, None, None, None] * inside[None, :, :, None]
    size = jnp.abs(own)
    mixed = (1 - amount) * size + amount * jnp.abs(foreign)
    safe = jnp.where(size > 0, size, 1.0)
    spectrum = jnp.where(size > 0, own * (mixed / safe), mixed)
    return jnp.clip(jnp.fft.irfft2(spectrum, s=(height, width), axes=(1, 2)), 0, 255)
