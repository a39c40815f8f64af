"""Depth of images larger than the network's view: aligned, overlapping windows without seams.

Relative depth has a scale and a shift of its own in every view. All windows are therefore brought
to one another, where they overlap, and to a coarse view of the whole image, by one linear
least-squares problem in a scale and a shift per window; then they are blended.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rdepth_keras.tiling import Windows, blend_weights, windows

WINDOW_PIXELS = 1024  # a tile of the training data: the scale the networks know
SINGLE_VIEW_SHARE = 1.5  # an image up to this many windows long is one view
SAMPLES = 32  # across a window: means of blocks, which the windows are compared by
STIFFNESS = 0.01  # pull of a window's scale to that of the coarse view, for windows without relief

View = Callable[[np.ndarray, tuple[int, int]], np.ndarray]


def estimate_scene(
    view: View,
    image: np.ndarray,
    *,
    window_pixels: int = WINDOW_PIXELS,
    overlap_pixels: int = WINDOW_PIXELS // 2,
) -> np.ndarray:
    """Image (H, W, 3) uint8 of any size -> raw relative depth (H, W) float32 without seams.

    ``view(image, size)`` estimates the depth of one image at ``size`` (height, width). An image
    that fits one view is one view. Raises ValueError for an overlap that is no part of a window.
    """
    height, width = image.shape[:2]
    if is_single_view(height, width, window_pixels):
        return view(image, (height, width))
    places = windows(height, width, window_pixels, window_pixels - overlap_pixels)
    block = max(1, window_pixels // SAMPLES)
    coarse = view(image, (max(1, height // block), max(1, width // block)))
    with tempfile.TemporaryFile() as file:
        size = (len(places), places.window_height, places.window_width)
        depths = np.memmap(file, np.float32, "w+", shape=size)
        samples = []
        for index, (top, left) in enumerate(zip(places.tops, places.lefts, strict=True)):
            rows, columns = _extent(places, top, left)
            depths[index] = view(image[rows, columns], size[1:])
            samples.append(_sample(depths[index], top, left, block, coarse.shape))
        scales, shifts = _align(samples, coarse)
        return _blend(places, depths, scales, shifts)


def is_single_view(height: int, width: int, window_pixels: int = WINDOW_PIXELS) -> bool:
    """Whether an image of this size is estimated in one view."""
    return max(height, width) <= SINGLE_VIEW_SHARE * window_pixels


def _extent(places: Windows, top: int, left: int) -> tuple[slice, slice]:
    return slice(top, top + places.window_height), slice(left, left + places.window_width)


@dataclass(frozen=True)
class _Sample:
    """Block means of a window on the grid of the coarse view, from cell (top, left) on."""

    top: int
    left: int
    values: np.ndarray

    @property
    def place(self) -> tuple[slice, slice]:
        height, width = self.values.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def _sample(depth, top: int, left: int, block: int, grid: tuple[int, int]) -> _Sample:
    """Means over the whole blocks of the scene that lie within the window."""
    first = -(-top // block), -(-left // block)
    rows = min((top + depth.shape[0]) // block, grid[0]) - first[0]
    columns = min((left + depth.shape[1]) // block, grid[1]) - first[1]
    y, x = first[0] * block - top, first[1] * block - left
    inner = depth[y : y + rows * block, x : x + columns * block]
    means = inner.reshape(rows, block, columns, block).mean((1, 3), dtype=np.float64)
    return _Sample(*first, means)


def _align(samples: list[_Sample], coarse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of every window: the least squares of all differences together.

    With p = (scale, shift) per window it minimises, over the cells, sum (p_i d_i - coarse)^2 +
    sum over overlapping pairs (p_i d_i - p_j d_j)^2 + a weak pull of the scales.
    """
    count = len(samples)
    matrix, right = np.zeros((2 * count, 2 * count)), np.zeros(2 * count)
    for i, sample in enumerate(samples):
        target = coarse[sample.place].astype(np.float64)
        basis = _basis(sample.values)
        at = slice(2 * i, 2 * i + 2)
        matrix[at, at] += basis.T @ basis
        right[at] += basis.T @ target.ravel()
        pull = STIFFNESS * (sample.values.var() + 1e-12) * sample.values.size
        matrix[2 * i, 2 * i] += pull
        right[2 * i] += pull * _slope(sample.values, target)
        for j in range(i):
            _couple(matrix, i, j, sample, samples[j])
    solution = np.linalg.solve(matrix, right)
    return solution[::2], solution[1::2]


def _basis(values: np.ndarray) -> np.ndarray:
    return np.stack([values.ravel(), np.ones(values.size)], axis=1)


def _slope(values: np.ndarray, target: np.ndarray) -> float:
    spread = values.std()
    return float(target.std() / spread) if spread > 0 else 1.0


def _couple(matrix: np.ndarray, i: int, j: int, one: _Sample, other: _Sample) -> None:
    """Adds the squared differences of two windows where they overlap."""
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(one.place[0].stop, other.place[0].stop)
    right = min(one.place[1].stop, other.place[1].stop)
    if bottom <= top or right <= left:
        return

    def basis(sample: _Sample) -> np.ndarray:
        rows = slice(top - sample.top, bottom - sample.top)
        columns = slice(left - sample.left, right - sample.left)
        return _basis(sample.values[rows, columns])

    a, b = basis(one), basis(other)
    at, to = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
    matrix[at, at] += a.T @ a
    matrix[to, to] += b.T @ b
    matrix[at, to] -= a.T @ b
    matrix[to, at] -= b.T @ a


def _blend(places: Windows, depths, scales: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Mean of the aligned windows, weighted towards their centres."""
    weight = blend_weights(places.window_height, places.window_width, "tapered")
    total = np.zeros((places.height, places.width), np.float32)
    weights = np.zeros_like(total)
    for index, (top, left) in enumerate(zip(places.tops, places.lefts, strict=True)):
        place = _extent(places, top, left)
        aligned = np.float32(scales[index]) * depths[index] + np.float32(shifts[index])
        total[place] += weight * aligned
        weights[place] += weight
    return total / weights
