"""What a prediction must be, and the classes it says."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rdepth_keras.arrays import Label, Tile


def check_finite(prediction: np.ndarray, tile: Tile | str) -> np.ndarray:
    """The prediction itself; the largest of values that are not numbers would be class 0.

    Raises FloatingPointError, naming ``tile`` (or what it is called), for NaN and infinity.
    """
    if not np.isfinite(prediction).all():
        name: Any = tile["id"] if isinstance(tile, Mapping) else tile
        share = 1 - np.isfinite(prediction).all(-1).mean()
        raise FloatingPointError(
            f"The prediction of tile {name} is not finite in {share:.2%} of its pixels, so there "
            "is nothing to score or to write. Look at the tile's image and depth; if every tile "
            "has it, the run's weights are at fault: train again with a lower learning rate."
        )
    return prediction


def classify(prediction: np.ndarray, tile: Tile | str) -> Label:
    """Train ids (H, W) of a prediction (H, W, K).

    Raises FloatingPointError, naming ``tile``, for one that is not finite.
    """
    return check_finite(prediction, tile).argmax(-1).astype(np.uint8)
