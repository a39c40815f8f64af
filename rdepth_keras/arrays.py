"""Names and shapes of the arrays that travel through the package, and what refuses others.

Letters: B batch, H and W height and width in pixels, K classes, C channels. Channels come last.

==========  =============  =========  ==========================================================
name        shape          dtype      values
==========  =============  =========  ==========================================================
image       (B, H, W, 3)   uint8      RGB, 0..255 (float32 on the same scale is accepted, too)
depth       (B, H, W, 1)   float32    relative depth in [0, 1], larger = nearer the camera
label       (B, H, W)      uint8      train id 0..K-1, or 255 = ignore
logits      (B, h, w, K)   float32    at the network's own stride, or full size
==========  =============  =========  ==========================================================

A *tile* is one unbatched example, a *batch* a stack of them.
"""

from collections.abc import Mapping
from numbers import Integral
from typing import Any, NotRequired, Protocol, TypedDict

import numpy as np

Image = np.ndarray
Depth = np.ndarray
Label = np.ndarray
Logits = np.ndarray
Params = Mapping[str, Any]  # variable path -> array


class Tile(TypedDict):
    """One example: ``image`` (H, W, 3), ``depth`` (H, W, 1), ``label`` (H, W), ``id`` a number.

    ``id`` is the published tile number (``1366.png`` -> 1366).
    """

    id: int
    image: Image
    depth: Depth
    label: Label


class Batch(TypedDict):
    """A stack of tiles: every array of :class:`Tile` with a leading batch axis."""

    id: np.ndarray
    image: Image
    depth: Depth
    label: NotRequired[Label]


class Batches(Protocol):
    """Endless batches whose place can be written down (as JSON) and found again."""

    def __next__(self) -> Batch: ...

    def get_state(self) -> Any: ...

    def set_state(self, state: Any) -> None: ...


class Tiles(Protocol):
    """Random access to the tiles of one domain and split; safe to pickle into a worker.

    Several threads ask for tiles at once, so that each gets arrays which no later one changes.

    ``labelled`` is False where the labels are placeholders, all ignore.
    """

    @property
    def labelled(self) -> bool: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Tile: ...


def check_whole(name: str, array: Any) -> None:
    """Raises ValueError for a NumPy array that is masked in places: sums and JAX pass over that."""
    if np.ma.is_masked(array):
        raise ValueError(
            f"{name} must be whole; received a masked array. Fill it: labels with .filled(255), "
            "which is left out, depth with a value of its own, e.g. .filled(0)."
        )


def check_native(name: str, array: Any) -> None:
    """Raises ValueError for numbers in another byte order than this machine's.

    A compiled function of JAX that has seen others reads them as if they were in its own.
    """
    if not getattr(array.dtype, "isnative", True):
        raise ValueError(
            f"{name} must be in this machine's byte order; received {array.dtype.str}. "
            'Convert it: array.astype(array.dtype.newbyteorder("=")).'
        )


def check_shape(name: str, array: Any, expected: tuple[int | None, ...]) -> None:
    """Raises ValueError for an array of another shape, or a masked one; None is any size."""
    check_whole(name, array)
    shape = tuple(array.shape)
    alike = len(shape) == len(expected) and all(
        None in pair or pair[0] == pair[1] for pair in zip(shape, expected, strict=True)
    )
    if not alike:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise ValueError(f"{name} must have the shape ({wanted}); received {shape}.")


def check_tile(tile: Tile) -> None:
    """Raises ValueError for a tile that is not as the table above says, naming the array."""
    image, depth, label = (np.asanyarray(tile[name]) for name in ("image", "depth", "label"))
    check_shape("label", label, (None, None))
    check_shape("image", image, (*label.shape, 3))
    check_shape("depth", depth, (*label.shape, 1))
    for name, array, dtypes in (
        ("image", image, ("uint8", "float32")),
        ("depth", depth, ("float32",)),
        ("label", label, ("uint8",)),
    ):
        if array.dtype.name not in dtypes:
            raise ValueError(f"{name} must be {' or '.join(dtypes)}; received {array.dtype.name}.")
    if image.dtype == np.float32 and image.size and 0 < float(image.max()) <= 1:
        raise ValueError("image must be on the scale 0..255; received values up to 1.")
    if depth.size and not (depth.min() >= 0 and depth.max() <= 1):
        raise ValueError(
            f"depth must be in [0, 1]; received values from {depth.min():g} to {depth.max():g}."
        )


def check_logits(logits: Any, label: Any) -> None:
    """Raises ValueError where logits (B, h, w, K) and labels (B, H, W) do not belong together.

    The shapes alone are looked at: of one batch, and of one stride along both axes, as far as
    sizes that were rounded can tell. Classes that come before the places stand out by that. And
    ValueError where one is masked, or the logits are in another byte order.
    """
    check_whole("The labels", label)
    check_whole("Logits", logits)
    check_native("Logits", logits)
    ours, theirs = tuple(logits.shape), tuple(label.shape)
    if not (len(ours) == 4 and len(theirs) == 3 and _belong(ours, theirs)):
        raise ValueError(
            "Logits must be (B, h, w, classes), the classes last, at one stride of their labels "
            f"(B, H, W), which have no channels; received logits {ours} and labels {theirs}."
        )


def _belong(logits: tuple[int | None, ...], label: tuple[int | None, ...]) -> bool:
    (batch, high, wide, _), (labels, height, width) = logits, label
    if None not in (batch, labels) and batch != labels:
        return False
    if high is None or wide is None or height is None or width is None:
        return True
    if (high, wide) == (width, height) and high != wide:  # transposed, though nearly square
        return False
    return abs(high * width - wide * height) <= height + width


def check_count(name: str, value: Any, most: int | None = None) -> None:
    """Raises ValueError for what is no whole number from 1 on, up to ``most``."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or int(value) < 1 or (most is not None and int(value) > most):
        wanted = "at least 1" if most is None else f"from 1 to {most}"
        raise ValueError(f"{name} must be a whole number, {wanted}; received {value!r}.")
