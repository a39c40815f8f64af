"""Names and shapes of the arrays that travel through the package.

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

    ``labelled`` is False where the labels are placeholders, all ignore.
    """

    @property
    def labelled(self) -> bool: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Tile: ...
