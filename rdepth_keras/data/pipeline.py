"""Tiles -> endless, seeded, restorable batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grain
import numpy as np

from rdepth_keras.arrays import Batch, Tile, Tiles
from rdepth_keras.labels import IGNORE


def training_batches(
    tiles: Sequence[Tiles],
    transforms: Sequence[grain.transforms.RandomMap],
    *,
    batch_size: int,
    seed: int,
    host: int = 0,
    hosts: int = 1,
    workers: int = 2,
    chances: np.ndarray | None = None,
) -> grain.DatasetIterator[Batch]:
    """Endless batches over all tiles, shuffled anew in every epoch.

    The order and every random transform depend on the seed and the position alone. The iterator's
    ``get_state`` and ``set_state`` restore the next batch bit for bit, also on another number of
    hosts: each of ``hosts`` makes every ``hosts``-th tile of the same global batches. ``workers``
    threads make them. ``chances`` (tiles,), over all parts in their order, sum 1: tiles are then
    drawn with these chances and put back, instead of every one once an epoch.
    """
    if not sum(len(part) for part in tiles):
        raise ValueError("There are no tiles to train on.")
    joined = grain.MapDataset.concatenate([grain.MapDataset.source(part) for part in tiles])
    if chances is None:
        dataset = joined.seed(seed).shuffle().repeat()
    else:
        places = grain.MapDataset.range(len(joined)).seed(seed).repeat()
        dataset = places.random_map(_Draw(joined, np.cumsum(chances)))
    for transform in transforms:
        dataset = dataset.random_map(transform)
    batches = dataset[host::hosts].batch(batch_size // hosts)
    # A batch is the element here: the default of 500 would hold gigabytes.
    options = grain.ReadOptions(num_threads=workers, prefetch_buffer_size=max(4, workers))
    return iter(batches.to_iter_dataset(options))


@dataclass(frozen=True)
class _Draw(grain.transforms.RandomMap):
    """Any tile, by chance, for whatever place; ``bounds`` are the chances' running sums."""

    tiles: grain.MapDataset[Tile]
    bounds: np.ndarray

    def random_map(self, element: int, rng: np.random.Generator) -> Tile:
        place = np.searchsorted(self.bounds, rng.random(), side="right")
        tile: Any = self.tiles[min(int(place), len(self.tiles) - 1)]
        return tile


@dataclass(frozen=True)
class Unlabelled:
    """Tiles whose labels nobody sees: every one reads as ignore. For adapting to a target."""

    tiles: Tiles
    labelled: bool = False

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> Tile:
        tile = self.tiles[index]
        return {**tile, "label": np.full_like(tile["label"], IGNORE)}


def in_order(tiles: Tiles) -> Iterator[Tile]:
    """Every tile once, in order, read ahead by a thread."""
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
    dataset: Iterable[Tile] = grain.MapDataset.source(tiles).to_iter_dataset(options)
    return iter(dataset)
