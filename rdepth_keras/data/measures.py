"""What pixels alone tell of pictures, masks and depth maps: shares, each of one kind of damage.

Of a picture (H, W, 3) uint8 the pixels that count (H, W) are looked at; a depth map is (H, W, 1) in
[0, 1], beside its picture.
"""

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.data.overlap import marks
from rdepth_keras.depth.normalise import holds_few_values
from rdepth_keras.labels import IGNORE

_DARK = 40  # of 255: values below it fill a range that was not stretched
_JUMP, _STEP = 0.7, 0.35  # of the range, between neighbours: from black to white, and half of it
_LEAST_MARKS = 8  # of a picture, to know parts by
_EMPTY = 0.2  # of the range, beside pixels without data
_LEAST_SIDE = 64  # pixels, to know noise by
_EVERY, _LEAST_COLOURS = 3, 100  # pixel that is looked at for its colour, and how many tell


def few_colours(image: Image, counts: np.ndarray) -> float:
    """1 for at most 16 values, as a mask holds."""
    return float(holds_few_values(image.reshape(len(image), -1)))


def black(image: Image, counts: np.ndarray) -> float:
    """The share of black areas."""
    return _area(image, counts, 0)


def white(image: Image, counts: np.ndarray) -> float:
    """The share of white areas."""
    return _area(image, counts, 255)


def _area(image: Image, counts: np.ndarray, value: int) -> float:
    """The share of pixels of a value in areas that 5 x 5 pixels fit into: snow is scattered."""
    found = (cv2.inRange(image, (value,) * 3, (value,) * 3) > 0) & counts
    kernel = np.ones((5, 5), np.uint8)
    opened = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return float(opened.mean())


def at_ends(image: Image, counts: np.ndarray) -> float:
    """The share of values that are 0 or 255."""
    return float(np.isin(image[counts], (0, 255)).mean())


def empty_channel(image: Image, counts: np.ndarray) -> float:
    """The share of the channels that hold one value all over, where others do not."""
    values = image[counts]
    constant = float((np.ptp(values, axis=0) == 0).mean())
    return constant if constant < 1 else 0.0


def dark(image: Image, counts: np.ndarray) -> float:
    """The share of values below 40."""
    return float((image[counts] < _DARK).mean())


def commonest_colour(image: Image, counts: np.ndarray) -> float:
    """The share of the colour that most pixels have, of every third."""
    colours = image[::_EVERY, ::_EVERY][counts[::_EVERY, ::_EVERY]].astype(np.uint32)
    if len(colours) < _LEAST_COLOURS:
        return 0.0
    _, pixels = np.unique(colours @ np.array([1 << 16, 1 << 8, 1], np.uint32), return_counts=True)
    return float(pixels.max() / len(colours))


def grey(image: Image, counts: np.ndarray) -> float:
    """The share of pixels whose channels are equal."""
    return float((np.ptp(image[counts], axis=-1) == 0).mean())


def bars(array: np.ndarray, counts: np.ndarray) -> float:
    """The share of rows of one value all over, that of the row before, or of columns."""
    shares = []
    for lines, own in ((array, counts), (array.swapaxes(0, 1), counts.T)):
        same = (lines[1:] == lines[:-1, :1]).reshape(len(lines) - 1, -1).all(1)
        constant = (lines[:-1] == lines[:-1, :1]).reshape(len(lines) - 1, -1).all(1)
        shares.append(float((same & constant & own[1:].any(1)).sum() / len(lines)))
    return max(shares)


def blocks(array: np.ndarray) -> float:
    """The share of pixels that repeat one before, where all lie in blocks of one size; else 0."""
    sides = []
    for lines in (array, array.swapaxes(0, 1)):
        changed = (lines[1:] != lines[:-1]).reshape(len(lines) - 1, -1).any(1)
        sides.append(int(np.gcd.reduce([len(lines), *(np.flatnonzero(changed) + 1).tolist()])))
    return 1 - 1 / (sides[0] * sides[1]) if min(sides) > 1 else 0.0


def jumps(array: np.ndarray, most: float) -> float:
    """The share of neighbours that differ by nearly the range, where fewer differ by half of it.

    Where values overflow, white lies beside black; in noise all differences occur.
    """
    shares = [0.0]
    if min(array.shape[:2]) < 2 * _LEAST_SIDE:  # in small tiles a few sharp edges are as many
        return 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(array.astype(np.float32), axis=axis)) / most
        large = (steps > _JUMP).mean()
        if large > ((steps > _STEP) & (steps <= _JUMP)).mean():
            shares.append(float(large))
    return max(shares)


def roughness(array: np.ndarray) -> float:
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


def channels_differ(image: np.ndarray, counts: np.ndarray) -> float:
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


def mirrored(image: Image, counts: np.ndarray) -> float:
    """The longest run of rows, or columns, that mirror those before it, as a share of all."""
    rows, columns = (np.asarray(counts.any(axis)) for axis in (1, 0))
    return max(_longest_mirror(image, rows), _longest_mirror(image.swapaxes(0, 1), columns))


def _longest_mirror(lines: np.ndarray, counts: np.ndarray) -> float:
    marks_of = np.array([hash(line.tobytes()) for line in lines])
    longest = 0
    for gap in (1, 2):  # an axis between two rows, or on one
        places = np.arange(len(lines) - gap)  # the last row before the axis
        for length in range(len(lines) // 2):
            before, after = places - length, places + gap + length
            places = places[(before >= 0) & (after < len(lines))]
            before, after = places - length, places + gap + length
            same = (marks_of[before] == marks_of[after]) & counts[before] & counts[after]
            if length:  # what is of one colour all over mirrors nothing
                same &= marks_of[after] != marks_of[after - 1]
            places = places[same]
            if not places.size:
                break
            longest = max(longest, length + 1)
    return longest / len(lines)


def is_there_twice(image: np.ndarray) -> float:
    """The share of windows of 16 x 16 pixels that are there before."""
    found = marks(image, distinct=False)
    return 1 - len(np.unique(found)) / len(found) if len(found) >= _LEAST_MARKS else 0.0


def specks(label: np.ndarray) -> float:
    """The share of pixels whose class none of the four around them has."""
    inner = label[1:-1, 1:-1]
    around = (label[:-2, 1:-1], label[2:, 1:-1], label[1:-1, :-2], label[1:-1, 2:])
    alone = np.logical_and.reduce([inner != each for each in around])
    return float(alone.mean()) if min(label.shape) >= _LEAST_SIDE else 0.0


def outlines(label: Label) -> float:
    """How much of the classes but the commonest is no wider than two pixels, at least.

    0 where fewer than two others cover a hundredth of the mask.
    """
    if min(label.shape) < _LEAST_SIDE:
        return 0.0
    pixels = np.bincount(label[label != IGNORE], minlength=IGNORE)
    others = np.argsort(pixels)[::-1][1:]
    others = others[pixels[others] > 0]
    if len(others) < 2 or pixels[others].sum() < label.size / 100:
        return 0.0
    kernel = np.ones((3, 3), np.uint8)
    kept = [
        cv2.erode((label == own).astype(np.uint8), kernel).sum() / pixels[own] for own in others
    ]
    return 1 - float(max(kept))


def is_of_colours(depth: Depth, image: Image) -> float:
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


def hole(depth: Depth, image: Image) -> float:
    """The share of pixels at one end of the range, where a fifth of it beside them is empty."""
    shares = [0.0]
    for values in (depth, 1 - depth):
        rest = values[values > 0]
        if rest.size and float(rest.min()) > _EMPTY:
            shares.append(1 - rest.size / values.size)
    return max(shares)
