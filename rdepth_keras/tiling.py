"""Windows over an image and the weights that blend them: pure integers and NumPy."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Blend = Literal["uniform", "tapered"]


@dataclass(frozen=True)
class Windows:
    """Equal windows that cover an image of ``height`` x ``width`` pixels.

    ``tops`` and ``lefts`` list the corners, row by row; every window measures ``window_height`` x
    ``window_width`` and lies inside the image.
    """

    height: int
    width: int
    window_height: int
    window_width: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.tops)

    def extents(self) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of every window."""
        for top, left in zip(self.tops, self.lefts, strict=True):
            yield slice(top, top + self.window_height), slice(left, left + self.window_width)


def windows(height: int, width: int, window_pixels: int, stride_pixels: int) -> Windows:
    """Square windows at a stride; the last of a row or column is moved back inside the image.

    A window larger than the image shrinks to it.

    Raises:
        ValueError: for sizes below 1, or a stride above the window (pixels would be left out).
    """
    if min(height, width, window_pixels, stride_pixels) < 1:
        raise ValueError(
            "Sizes must be at least 1 pixel; received image "
            f"{height}x{width}, window {window_pixels}, stride {stride_pixels}."
        )
    if stride_pixels > window_pixels:
        raise ValueError(
            f"The stride ({stride_pixels}) is larger than the window ({window_pixels}): pixels "
            "between the windows would have no prediction. Use a stride <= the window."
        )
    window_height, window_width = min(window_pixels, height), min(window_pixels, width)
    rows = _starts(height, window_height, stride_pixels)
    columns = _starts(width, window_width, stride_pixels)
    return Windows(
        height,
        width,
        window_height,
        window_width,
        tops=tuple(top for top in rows for _ in columns),
        lefts=tuple(left for _ in rows for left in columns),
    )


def blend_weights(window_height: int, window_width: int, blend: Blend = "uniform") -> np.ndarray:
    """Weight of each pixel of a window, float32 (window_height, window_width), all above 0.

    ``"uniform"`` is 1 everywhere, the plain mean of the overlapping windows. ``"tapered"`` falls
    linearly from the centre to the border, where a window sees the least context.
    """
    if blend not in get_args(Blend):
        raise ValueError(f"blend must be one of {get_args(Blend)}; received {blend!r}.")
    if blend == "uniform":
        return np.ones((window_height, window_width), np.float32)
    return np.outer(_taper(window_height), _taper(window_width)).astype(np.float32)


def coverage(grid: Windows, weight: np.ndarray) -> np.ndarray:
    """Sum of the windows' weights at every pixel, float32 (height, width), above 0.

    ``weight`` is that of a window's pixels, as :func:`blend_weights` gives it.
    """
    total = np.zeros((grid.height, grid.width), np.float32)
    for extent in grid.extents():
        total[extent] += weight
    return total


def blend_windows(
    grid: Windows, parts: Iterable[np.ndarray], blend: Blend = "tapered"
) -> np.ndarray:
    """The weighted mean of what was found in the windows, float32 (height, width, ...).

    Args:
        grid: the windows.
        parts: of every window in their order, floats (window_height, window_width, ...), e.g. the
            scores of all classes, not their ids; an iterator never holds more than one.
        blend: how overlapping windows are weighted, see :func:`blend_weights`.

    Raises:
        ValueError: for integers, of which a mean between two classes would be a third, and for
            parts of another size than the windows.
    """
    weight = blend_weights(grid.window_height, grid.window_width, blend)
    total: np.ndarray | None = None
    for extent, part in zip(grid.extents(), parts, strict=True):
        if part.shape[:2] != weight.shape:
            raise ValueError(
                f"Parts have the size of their windows, {weight.shape}; received {part.shape}."
            )
        if part.dtype.kind in "iub":
            raise ValueError(
                f"What is blended are floats, e.g. scores of classes; received {part.dtype}. Of "
                "train ids take a one-hot of floats first."
            )
        if total is None:
            total = np.zeros((grid.height, grid.width, *part.shape[2:]), np.float32)
        total[extent] += _spread(weight, part.ndim) * part
    assert total is not None, "a grid has at least one window"
    total /= _spread(coverage(grid, weight), total.ndim)
    return total


def _spread(weight: np.ndarray, axes: int) -> np.ndarray:
    """The weight of every pixel over further axes, e.g. of classes."""
    return weight.reshape(*weight.shape, *[1] * (axes - 2))


def _starts(length: int, window: int, stride: int) -> list[int]:
    count = -(-(length - window) // stride) + 1
    return [min(index * stride, length - window) for index in range(count)]


def _taper(length: int) -> np.ndarray:
    distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return distance / distance.max()
