"""Pictures that show a part of another, pixel for pixel, wherever it lies in either.

Every window of 16 x 16 pixels has a hash; those whose hash ends in so many zeros mark their picture
(content-defined sampling: Manber, *Finding similar files in a large file system*, 1994). The same
window is chosen in every picture, whatever its place, so that shared parts share marks.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from rdepth_keras.arrays import Image

WINDOW = 16  # pixels
_CHOSEN = 256  # one window in so many
_LEAST_MARKS = 4  # that two pictures share; windows of one colour are one mark
_COMMON = 32  # pictures: what more of them show is no place
_MIX, _ACROSS, _DOWN = (
    np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xC2B2AE3D27D4EB4F)
)


def marks(image: Image, distinct: bool = True) -> np.ndarray:
    """The hashes of chosen windows of a picture (H, W, 3) uint8: (marks,) uint64, each once."""
    if min(image.shape[:2]) < WINDOW:
        return np.zeros(0, np.uint64)
    red, green, blue = np.moveaxis(image.astype(np.uint64), -1, 0)
    hashes = _mixed((red << np.uint64(16) | green << np.uint64(8) | blue) + np.uint64(1))
    hashes = _mixed(_rolled(_rolled(hashes, _ACROSS).T, _DOWN))
    chosen = hashes[hashes >> np.uint64(56) == 0]
    return np.unique(chosen) if distinct else chosen


def overlaps(pictures: Sequence[np.ndarray], places: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of pictures, by their place in the list, that share a part and are of other places.

    ``pictures`` are what :func:`marks` gives of each; ``places`` says where each belongs. Parts of
    less than some 48 x 48 pixels, and such that were turned, scaled or packed with loss, do not
    show.
    """
    owners = np.repeat(np.arange(len(pictures)), [len(one) for one in pictures])
    values = np.concatenate([*pictures, np.zeros(0, np.uint64)])
    order = np.argsort(values, kind="stable")
    values, owners = values[order], owners[order]
    groups = np.split(owners, np.flatnonzero(np.diff(values)) + 1) if len(values) else []
    shared = Counter(
        (int(one), int(other))
        for group in groups
        if 1 < len(group) <= _COMMON
        for place, one in enumerate(group)
        for other in group[place + 1 :]
        if places[one] != places[other]
    )
    return sorted(pair for pair, count in shared.items() if count >= _LEAST_MARKS)


def _rolled(values: np.ndarray, factor: np.uint64) -> np.ndarray:
    """Hashes of all runs of 16 along the last axis; arithmetic is modulo 2^64."""
    count = values.shape[1] - WINDOW + 1
    found = np.zeros((len(values), count), np.uint64)
    for place in range(WINDOW):
        found = found * factor + values[:, place : place + count]
    return found


def _mixed(values: np.ndarray) -> np.ndarray:
    """Bits spread over the whole word."""
    values = (values ^ values >> np.uint64(32)) * _MIX
    return (values ^ values >> np.uint64(29)) * _DOWN ^ values >> np.uint64(31)
