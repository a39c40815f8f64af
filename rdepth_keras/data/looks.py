"""How a tile looks, and what is odd of several: one look for verification and before training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.data.agreement import (
    depth_fit,
    half_drawn_masks,
    mask_fit,
    one_class_band,
    unfit_depths,
    unfit_masks,
)
from rdepth_keras.data.doubts import Doubtful, doubt_depth, doubt_mask, doubt_picture
from rdepth_keras.labels import IGNORE

_MOST_IGNORED = 0.5  # of the pixels of masks
KINDS = ("pictures", "masks", "depth maps")  # in the order of a look's doubts


@dataclass(frozen=True)
class Look:
    """What there is to say of a tile by its pixels; None of what it has not.

    ``doubts`` of its picture, mask and depth map, how the two ``fit`` it, the ``band`` of one class
    along a side of its mask, and how much of that is ``ignored``.
    """

    doubts: tuple[Doubtful | None, Doubtful | None, Doubtful | None]
    mask_fit: np.ndarray | None
    depth_fit: np.ndarray | None
    band: float | None
    ignored: float | None


def look_at(image: Image, label: Label | None, depth: Depth | None) -> Look:
    """Looks at a picture (H, W, 3), its mask of train ids (H, W) and its depth map (H, W, 1)."""
    return Look(
        (
            doubt_picture(image, label),
            None if label is None else doubt_mask(label),
            None if depth is None else doubt_depth(depth, image),
        ),
        mask_fit=None if label is None else mask_fit(image, label),
        depth_fit=None if depth is None else depth_fit(image, depth),
        band=None if label is None else one_class_band(label),
        ignored=None if label is None else float((label == IGNORE).mean()),
    )


def odd_together(looks: Sequence[Look]) -> list[str]:
    """In words, what is odd of the tiles of one split and domain together; nothing for none."""
    ignored = [look.ignored for look in looks if look.ignored is not None]
    share = float(np.mean(ignored)) if ignored else 0.0
    said = (
        f"{share:.0%} of the pixels of masks are ignored, and are neither trained on nor scored"
        if share > _MOST_IGNORED
        else "",
        unfit_masks([look.mask_fit for look in looks if look.mask_fit is not None]),
        half_drawn_masks([look.band for look in looks if look.band is not None]),
        unfit_depths([look.depth_fit for look in looks if look.depth_fit is not None]),
    )
    return [line for line in said if line]
