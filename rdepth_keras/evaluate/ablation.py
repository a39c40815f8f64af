"""What depth gives a trained network: the same tiles with their depth taken from them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Tile, Tiles
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.evaluate.bootstrap import Interval, bootstrap_difference
from rdepth_keras.evaluate.confusion import Absent, class_iou, mean_iou
from rdepth_keras.evaluate.counts import Counts

NOISE = 0.1  # standard deviation, of a depth in 0..1
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class ReplacedDepth:
    """Tiles whose depth is another; see :class:`rdepth_keras.arrays.Tiles`.

    Attributes:
        tiles: the true ones.
        kind: a name in :data:`DEPTHS`.
        seed: of what is drawn.
    """

    tiles: Tiles
    kind: str
    seed: int = 0

    def __post_init__(self):
        if self.kind not in DEPTHS:
            raise ValueError(f"kind must be one of {', '.join(DEPTHS)}; received {self.kind!r}.")
        if self.kind == "shuffled" and len(self.tiles) < 2:
            raise ValueError("Depth is shuffled between tiles; there is but one.")

    @property
    def labelled(self) -> bool:
        return self.tiles.labelled

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> Tile:
        tile = self.tiles[index]
        return {**tile, "depth": DEPTHS[self.kind](self, tile, index)}


def _zeroed(replaced: ReplacedDepth, tile: Tile, index: int) -> Depth:
    return np.zeros_like(tile["depth"])


def _shuffled(replaced: ReplacedDepth, tile: Tile, index: int) -> Depth:
    """Another tile's, never its own: the tiles are put in a ring, and each takes the next one's."""
    ring = np.random.default_rng(replaced.seed).permutation(len(replaced))
    place = int(np.argmax(ring == index % len(replaced)))
    depth = replaced.tiles[int(ring[(place + 1) % len(ring)])]["depth"]
    height, width = tile["depth"].shape[:2]
    if depth.shape[:2] != (height, width):
        depth = cv2.resize(depth, (width, height))[..., None]
    return depth


def _noised(replaced: ReplacedDepth, tile: Tile, index: int) -> Depth:
    rng = np.random.default_rng([replaced.seed, index % len(replaced)])
    noise = rng.normal(0, NOISE, tile["depth"].shape)
    return np.clip(tile["depth"] + noise, 0, 1).astype(np.float32)


def _luminance(replaced: ReplacedDepth, tile: Tile, index: int) -> Depth:
    """The image's own brightness, stretched as depth is: nothing that the image does not say."""
    return normalise(np.asarray(tile["image"], np.float32) @ _LUMA)


DEPTHS: dict[str, Callable[[ReplacedDepth, Tile, int], Depth]] = {
    "zeroed": _zeroed,
    "shuffled": _shuffled,
    "noised": _noised,
    "luminance": _luminance,
}


def score_differences(counts: Counts, other: Counts, absent: Absent = "union") -> Interval:
    """``other`` minus ``counts``: IoU of each class and, last, the mIoU; (classes + 1,).

    With intervals by the bootstrap paired over tiles. Raises ValueError for different tiles: of
    other numbers, or with other labelled pixels of the classes.
    """
    alike = counts.confusions.shape == other.confusions.shape and counts.ids == other.ids
    if not alike or (counts.confusions.sum(-1) != other.confusions.sum(-1)).any():
        raise ValueError("Only counts of the same tiles, in the same order, are compared.")
    score = partial(_class_and_mean, absent=absent)
    return bootstrap_difference(counts.confusions, other.confusions, score)


def _class_and_mean(confusion: np.ndarray, absent: Absent) -> np.ndarray:
    means: Any = mean_iou(confusion, absent)[..., None]
    return np.concatenate([class_iou(confusion), means], axis=-1)
