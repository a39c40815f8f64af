"""Whether masks belong to their pictures: classes differ in colour and texture, where they do."""

from collections.abc import Sequence

import cv2
import numpy as np

from rdepth_keras.arrays import Image, Label
from rdepth_keras.labels import IGNORE

_LEAST_SIDE = 64  # of a tile; smaller ones tell too little
_WINDOW, _EVERY = 9, 4  # pixels that a colour is averaged over, and between those looked at
_LEAST_TIMES = 1.5  # as much as turned masks explain
_TURNS = ("as they are", "upside down", "mirrored left to right", "turned by 180 degrees")


def explained(image: Image, label: Label) -> np.ndarray:
    """How much of a picture's variance its classes explain, and how much turned masks would: (4,).

    The share between classes of the variance of colour and texture (the mean and the deviation
    within 9 x 9 pixels, whitened): eta squared of several variables. First comes the mask as it is,
    then upside down, mirrored left to right, and turned by 180 degrees. All are 0 for a tile that
    tells nothing: of one class, or of less than 64 pixels a side.
    """
    if min(label.shape) < _LEAST_SIDE or len(np.setdiff1d(label, IGNORE)) < 2:
        return np.zeros(len(_TURNS))
    features = _features(image)
    turned = (label, label[::-1], label[:, ::-1], label[::-1, ::-1])
    return np.array([_between_classes(features, each[::_EVERY, ::_EVERY]) for each in turned])


def disagreement(tiles: Sequence[np.ndarray]) -> str:
    """In words, that the masks of these tiles together do not fit; empty where they do.

    ``tiles`` are what :func:`explained` gives of each. Sound masks explain several times as much
    as turned ones do. Shifts of a few pixels, and a few wrong masks among many, do not show.
    """
    own, *turned = np.sum(tiles, axis=0) if len(tiles) else np.zeros(len(_TURNS))
    if own + sum(turned) == 0 or (own >= _LEAST_TIMES * np.mean(turned) and own >= max(turned)):
        return ""
    best = int(np.argmax(turned))
    words = "Are they of other pictures, shifted or turned?"
    if turned[best] > _LEAST_TIMES * own:
        words = f"They would fit {_TURNS[1 + best]}."
    times = own / np.mean(turned) if np.mean(turned) > 0 else np.inf
    return (
        f"masks do not fit their pictures: classes explain {times:.1f} times as much of colour and "
        f"texture as turned masks do, where it is several times. {words}"
    )


def _features(image: Image) -> np.ndarray:
    """(pixels, 4): whitened mean colour and deviation of the brightness around every 4th pixel."""
    values = image.astype(np.float32)
    grey = values.mean(-1)
    mean, size = cv2.blur(values, (_WINDOW, _WINDOW)), (_WINDOW, _WINDOW)
    variance = cv2.blur(grey * grey, size) - cv2.blur(grey, size) ** 2
    found = np.concatenate([mean, np.sqrt(np.maximum(variance, 0))[..., None]], axis=-1)
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
