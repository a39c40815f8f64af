"""Whether masks and depth maps belong to their pictures: turned, they then fit far less."""

from collections.abc import Sequence

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.labels import IGNORE

_LEAST_TILES = 3  # that tell something; one or two may do so by chance
_LEAST_SIDE = 64  # of a tile; smaller ones tell too little
_LEAST_SIDE_ALONE = 256  # of a picture that is looked at alone
_BAND, _ONE_LINE = 0.25, 0.02  # of a mask, along a side, and between such that end alike
_WINDOW, _EVERY = 9, 4  # pixels that a colour is averaged over, and between those looked at
_TURNS = ("as they are", "upside down", "mirrored left to right", "turned by 180 degrees")
_LEAST_EXPLAINED = 1.5  # times what turned masks explain,
_WELL_EXPLAINED = 0.15  # or so much of what those leave: many classes explain much anyhow
_MOST_EXPLAINED = 0.45  # of what turned masks leave: more than classes are of one colour each
_LEAST_SHARED = 2  # times what turned depth maps share, or what they share by chance
_BY_CHANCE, _MORE_SHARED = 0.025, 0.2  # or so much more than turned ones share
_MOST_IGNORED = 0.5  # of a mask; the rest of others tells too little


def mask_fit(image: Image, label: Label) -> np.ndarray:
    """How much of a picture's variance its classes explain, and how much turned masks would: (4,).

    The share between classes of the variance of colour and texture (the mean and the deviation
    within 9 x 9 pixels, whitened): eta squared of several variables. First comes the mask as it is,
    then upside down, mirrored left to right, and turned by 180 degrees. All are 0 for a tile that
    tells nothing: of one class, mostly ignored, or of less than 64 pixels a side.
    """
    several = len(np.setdiff1d(label, IGNORE)) > 1
    if min(label.shape) < _LEAST_SIDE or not several or (label == IGNORE).mean() > _MOST_IGNORED:
        return np.zeros(len(_TURNS))
    features = _features(image)
    return np.array([_between_classes(features, t[::_EVERY, ::_EVERY]) for t in _turned(label)])


def depth_fit(image: Image, depth: Depth) -> np.ndarray:
    """How much a picture's edges are its depth map's, and those of turned maps: (4,).

    The correlation of the sizes of both gradients (Sobel's, after a Gaussian of one pixel), in the
    order of :func:`mask_fit`. All are 0 for less than 64 pixels a side, and for a flat map.
    """
    if min(image.shape[:2]) < _LEAST_SIDE:
        return np.zeros(len(_TURNS))
    ours, theirs = _edges(image.mean(-1, dtype=np.float32)), _edges(depth[..., 0])
    return np.array([_correlation(ours, each) for each in _turned(theirs)])


def unfit_masks(fits: Sequence[np.ndarray]) -> str:
    """In words, that masks together do not fit, or fit too well; empty where they are as expected.

    ``fits`` are what :func:`mask_fit` gives of each. Sound masks explain several times as much as
    turned ones do, and less than half of what those leave. Shifts of a few pixels, a few wrong
    masks among many, and fewer than three tiles of several classes do not show.
    """
    told = [fit for fit in fits if fit.any()]
    if len(told) < _LEAST_TILES:
        return ""
    own, *turned = np.mean(told, axis=0)
    chance = np.mean(turned)
    beyond = (own - chance) / max(1 - chance, 1e-9)
    if beyond > _MOST_EXPLAINED:
        return (
            f"classes explain {own:.0%} of the colours and texture of pictures, more than they do "
            "of photographs: are masks drawn over them?"
        )
    enough = own >= _LEAST_EXPLAINED * chance or beyond >= _WELL_EXPLAINED
    if enough and own >= max(turned):
        return ""
    times = own / chance if chance > 0 else np.inf
    return (
        f"masks do not fit their pictures: classes explain {times:.1f} times as much of colour and "
        f"texture as turned masks do, where it is several times. {_better(own, turned)}"
    )


def one_class_band(label: Label) -> float:
    """The largest share of rows or columns from one side of a mask that are of one class: [0, 1].

    0 for a mask of one class, or of less than 64 pixels a side: it tells nothing.
    """
    if min(label.shape) < _LEAST_SIDE or len(np.unique(label)) < 2:
        return 0.0
    shares = []
    for lines in (label, label[::-1], label.T, label.T[::-1]):
        other = (lines != lines[0, 0]).any(1)
        shares.append(float(np.argmax(other) / len(lines)) if lines[0, 0] != IGNORE else 0.0)
    return max(shares)


def half_drawn_masks(bands: Sequence[float]) -> str:
    """In words, that most masks end in a band of one class, as where nobody drew; empty for others.

    ``bands`` are what :func:`one_class_band` gives of each.
    """
    wide = [band for band in bands if band > _BAND]
    # Woods and fields fill parts of masks, too, but not up to one line in all of them.
    found = [band for band in wide if abs(band - np.median(wide)) < _ONE_LINE]
    if len(found) < _LEAST_TILES or len(found) <= len(bands) / 2:
        return ""
    return (
        f"{len(found)} of {len(bands)} masks are of one class along a side, {np.median(found):.0%} "
        "of their rows or columns: is something not drawn there, and not ignored?"
    )


def unfit_depths(fits: Sequence[np.ndarray], least: int = _LEAST_TILES) -> str:
    """In words, that depth maps together do not fit their pictures; empty where they do.

    ``fits`` are what :func:`depth_fit` gives of each; of fewer than ``least`` nothing is said. A
    few wrong maps among many do not show.
    """
    told = [fit for fit in fits if fit.any()]
    if len(told) < least:
        return ""
    own, *turned = np.mean(told, axis=0)
    if own >= min(_LEAST_SHARED * max(*turned, _BY_CHANCE), max(turned) + _MORE_SHARED):
        return ""
    return (
        f"depth maps do not fit their pictures: their edges correlate by {own:.2f}, and those of "
        f"turned maps by up to {max(turned):.2f}. {_better(own, turned)}"
    )


def unfit_depth(image: Image, depth: Depth) -> str:
    """The same of one picture and map, from 256 pixels a side on; smaller ones tell too little."""
    large = min(image.shape[:2]) >= _LEAST_SIDE_ALONE
    return unfit_depths([depth_fit(image, depth)], least=1) if large else ""


def _better(own: float, turned: Sequence[float]) -> str:
    *_, second, best = sorted((own, *turned))
    if best > 2 * max(second, _BY_CHANCE):
        return f"They would fit {_TURNS[1 + list(turned).index(best)]}."
    return "Are they of other pictures, shifted or turned?"


def _turned(array: np.ndarray) -> tuple[np.ndarray, ...]:
    return array, array[::-1], array[:, ::-1], array[::-1, ::-1]


def _features(image: Image) -> np.ndarray:
    """(pixels, 4): whitened mean colour and deviation of the brightness around every 4th pixel."""
    values = image.astype(np.float32)
    grey, size = values.mean(-1), (_WINDOW, _WINDOW)
    variance = cv2.blur(grey * grey, size) - cv2.blur(grey, size) ** 2
    deviation = np.sqrt(np.maximum(variance, 0))[..., None]
    found = np.concatenate([cv2.blur(values, size), deviation], axis=-1)
    found = found[::_EVERY, ::_EVERY].reshape(-1, 4).astype(np.float64)
    found -= found.mean(0)
    covariance = found.T @ found / len(found) + 1e-3 * np.eye(4)
    return found @ np.linalg.inv(np.linalg.cholesky(covariance)).T


def _between_classes(features: np.ndarray, label: Label) -> float:
    """The share of the features' variance that lies between the classes' means."""
    classes = label.ravel()
    features, classes = features[classes != IGNORE], classes[classes != IGNORE]
    total = float(((features - features.mean(0)) ** 2).sum()) if len(features) else 0.0
    if total == 0:
        return 0.0
    centre, between = features.mean(0), 0.0
    for train_id in np.unique(classes):
        own = features[classes == train_id]
        between += len(own) * float(((own.mean(0) - centre) ** 2).sum())
    return between / total


def _edges(values: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(np.ascontiguousarray(values), (0, 0), 1)
    size = cv2.magnitude(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1))
    return np.sqrt(size)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    pair = np.stack([one.ravel(), other.ravel()]).astype(np.float64)
    pair -= pair.mean(1, keepdims=True)
    size = np.sqrt((pair * pair).sum(1).prod())
    return float((pair[0] * pair[1]).sum() / size) if size else 0.0
