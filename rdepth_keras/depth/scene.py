"""Depth of images larger than the network's view: aligned, overlapping windows without seams.

Relative depth has a scale and a shift of its own in every view. All windows are therefore brought
to one another, where they overlap, and to a coarse view of the whole image, by one linear
least-squares problem in a scale and a shift per window; then they are blended.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import IO

import numpy as np

from rdepth_keras.tiling import Windows, blend_windows, windows

WINDOW_PIXELS = 1024  # a tile of the training data: the scale the networks know
SINGLE_VIEW_SHARE = 1.5  # an image up to this many windows long is one view
MOST_WINDOWS = 5000  # that are aligned at once: the matrix of the least squares is of 0.8 GB
SAMPLES = 32  # across a window: means of blocks, which the windows are compared by
STIFFNESS = 0.01  # pull of a window's scale to that of the coarse view, for windows without relief
FLATNESS = 1e-6  # of a window's mean: relief below is rounding
MEMORY_BYTES = 1 << 30  # of windows; more of them lie in a temporary file

View = Callable[[np.ndarray, tuple[int, int]], np.ndarray]


def estimate_scene(
    view: View,
    image: np.ndarray,
    *,
    window_pixels: int = WINDOW_PIXELS,
    overlap_pixels: int | None = None,
) -> np.ndarray:
    """Image (H, W, 3) uint8 of any size -> raw relative depth (H, W) float32 without seams.

    ``view(image, size)`` estimates the depth of one image at ``size`` (height, width). An image
    that fits one view is one view. Windows overlap by half, where nothing else is said. Raises
    ValueError for an overlap that is no part of a window, for too many windows, and for a view of
    another size or with values that are not finite; OSError where the windows of a large scene find
    no room on the disk.
    """
    height, width = image.shape[:2]
    view = _checked(view)
    if is_single_view(height, width, window_pixels):
        return view(image, (height, width))
    overlap_pixels = window_pixels // 2 if overlap_pixels is None else overlap_pixels
    places = windows(height, width, window_pixels, window_pixels - overlap_pixels)
    if len(places) > MOST_WINDOWS:
        raise ValueError(
            f"An image of {height}x{width} pixels has {len(places)} windows of {window_pixels}; "
            f"the depth of {MOST_WINDOWS} at most is estimated at once: cut it into parts, or give "
            "its depth map."
        )
    block = max(1, min(window_pixels // SAMPLES, height, width))
    rows, columns = height // block, width // block
    with _scratch(places) as file:
        coarse = view(image[: rows * block, : columns * block], (rows, columns))
        samples = []
        for extent in places.extents():
            depth = view(image[extent], (places.window_height, places.window_width))
            top, left = (side.start for side in extent)
            samples.append(_sample(depth, top, left, block, coarse.shape))
            # Written, not mapped: a full disk is then an error and no signal that ends the process.
            file.write(depth.astype(np.float32).tobytes())
        file.seek(0)
        depths = (_read(file, places) for _ in samples)
        return blend_windows(places, map(_apply, depths, samples, *_align(samples, coarse)))


def _checked(view: View) -> View:
    """The same view; a wrong one would end in the middle of the alignment, or in NaN everywhere."""

    def checked(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        depth = np.asarray(view(image, size))
        if depth.shape != size:
            raise ValueError(f"A view must give depth of {size}; received {depth.shape}.")
        if not np.isfinite(depth).all():
            raise ValueError(
                "A view must give finite depth; this holds NaN or infinity. Are the estimator's "
                "weights those of its network, and does it compute in float32?"
            )
        return depth

    return checked


def is_single_view(height: int, width: int, window_pixels: int = WINDOW_PIXELS) -> bool:
    """Whether an image of this size is estimated in one view."""
    return max(height, width) <= SINGLE_VIEW_SHARE * window_pixels


def window_of(tile_pixels: int) -> int:
    """The window in which larger images are estimated as tiles of this side are: in one view."""
    return tile_pixels if is_single_view(tile_pixels, tile_pixels) else WINDOW_PIXELS


def _scratch(places: Windows) -> IO[bytes]:
    """Where the windows' depth waits for its alignment."""
    wanted = 4 * len(places) * places.window_height * places.window_width
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if wanted > MEMORY_BYTES and wanted > free:
        raise OSError(
            f"The depth of {len(places)} windows needs {wanted / 2**30:.1f} GiB for a while, but "
            f"{folder} has {free / 2**30:.1f} GiB free; name another folder with TMPDIR."
        )
    return tempfile.SpooledTemporaryFile(MEMORY_BYTES)


def _read(file: IO[bytes], places: Windows) -> np.ndarray:
    """The next window."""
    size = places.window_height, places.window_width
    return np.frombuffer(file.read(4 * size[0] * size[1]), np.float32).reshape(size)


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

    @cached_property
    def mean(self) -> float:
        return float(self.values.mean())

    @cached_property
    def spread(self) -> float:
        """Standard deviation, but never as little as rounding alone would leave."""
        return max(float(self.values.std()), FLATNESS * abs(self.mean)) or 1.0

    @cached_property
    def relief(self) -> np.ndarray:
        """The values about 0 and of spread 1 (0 where the window is flat)."""
        return (self.values - self.mean) / self.spread


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
    """Scale and level of every window: the least squares of all differences together.

    A window d of mean m becomes scale (d - m) + level. It minimises, over the cells, sum (aligned_i
    - coarse)^2 + sum over overlapping pairs (aligned_i - aligned_j)^2 + a weak pull of the scales.
    Solved in reliefs, it is as well conditioned for flat windows as for any.
    """
    count = len(samples)
    matrix, right = np.zeros((2 * count, 2 * count)), np.zeros(2 * count)
    for i, sample in enumerate(samples):
        target = coarse[sample.place].astype(np.float64)
        basis = _basis(sample.relief)
        at = slice(2 * i, 2 * i + 2)
        matrix[at, at] += basis.T @ basis
        right[at] += basis.T @ target.ravel()
        pull = STIFFNESS * target.size
        matrix[2 * i, 2 * i] += pull
        right[2 * i] += pull * target.std()
        for j in range(i):
            _couple(matrix, i, j, sample, samples[j])
    solution = np.linalg.solve(matrix, right)
    return solution[::2] / [sample.spread for sample in samples], solution[1::2]


def _basis(relief: np.ndarray) -> np.ndarray:
    return np.stack([relief.ravel(), np.ones(relief.size)], axis=1)


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
        return _basis(sample.relief[rows, columns])

    a, b = basis(one), basis(other)
    at, to = slice(2 * i, 2 * i + 2), slice(2 * j, 2 * j + 2)
    matrix[at, at] += a.T @ a
    matrix[to, to] += b.T @ b
    matrix[at, to] -= a.T @ b
    matrix[to, at] -= b.T @ a


def _apply(depth: np.ndarray, sample: _Sample, scale: float, level: float) -> np.ndarray:
    # About the mean: far from it, float32 would lose what little relief a window has.
    return np.float32(scale) * (depth - np.float32(sample.mean)) + np.float32(level)
