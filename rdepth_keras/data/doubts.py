"""What makes a tile doubtful by its pixels alone: each is legal, and so it is told, not refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.data.overlap import marks
from rdepth_keras.depth.normalise import holds_few_values, is_flat
from rdepth_keras.labels import IGNORE
from rdepth_keras.naming import shorten

_DARK = 40  # of 255: values below it fill a range that was not stretched
_JUMP, _STEP = 0.7, 0.35  # of the range, between neighbours: from black to white, and half of it
_LEAST_MARKS = 8  # of a picture, to know parts by
_EMPTY = 0.2  # of the range, beside pixels without data
_LEAST_SIDE = 64  # pixels, to know noise by
_EVERY, _LEAST_COLOURS = 3, 100  # pixel that is looked at for its colour, and how many tell


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


def _few_colours(image: Image, counts: np.ndarray) -> float:
    """1 for at most 16 values, as a mask holds."""
    return float(holds_few_values(image.reshape(len(image), -1)))


def _black(image: Image, counts: np.ndarray) -> float:
    return _area(image, counts, 0)


def _white(image: Image, counts: np.ndarray) -> float:
    return _area(image, counts, 255)


def _area(image: Image, counts: np.ndarray, value: int) -> float:
    """The share of pixels of a value in areas that 5 x 5 pixels fit into: snow is scattered."""
    found = (cv2.inRange(image, (value,) * 3, (value,) * 3) > 0) & counts
    kernel = np.ones((5, 5), np.uint8)
    opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return float(opened.mean())


def _at_ends(image: Image, counts: np.ndarray) -> float:
    return float(np.isin(image[counts], (0, 255)).mean())


def _empty_channel(image: Image, counts: np.ndarray) -> float:
    """The share of the channels that hold one value all over, where others do not."""
    values = image[counts]
    constant = float((np.ptp(values, axis=0) == 0).mean())
    return constant if constant < 1 else 0.0


def _dark(image: Image, counts: np.ndarray) -> float:
    return float((image[counts] < _DARK).mean())


def _commonest_colour(image: Image, counts: np.ndarray) -> float:
    colours = image[::_EVERY, ::_EVERY][counts[::_EVERY, ::_EVERY]].astype(np.uint32)
    if len(colours) < _LEAST_COLOURS:
        return 0.0
    _, pixels = np.unique(colours @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_counts=True)
    return float(pixels.max() / len(colours))


def _grey(image: Image, counts: np.ndarray) -> float:
    return float((np.ptp(image[counts], axis=-1) == 0).mean())


def _bars(array: np.ndarray, counts: np.ndarray) -> float:
    """The share of rows of one value all over, that of the row before, or of columns."""
    shares = []
    for lines, own in ((array, counts), (array.swapaxes(0, 1), counts.T)):
        same = (lines[1:] == lines[:-1, :1]).reshape(len(lines) - 1, -1).all(1)
        constant = (lines[:-1] == lines[:-1, :1]).reshape(len(lines) - 1, -1).all(1)
        shares.append(float((same & constant & own[1:].any(1)).sum() / len(lines)))
    return max(shares)


def _blocks(array: np.ndarray) -> float:
    """The share of pixels that repeat one before, where all lie in blocks of one size; else 0."""
    sides = []
    for lines in (array, array.swapaxes(0, 1)):
        changed = (lines[1:] != lines[:-1]).reshape(len(lines) - 1, -1).any(1)
        sides.append(int(np.gcd.reduce([len(lines), *(np.flatnonzero(changed) + 1).tolist()])))
    return 1 - 1 / (sides[0] * sides[1]) if min(sides) > 1 else 0.0


def _jumps(array: np.ndarray, most: float) -> float:
    """The share of neighbours that differ by nearly the range, where fewer differ by half of it.

    Where values overflow, white lies beside black; in noise all differences occur.
    """
    shares = [0.0]
    if min(array.shape[:2]) < 2 * _LEAST_SIDE:  # in small tiles a few sharp edges are as many
        return 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(array.astype(np.float32), axis=axis)) / most
        jumps = (steps > _JUMP).mean() if steps.size else 0.0
        if jumps > 0 and jumps > ((steps > _STEP) & (steps <= _JUMP)).mean():
            shares.append(float(jumps))
    return max(shares)


def _roughness(array: np.ndarray) -> float:
    """Half the mean squared difference of neighbours over the variance (von Neumann's ratio).

    0 for what is smooth, 1 for noise, of the smoothest channel; 0 as well for less than 64 pixels
    a side, which tell too little.
    """
    if min(array.shape[:2]) < _LEAST_SIDE:
        return 0.0
    values = array.astype(np.float32).reshape(*array.shape[:2], -1)
    variance = values.var((0, 1), dtype=np.float64)
    steps = [(np.diff(values, axis=axis) ** 2).mean((0, 1), dtype=np.float64) for axis in (0, 1)]
    steps = [each[variance > 0] / variance[variance > 0] / 2 for each in steps]
    return float(np.mean(steps, axis=0).min()) if variance.any() else 0.0


def _channels_differ(image: np.ndarray, counts: np.ndarray) -> float:
    """1 less the lowest correlation of two channels' details; 0 where one has none.

    Details are what a mean over 9 x 9 pixels leaves: edges are seen in all channels.
    """
    if min(image.shape[:2]) < _LEAST_SIDE:
        return 0.0
    values = image.astype(np.float32)
    details = (values - cv2.blur(values, (9, 9)))[counts].T.astype(np.float64)
    covariance = details @ details.T / details.shape[1]
    sizes = np.sqrt(np.diag(covariance))
    return float(1 - (covariance / np.outer(sizes, sizes)).min()) if sizes.all() else 0.0


def _mirrored(image: np.ndarray) -> float:
    """The longest run of rows, or columns, that mirror those before it, as a share of all."""
    return max(_longest_mirror(image), _longest_mirror(image.swapaxes(0, 1)))


def _longest_mirror(lines: np.ndarray) -> float:
    marks_of = np.array([hash(line.tobytes()) for line in lines])
    longest = 0
    for gap in (1, 2):  # an axis between two rows, or on one
        places = np.arange(len(lines) - gap)  # the last row before the axis
        for length in range(len(lines) // 2):
            before, after = places - length, places + gap + length
            places = places[(before >= 0) & (after < len(lines))]
            before, after = places - length, places + gap + length
            same = marks_of[before] == marks_of[after]
            if length:  # what is of one colour all over mirrors nothing
                same &= marks_of[after] != marks_of[after - 1]
            places = places[same]
            if not places.size:
                break
            longest = max(longest, length + 1)
    return longest / len(lines)


def _is_there_twice(image: np.ndarray) -> float:
    """The share of windows of 16 x 16 pixels that are there before."""
    found = marks(image, distinct=False)
    return 1 - len(np.unique(found)) / len(found) if len(found) >= _LEAST_MARKS else 0.0


def _specks(label: np.ndarray) -> float:
    """The share of pixels whose class none of the four around them has."""
    inner = label[1:-1, 1:-1]
    around = (label[:-2, 1:-1], label[2:, 1:-1], label[1:-1, :-2], label[1:-1, 2:])
    alone = np.logical_and.reduce([inner != each for each in around])
    return float(alone.mean()) if min(label.shape) >= _LEAST_SIDE else 0.0


def _is_of_colours(depth: Depth, image: Image) -> float:
    """How much of a map's variance a weighted sum of the picture's colours explains, blurred too.

    The coefficient of determination, at most of three widths of a Gaussian (0, 1 and 3 pixels).
    """
    target = depth[..., 0].astype(np.float64)
    total = float(((target - target.mean()) ** 2).sum())
    if not total:
        return 0.0
    shares = []
    for width in (0, 1, 3):
        blurred = cv2.GaussianBlur(image, (0, 0), width) if width else image
        bands = np.column_stack([blurred.reshape(-1, 3), np.ones(target.size)]).astype(np.float64)
        products = bands.T @ bands + 1e-6 * np.eye(4)
        weights = np.linalg.solve(products, bands.T @ target.ravel())
        shares.append(1 - float(((target.ravel() - bands @ weights) ** 2).sum()) / total)
    return max(shares)


def _hole(depth: Depth, image: Image) -> float:
    """The share of pixels at one end of the range, where a fifth of it beside them is empty."""
    shares = [0.0]
    for values in (depth, 1 - depth):
        rest = values[values > 0]
        if rest.size and float(rest.min()) > _EMPTY:
            shares.append(1 - rest.size / values.size)
    return max(shares)


_BARS = "with {share} of rows or columns of one value all over, as borders are"
_BLOCKS = "of blocks of equal pixels, as where it was enlarged from fewer"
_OVERFLOWED = "with {share} of values beside others at the far end of the range, as by an overflow"
_ROUGH = "as rough as noise, as where values overflowed or bytes are mixed up"
PICTURE_DOUBTS = (
    Doubt("of one colour all over, or of few", _few_colours, 0.5),
    Doubt("with {share} of black that is not ignored, as where there is no picture", _black, 0.05),
    Doubt("with {share} of white that is not ignored, as where there is no picture", _white, 0.05),
    Doubt("with {share} of values at 0 or 255, perhaps cut off", _at_ends, 0.5),
    Doubt("with a channel that holds one value all over", _empty_channel, 0.0),
    Doubt("in the lowest sixth of the range alone: stretch all alike", _dark, 0.99),
    Doubt("with {share} of exactly one colour, as where there is none", _commonest_colour, 0.1),
    Doubt("in grey alone, where networks look at colours", _grey, 0.99),
    Doubt(_BARS, _bars, 0.15),
    Doubt(_BLOCKS, lambda image, counts: _blocks(image), 0.5),
    Doubt(_OVERFLOWED, lambda image, counts: _jumps(image, 255.0), 0.002),
    Doubt(_ROUGH, lambda image, counts: _roughness(image), 0.6),
    Doubt(
        "with {share} of rows or columns that mirror others, as filled up",
        lambda i, _: _mirrored(i),
        0.04,
    ),
    Doubt("of channels that show different things, as those of several", _channels_differ, 0.8),
    Doubt(
        "with {share} of parts that are there twice", lambda image, _: _is_there_twice(image), 0.2
    ),
)
DEPTH_DOUBTS = (
    Doubt(
        "equal to the picture's own colours or brightness, and so hardly of depth",
        _is_of_colours,
        0.95,
    ),
    Doubt(
        "with {share} at one end of the range and nothing near it, as holes without data",
        _hole,
        0.001,
    ),
    Doubt(_BARS, lambda depth, image: _bars(depth, np.ones(depth.shape[:2], bool)), 0.2),
    Doubt(_BLOCKS, lambda depth, image: _blocks(depth), 0.5),
    Doubt(_OVERFLOWED, lambda depth, image: _jumps(depth, 1.0), 0.01),
    Doubt(_ROUGH, lambda depth, image: _roughness(depth), 0.15),
)
MASK_DOUBTS = (
    Doubt(
        "with {share} of single pixels unlike all around them, as noise or lossy packing leave",
        lambda label, _: _specks(label),
        0.01,
    ),
)
