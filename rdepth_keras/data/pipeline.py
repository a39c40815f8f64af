"""Tiles -> endless, seeded, restorable batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grain
import numpy as np

from rdepth_keras.arrays import Batch, Tile, Tiles, check_count, check_tile
from rdepth_keras.data.memory import empty
from rdepth_keras.data.png import decode
from rdepth_keras.data.transforms import WANTED_CLASS
from rdepth_keras.data.views import copy_into
from rdepth_keras.labels import IGNORE

ENDLESS = 2**53  # examples: the most whose number of batches grain still counts right


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
    threads make them. Arrays that tiles have beside the usual ones travel along as they are:
    transforms move image, depth and label alone.

    ``chances``, sum 1, over the tiles of all parts in their order: tiles are drawn with these
    chances and put back, instead of every one once an epoch. Of shape (tiles,), or (K, tiles) for
    drawing a class and one of its tiles, whose crop then goes by ``RandomCrop.wanted_pixels``.

    Raises ValueError for no tiles, for chances that are none, for hosts that cannot share a batch,
    for tiles that share one buffer, and, of the first tile of each part, as
    :func:`rdepth_keras.arrays.check_tile`.
    """
    check_count("batch_size", batch_size)
    check_count("hosts", hosts)
    if not 0 <= host < hosts or batch_size % hosts:
        raise ValueError(
            f"Hosts count from 0 and share a batch in equal parts; received host {host} of {hosts} "
            f"and batches of {batch_size}."
        )
    total = sum(len(part) for part in tiles)
    if not total:
        raise ValueError("There are no tiles to train on.")
    for part in tiles:
        if len(part):
            check_tile(part[0])
            _check_apart(part)
    if chances is not None:
        _check_chances(chances, total)
    joined = grain.MapDataset.concatenate([grain.MapDataset.source(part) for part in tiles])
    if chances is None:
        dataset = joined.seed(seed).shuffle().repeat()
    else:
        places = grain.MapDataset.range(len(joined)).seed(seed).repeat()
        dataset = places.random_map(_Draw(joined, np.cumsum(chances), chances.ndim == 2))
    for transform in transforms:
        dataset = dataset.random_map(transform)
    dataset = dataset.map(_without_wish)
    stacked = _Stack(dataset[host:ENDLESS:hosts], batch_size // hosts)
    batches = grain.MapDataset.range(ENDLESS // batch_size).map(stacked)
    # A batch is the element here: the default of 500 would hold gigabytes.
    options = grain.ReadOptions(num_threads=workers, prefetch_buffer_size=max(4, workers))
    return iter(batches.to_iter_dataset(options))


def _check_apart(part: Tiles) -> None:
    """Raises ValueError where a tile changes once another is asked for, as in a reused buffer."""
    first: Any = part[0]
    before = {name: np.array(first[name]) for name in ("image", "depth", "label")}
    for other in range(1, min(len(part), 3)):
        part[other]
        same = {
            name: np.array_equal(first[name], array, equal_nan=True)
            for name, array in before.items()
        }
        if changed := [name for name, kept in same.items() if not kept]:
            raise ValueError(
                f"{', '.join(changed)} of a tile changed when another was asked for; several "
                "threads ask at once, so that each tile needs arrays of its own: return copies."
            )


def _check_chances(chances: np.ndarray, tiles: int) -> None:
    """Raises ValueError: running sums of anything else would draw one tile again and again."""
    good = np.isfinite(chances).all() and (chances >= 0).all() and np.isclose(chances.sum(), 1)
    if chances.ndim not in (1, 2) or chances.shape[-1] != tiles or not good:
        raise ValueError(
            f"chances are 0 or more, sum 1, of shape ({tiles},) or (classes, {tiles}) for {tiles} "
            f"tiles; received shape {chances.shape} with the sum {chances.sum():.6g}."
        )


@dataclass(frozen=True)
class _Draw(grain.transforms.RandomMap):
    """Any tile, by chance, for whatever place; ``bounds`` are the chances' running sums."""

    tiles: grain.MapDataset[Tile]
    bounds: np.ndarray
    by_class: bool

    def random_map(self, element: int, rng: np.random.Generator) -> Any:
        place = int(np.searchsorted(self.bounds, rng.random(), side="right"))
        wanted, index = divmod(min(place, len(self.bounds) - 1), len(self.tiles))
        tile: Any = self.tiles[index]
        return {**tile, WANTED_CLASS: wanted} if self.by_class else tile


@dataclass(frozen=True)
class _Stack(grain.transforms.Map):
    """The batch of a number, out of endless tiles."""

    tiles: grain.MapDataset[Any]
    size: int

    def map(self, element: int) -> Any:
        first = element * self.size
        tiles: Iterable[Any] = map(self.tiles.__getitem__, range(first, first + self.size))
        return stack(tiles, self.size)


def stack(tiles: Iterable[Tile], count: int) -> Batch:
    """A batch of ``count`` tiles, each copied to its place before the next one is asked for.

    Raises ValueError for tiles whose arrays differ in name, shape or dtype.
    """
    batch: dict[str, np.ndarray] = {}
    for place, tile in enumerate(tiles):
        arrays = {name: np.asarray(value) for name, value in tile.items()}
        if not batch:
            batch = {n: empty((count, *array.shape), array.dtype) for n, array in arrays.items()}
        if arrays.keys() != batch.keys():
            raise ValueError(
                f"Tiles of a batch have the same arrays; tile {tile['id']} has {sorted(arrays)}, "
                f"the first one {sorted(batch)}."
            )
        for name, array in arrays.items():
            try:
                copy_into(batch[name][place, ...], array)
            except ValueError as error:
                raise ValueError(f"{name} of tile {tile['id']}, in its batch: {error}") from error
    return cast(Batch, batch)


def _without_wish(tile):
    return {name: value for name, value in tile.items() if name != WANTED_CLASS}


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


@dataclass(frozen=True)
class Relabelled:
    """Tiles with the label maps of a folder in the place of their own: see :func:`label_path`."""

    tiles: Tiles
    folder: Path
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> Tile:
        tile, path = self.tiles[index], label_path(self.folder, index)
        label = decode(path.read_bytes())
        if label.shape != tile["label"].shape or label.dtype != np.uint8:
            raise ValueError(
                f"{path} must be a label map of 8 bits and the size {tile['label'].shape} of its "
                f"tile; it is {label.dtype} {label.shape}. Were the target's tiles changed?"
            )
        return {**tile, "label": label}


def label_path(folder: Path, index: int) -> Path:
    """The file of a tile's label map in a folder of label maps."""
    return folder / f"{index:06d}.png"


def in_order(tiles: Tiles) -> Iterator[Tile]:
    """Every tile once, in order, read ahead by two threads."""
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
    dataset: Iterable[Tile] = grain.MapDataset.source(tiles).to_iter_dataset(options)
    return iter(dataset)
