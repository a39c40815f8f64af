"""What a prediction must be, and the classes it says."""

from typing import Any

import numpy as np

from rdepth_keras.arrays import Label


def check_finite(prediction: np.ndarray, tile: Any) -> np.ndarray:
    """The prediction itself; the largest of values that are not numbers would be class 0.

    Raises FloatingPointError, naming ``tile`` (its number or its name), for NaN and infinity.
    """
    if not np.isfinite(prediction).all():
        share = 1 - np.isfinite(prediction).all(-1).mean()
        raise FloatingPointError(
            f"The prediction of tile {tile} is not finite in {share:.2%} of its pixels, so there "
            "is nothing to score or to write. Look at the tile's image and depth; if every tile "
            "has it, the run's weights are at fault: train again with a lower learning rate."
        )
    return prediction


def classify(prediction: np.ndarray, tile: Any) -> Label:
    """Train ids (H, W) of a prediction (H, W, K).

    Raises FloatingPointError, naming ``tile``, for one that is not finite.
    """
    return check_finite(prediction, tile).argmax(-1).astype(np.uint8)
