"""Relative depth as it is stored and as networks see it: 16 bits, stretched over one tile.

An estimator's depth has no unit: only the order and the relative spacing of its values mean
anything. Every tile is therefore stretched from its own minimum and maximum to 0..65535, and the
range is kept beside it. Training and prediction use these functions alike. NumPy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rdepth_keras.arrays import check_whole
from rdepth_keras.naming import shorten

LEVELS = 65535  # the largest 16-bit value
FLAT_VALUES = 16  # a map with no more is hardly one of depth
_CORE_SHARES = (0.1, 0.9)  # between these shares of the pixels, in the order of their values,
_LEAST_CORE = 0.03  # of the range must lie: else a few extremes have all of it


@dataclass(frozen=True)
class StoredDepth:
    """One stored depth map: ``values`` (H, W) uint16 and the range of the depth they came from.

    ``minimum`` and ``maximum`` are in the source's own unit: raw estimator output, or the grey
    values of a ready-made map.
    """

    values: np.ndarray
    minimum: float
    maximum: float


def quantise(depth: np.ndarray) -> StoredDepth:
    """Raw depth (H, W), any real dtype, larger = nearer -> 16 bits over its own range.

    A constant map becomes 0. The order of values is kept. Raises ValueError for another shape and
    for values that are not finite, complex or masked.
    """
    check_whole("A depth map", depth)
    if np.iscomplexobj(depth):
        raise ValueError(f"A depth map holds real numbers; received {depth.dtype}.")
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(f"A depth map has the shape (height, width); received {depth.shape}.")
    depth = np.asarray(depth, np.float64)
    if not np.isfinite(depth).all():
        raise ValueError("A depth map must be finite; this one holds NaN or infinity.")
    minimum, maximum = float(depth.min()), float(depth.max())
    scale = LEVELS / (maximum - minimum) if maximum > minimum else 0.0
    values = np.rint((depth - minimum) * scale).astype(np.uint16)
    return StoredDepth(values, minimum, maximum)


def dequantise(values: np.ndarray) -> np.ndarray:
    """Stored values (H, W) uint16 -> what networks see: float32 (H, W, 1) in [0, 1]."""
    if values.dtype != np.uint16 or values.ndim != 2:
        raise ValueError(
            f"Stored depth is uint16 (height, width); received {values.dtype} {values.shape}."
        )
    return (values.astype(np.float32) / np.float32(LEVELS))[..., None]


def normalise(depth: np.ndarray) -> np.ndarray:
    """Raw depth (H, W) -> float32 (H, W, 1) in [0, 1], exactly as if stored and read back."""
    return dequantise(quantise(depth).values)


def is_flat(depth: np.ndarray) -> bool:
    """Whether a map, raw or normalised, tells too little, though it is legal.

    It holds at most 16 values: it is one value all over, or a mask that was taken for a depth map.
    Or four fifths of its pixels lie within 3 % of its range: a few extremes, such as unmarked
    pixels without data, have all of it.
    """
    return holds_few_values(depth) or _is_squeezed(depth)


def _is_squeezed(depth: np.ndarray) -> bool:
    if not depth.size:
        return False
    low, high = np.quantile(depth[::4, ::4], _CORE_SHARES)
    return bool(high - low < _LEAST_CORE * (float(depth.max()) - float(depth.min())))


def holds_few_values(array: np.ndarray) -> bool:
    """Whether (H, ...) holds at most 16 different values."""
    found = np.zeros(0, array.dtype)
    for rows in array:  # the first rows show nearly always that there are more
        found = np.union1d(found, rows)
        if found.size > FLAT_VALUES:
            return False
    return bool(array.size)


def flat_notice(names: Sequence[str]) -> str:
    """What is said, everywhere, of flat maps: how many, and the names of the first."""
    maps = "1 depth map is" if len(names) == 1 else f"{len(names)} depth maps are"
    return (
        f"WARNING: {maps} flat (one value all over, which will count as depth 0, at most "
        f"{FLAT_VALUES} values, as a mask holds, or nearly one value beside a few extremes, such "
        f"as unmarked pixels without data): {shorten(names)}. Is that meant?"
    )
