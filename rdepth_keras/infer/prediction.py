"""What a tile and its prediction must be, and the classes it says."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from rdepth_keras.arrays import Label, Tile, check_count, check_native, check_whole
from rdepth_keras.infer.scales import common_size
from rdepth_keras.labels import MOST_CLASSES

_SCALES = {
    "image": (255, "RGB 0..255, uint8 or floats"),
    "depth": (1, "floats in [0, 1], larger = nearer"),
}


def check_inputs(inputs: Mapping[str, Any], tile: Tile | str | None = None) -> None:
    """Raises ValueError for a tile's arrays of several sizes, or on no scale that networks take.

    ``image`` is uint8, or floats that go up to 255 and not to 1; ``depth`` floats in [0, 1]. So it
    does for masked arrays, and for another byte order. ``tile`` is named where it is given.
    Of traced arrays, in a compiled function, the size alone can be looked at.
    """
    common_size(inputs)
    inputs = {name: array for name, array in inputs.items() if not isinstance(array, Tracer)}
    for name, array in inputs.items():
        check_whole(_array(name, tile), array)
        check_native(_array(name, tile), array)
    for name, (most, wanted) in _SCALES.items():
        array = inputs.get(name)
        if array is None or (name == "image" and array.dtype == np.uint8):
            continue
        low, high = float(array.min()), float(array.max())
        # NaN passes: its prediction is refused for that. An image of zeros is a black one.
        beyond = low < 0 or high > most + 1e-3 or (name == "image" and 0 < high <= 1)
        if beyond or not jnp.issubdtype(array.dtype, jnp.floating):
            raise ValueError(
                f"{_array(name, tile)} must be {wanted}; received {array.dtype} from {low:.4g} to "
                f"{high:.4g}. Scale it."
            )


def check_output(output: Any) -> None:
    """Raises ValueError for the outputs of a network with taps, or of one class.

    Full-size logits alone predict.
    """
    if isinstance(output, Mapping):
        raise ValueError(
            "A tile is predicted by full-size logits alone, but the network's outputs are "
            f"{', '.join(output)}: build it without taps."
        )
    _refuse_one_class(output.shape[-1])


def _refuse_one_class(classes: int) -> None:
    if classes == 1:
        raise ValueError(
            "Of one class every pixel is that class, whatever its score: give a network of two or "
            "more, or predict with Keras's own and cut its sigmoid at a threshold."
        )


def check_finite(prediction: np.ndarray, tile: Tile | str) -> np.ndarray:
    """The prediction itself; the largest of values that are not numbers would be class 0.

    Raises FloatingPointError, naming ``tile`` (or what it is called), for NaN and infinity.
    """
    if not np.isfinite(prediction).all():
        share = 1 - np.isfinite(prediction).all(-1).mean()
        raise FloatingPointError(
            f"The prediction of tile {_name(tile)} is not finite in {share:.2%} of its pixels, so "
            "there is nothing to score or to write. Look at the tile's image and depth; if every "
            "tile has it, the run's weights are at fault: train again with a lower learning rate."
        )
    return prediction


def classify(prediction: np.ndarray, tile: Tile | str) -> Label:
    """Train ids (H, W) of a prediction (H, W, K).

    Raises FloatingPointError, naming ``tile``, for one that is not finite, and ValueError for a
    masked one, one class, and for more than there are train ids.
    """
    check_whole(f"The prediction of tile {_name(tile)}", prediction)
    check_count("classes of a prediction", prediction.shape[-1], MOST_CLASSES)
    _refuse_one_class(prediction.shape[-1])
    return check_finite(prediction, tile).argmax(-1).astype(np.uint8)


def _array(name: str, tile: Tile | str | None) -> str:
    return f"The {name}" if tile is None else f"The {name} of tile {_name(tile)}"


def _name(tile: Tile | str) -> Any:
    return tile["id"] if isinstance(tile, Mapping) else tile
