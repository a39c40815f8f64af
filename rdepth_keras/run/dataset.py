"""Which tiles an experiment trains on and is scored on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.data.loveda import open_loveda
from rdepth_keras.experiment import Experiment


@dataclass(frozen=True)
class Dataset:
    """Where tiles come from.

    Attributes:
        depth: what made the depth, e.g. its source and licence; goes into the run's records.
        tiles: (split, domain) -> tiles; raises ValueError where there are none.
    """

    depth: Mapping[str, str]
    tiles: Callable[[str, str], Tiles]


def open_dataset(experiment: Experiment) -> Dataset:
    """The experiment's dataset; raises with the remedy where it is not prepared."""
    if experiment.dataset == "loveda_rdepth":
        prepared = open_loveda(experiment.data_dir, experiment.config)
        return Dataset({"config": prepared.config, **prepared.depth}, prepared.tiles)

    demo = experiment.demo
    counts = {"train": demo.train_tiles, "val": demo.val_tiles, "test": demo.test_tiles}

    def tiles(split: str, domain: str) -> Tiles:
        return DemoTiles(domain, split, demo.seed, counts[split], demo.tile_pixels)

    return Dataset({"source": "procedural heights"}, tiles)


def resolve(experiment: Experiment) -> Experiment:
    """The experiment with the prepared config by name, so that a run never changes its data."""
    if experiment.dataset != "loveda_rdepth":
        return experiment
    prepared = open_loveda(experiment.data_dir, experiment.config)
    return replace(experiment, config=prepared.config)


def source_tiles(
    experiment: Experiment, dataset: Dataset, notify: Callable[[str], None]
) -> list[Tiles]:
    """The labelled tiles of the source domain; says which splits it leaves out, and why."""
    found = []
    for split in experiment.training_splits:
        tiles = labelled_tiles(dataset, split, experiment.source)
        if isinstance(tiles, str):
            notify(f"Not used for training: {tiles}")
        else:
            found.append(tiles)
    if not found:
        raise ValueError(
            f"There are no labelled tiles of the {experiment.source} domain in "
            f"{', '.join(experiment.training_splits)}; prepare them with their masks_png folder."
        )
    return found


def labelled_tiles(dataset: Dataset, split: str, domain: str) -> Tiles | str:
    """The tiles, or in words why there are no labelled ones."""
    try:
        tiles = dataset.tiles(split, domain)
    except ValueError as error:
        return str(error)
    return tiles if tiles.labelled else f"the {split} split of {domain} has no labels."
