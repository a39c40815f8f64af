"""What makes a tile doubtful by its pixels alone: each is legal, and so it is told, not refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.data import measures
from rdepth_keras.depth.normalise import is_flat
from rdepth_keras.labels import IGNORE
from rdepth_keras.naming import shorten


@dataclass(frozen=True)
class Doubt:
    """``words`` follow *pictures*, *masks* or *depth maps*; ``{share}`` is how much of one it is.

    ``measure`` gives that share, of a picture and which of its pixels count (H, W), or of a depth
    map and its picture. It is doubtful if it is more than ``most``.
    """

    words: str
    measure: Callable[[np.ndarray, np.ndarray], float]
    most: float


@dataclass(frozen=True)
class Doubtful:
    """A doubt that holds, and the share of the picture or map."""

    doubt: Doubt
    share: float

    def __str__(self):
        return self.doubt.words.format(share=_percent(self.share))


def doubt_picture(image: Image, label: Label | None = None) -> Doubtful | None:
    """The first doubt that holds of a picture (H, W, 3) uint8; None for a good one.

    Pixels that the label (H, W) ignores may hold anything; without a label all count.
    """
    counts = np.ones(image.shape[:2], bool) if label is None else label != IGNORE
    return _first(PICTURE_DOUBTS, image, counts) if counts.any() else None


def doubt_depth(depth: Depth, image: Image) -> Doubtful | None:
    """The first doubt that holds of a depth map (H, W, 1) in [0, 1]; None for a good one.

    None also for flat ones, which are told of everywhere as
    :func:`rdepth_keras.depth.normalise.flat_notice` does.
    """
    return None if is_flat(depth) else _first(DEPTH_DOUBTS, depth, image)


def doubt_mask(label: Label) -> Doubtful | None:
    """The doubt that holds of a mask's train ids (H, W); None for a good one."""
    return _first(MASK_DOUBTS, label, label)


def tell_doubts(kind: str, found: Mapping[str, Doubtful | None]) -> list[str]:
    """In words, of each doubt, which pictures, masks or depth maps it holds of; nothing for none.

    ``kind`` is their plural, ``found`` the doubt of each by name.
    """
    said = []
    for doubt in dict.fromkeys(one.doubt for one in found.values() if one):
        own = {name: one.share for name, one in found.items() if one and one.doubt == doubt}
        words = doubt.words.format(share=f"up to {_percent(max(own.values()))}")
        said.append(f"{kind} {words}, {len(own)} of {len(found)}: {shorten(list(own))}")
    return said


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def _first(doubts: tuple[Doubt, ...], array: np.ndarray, other: np.ndarray) -> Doubtful | None:
    for doubt in doubts:
        if (share := doubt.measure(array, other)) > doubt.most:
            return Doubtful(doubt, share)
    return None


_BARS = "with {share} of rows or columns of one value all over, as borders are"
_BLOCKS = "of blocks of equal pixels, as where it was enlarged from fewer"
_OVERFLOWED = "with {share} of values beside others at the far end of the range, as by an overflow"
_ROUGH = "as rough as noise, as where values overflowed or bytes are mixed up"
PICTURE_DOUBTS = (
    Doubt("of one colour all over, or of few", measures.few_colours, 0.5),
    Doubt(
        "with {share} of black that is not ignored, as where there is no picture",
        measures.black,
        0.05,
    ),
    Doubt(
        "with {share} of white that is not ignored, as where there is no picture",
        measures.white,
        0.05,
    ),
    Doubt("with {share} of values at 0 or 255, perhaps cut off", measures.at_ends, 0.5),
    Doubt("with a channel that holds one value all over", measures.empty_channel, 0.0),
    Doubt("in the lowest sixth of the range alone: stretch all alike", measures.dark, 0.99),
    Doubt(
        "with {share} of exactly one colour, as where there is none", measures.commonest_colour, 0.1
    ),
    Doubt("in grey alone, where networks look at colours", measures.grey, 0.99),
    Doubt(_BARS, measures.bars, 0.15),
    Doubt(_BLOCKS, lambda image, counts: measures.blocks(image), 0.5),
    Doubt(_OVERFLOWED, lambda image, counts: measures.jumps(image, 255.0), 0.002),
    Doubt(_ROUGH, lambda image, counts: measures.roughness(image), 0.6),
    Doubt(
        "with {share} of rows or columns that mirror others, as filled up",
        measures.mirrored,
        0.04,
    ),
    Doubt(
        "of channels that show different things, as those of several", measures.channels_differ, 0.8
    ),
    Doubt(
        "with {share} of parts that are there twice",
        lambda image, _: measures.is_there_twice(image),
        0.2,
    ),
)
DEPTH_DOUBTS = (
    Doubt(
        "equal to the picture's own colours or brightness, and so hardly of depth",
        measures.is_of_colours,
        0.95,
    ),
    Doubt(
        "with {share} at one end of the range and nothing near it, as holes without data",
        measures.hole,
        0.001,
    ),
    Doubt(_BARS, lambda depth, image: measures.bars(depth, np.ones(depth.shape[:2], bool)), 0.2),
    Doubt(_BLOCKS, lambda depth, image: measures.blocks(depth), 0.5),
    Doubt(_OVERFLOWED, lambda depth, image: measures.jumps(depth, 1.0), 0.01),
    Doubt(_ROUGH, lambda depth, image: measures.roughness(depth), 0.15),
)
MASK_DOUBTS = (
    Doubt(
        "with {share} of single pixels unlike all around them, as noise or lossy packing leave",
        lambda label, _: measures.specks(label),
        0.01,
    ),
    Doubt("of outlines, no class but one wider", lambda label, _: measures.outlines(label), 0.95),
)
