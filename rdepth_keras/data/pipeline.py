"""Tiles -> endless, seeded, restorable batches."""

from collections.abc import Iterable, Iterator, Sequence

import grain

from rdepth_keras.arrays import Batch, Tile, Tiles


def training_batches(
    tiles: Sequence[Tiles],
    transforms: Sequence[grain.transforms.RandomMap],
    *,
    batch_size: int,
    seed: int,
    host: int = 0,
    hosts: int = 1,
) -> grain.DatasetIterator[Batch]:
    """Endless batches over all tiles, shuffled anew in every epoch.

    The order and every random transform depend on the seed and the position alone. The iterator's
    ``get_state`` and ``set_state`` restore the next batch bit for bit, also on another number of
    hosts: each of ``hosts`` makes every ``hosts``-th tile of the same global batches.
    """
    if not sum(len(part) for part in tiles):
        raise ValueError("There are no tiles to train on.")
    joined = grain.MapDataset.concatenate([grain.MapDataset.source(part) for part in tiles])
    dataset = joined.seed(seed).shuffle().repeat()
    for transform in transforms:
        dataset = dataset.random_map(transform)
    batches = dataset[host::hosts].batch(batch_size // hosts)
    # A batch is the element here: the default of 500 would hold gigabytes.
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    return iter(batches.to_iter_dataset(options))


def in_order(tiles: Tiles) -> Iterator[Tile]:
    """Every tile once, in order, read ahead by a thread."""
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
    dataset: Iterable[Tile] = grain.MapDataset.source(tiles).to_iter_dataset(options)
    return iter(dataset)
