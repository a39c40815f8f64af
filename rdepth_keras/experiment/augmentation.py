"""The random transforms of training tiles, as settings."""

from dataclasses import dataclass
from typing import Any

from rdepth_keras.data.transforms import (
    Photometric,
    RandomCrop,
    RandomFlips,
    RandomRotation,
    RandomScale,
)
from rdepth_keras.experiment.checks import check


@dataclass(frozen=True)
class Augmentation:
    """Random transforms of the training tiles; the defaults are the paper's.

    Attributes:
        crop_redraws: how often a crop is drawn again at most, while
        crop_largest_share: one class covers this share of its labelled pixels.
        crop_wanted_pixels: of a tile drawn for the sake of a rare class, such a crop is drawn again
            until it shows more pixels of it than this; None does not look.
        crop_fill: RGB that fills up a tile smaller than the crop.
        scale: resizes the tile before the crop; 1 to 1 leaves it.
        rotation: small rotations, or else quarter turns.
        flips: mirrored images.
        photometric: brightness, contrast and colour of the image; off by default.
    """

    crop_redraws: int = 10
    crop_largest_share: float = 0.75
    crop_wanted_pixels: int | None = None
    crop_fill: tuple[int, int, int] = (0, 0, 0)
    scale: RandomScale = RandomScale()
    rotation: RandomRotation = RandomRotation()
    flips: RandomFlips = RandomFlips()
    photometric: Photometric = Photometric()

    def __post_init__(self):
        redraws, share, fill = self.crop_redraws, self.crop_largest_share, self.crop_fill
        check("augmentation.crop_redraws", redraws, 0 <= redraws <= 1000, "from 0 to 1000")
        check("augmentation.crop_largest_share", share, 0 < share <= 1, "above 0, at most 1")
        wanted = self.crop_wanted_pixels
        sensible = wanted is None or wanted >= 0
        check("augmentation.crop_wanted_pixels", wanted, sensible, "at least 0, or None")
        looks = wanted is None or redraws > 0
        check("augmentation.crop_redraws", redraws, looks, "at least 1 for crop_wanted_pixels")
        grey = len(fill) == 3 and all(0 <= value <= 255 for value in fill)
        check("augmentation.crop_fill", fill, grey, "red, green and blue, each from 0 to 255")

    def transforms(self, crop_pixels: int) -> tuple[Any, ...]:
        """The transforms, in their order."""
        crop = RandomCrop(
            crop_pixels,
            self.crop_redraws,
            self.crop_largest_share,
            self.crop_fill,
            self.crop_wanted_pixels,
        )
        steps = (self.scale, crop, self.rotation, self.flips, self.photometric)
        return tuple(step for step in steps if step not in (RandomScale(), Photometric()))
