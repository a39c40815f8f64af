"""Whether the values of published weights can be those of a trained network.

A plan is what :func:`rdepth_keras.models.weights.load.load` will assign: variables and arrays.
"""

import warnings
from collections.abc import Sequence

import keras
import numpy as np

from rdepth_keras.naming import shorten

_HOLE = 4096  # values: 16 KiB of float32
_SHOWN = 5  # names of variables
Plan = Sequence[tuple[keras.Variable, np.ndarray]]


def refuse_flat(plan: Plan) -> None:
    """Raises ValueError for kernels of one value alone, or with zeros one after another.

    Those are of a file whose download was cut, or lacks a part, and was filled up with zeros.
    """
    flat = [
        variable.path
        for variable, array in plan
        if array.ndim > 1 and array.size > 1 and not np.ptp(array)
    ]
    holed = [variable.path for variable, array in plan if array.ndim > 1 and _has_hole(array)]
    if holed and not flat:
        raise ValueError(
            f"The weights hold {_HOLE} zeros or more one after another in {_listing(holed)}, which "
            "no training leaves. Was a part of their download left out? Fetch the file again."
        )
    if flat:
        raise ValueError(
            f"The weights hold one value all over in {_listing(flat)}, which no training leaves. "
            "Was their download cut? Fetch the file again."
        )


def tell_fresh_statistics(plan: Plan) -> None:
    """Averaged weights (SWA, EMA) are often saved with batch norms that no image has passed."""
    kinds = {"mean": 0, "variance": 1}
    statistics = [
        np.all(array == kinds[kind])
        for variable, array in plan
        if (kind := variable.path.rpartition("_")[2]) in kinds
    ]
    if statistics and all(statistics):
        warnings.warn(
            "Every batch norm of the weights has mean 0 and variance 1, as before training: were "
            "weights averaged, and their statistics not? Take weights that have them, or estimate "
            "them on training images first.",
            stacklevel=3,
        )


def tell_closed_norms(plan: Plan) -> None:
    """What a norm multiplies by 0 goes no further: the network behind it does not see the image."""
    closed = [
        variable.path
        for variable, array in plan
        if variable.path.endswith("gamma") and not np.any(array)
    ]
    if closed:
        warnings.warn(
            f"The weights multiply everything by 0 in {_listing(closed)}. Was a part of the file "
            "not written?",
            stacklevel=3,
        )


def _listing(paths: Sequence[str]) -> str:
    return shorten(sorted(paths), _SHOWN)


def _has_hole(array: np.ndarray) -> bool:
    """Whether zeros stand one after another for 16 KiB or more, as in files: outputs first."""
    axes = (array.ndim - 1, array.ndim - 2, *range(array.ndim - 2))
    used = np.flatnonzero(array.transpose(axes))
    ends = np.concatenate([[-1], used, [array.size]])
    return int(np.diff(ends).max()) > _HOLE
