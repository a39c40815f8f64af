"""Which tiles an experiment trains on and is scored on, and the batches made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.cache import cached
from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.data.folder.classes import load_classes
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.loveda.prepared import open_loveda
from rdepth_keras.data.pipeline import Unlabelled, training_batches
from rdepth_keras.data.rarity import chances, count_pixels
from rdepth_keras.experiment import Experiment
from rdepth_keras.labels import LOVEDA, ClassTable


@dataclass(frozen=True)
class Dataset:
    """Where tiles come from.

    Attributes:
        depth: what made the depth, e.g. its source and licence; goes into the run's records.
        tiles: (split, domain) -> tiles; raises ValueError where there are none.
        table: names, stored values and colours of the classes.
    """

    depth: Mapping[str, str]
    tiles: Callable[[str, str], Tiles]
    table: ClassTable = LOVEDA


def open_dataset(experiment: Experiment) -> Dataset:
    """The experiment's dataset; raises with the remedy where it is not prepared."""
    if experiment.dataset == "loveda_rdepth":
        prepared = open_loveda(experiment.data_dir, experiment.config)
        return Dataset({"config": prepared.config, **prepared.depth}, prepared.tiles)
    if experiment.dataset == "folder":
        return _open_folder(experiment)

    demo = experiment.demo
    counts = {"train": demo.train_tiles, "val": demo.val_tiles, "test": demo.test_tiles}

    def tiles(split: str, domain: str) -> Tiles:
        return DemoTiles(domain, split, demo.seed, counts[split], demo.tile_pixels)

    return Dataset({"source": "procedural heights"}, tiles)


def _open_folder(experiment: Experiment) -> Dataset:
    assert experiment.data_dir is not None  # the experiment has checked it
    table = class_table(experiment)
    with_depth = experiment.segmenter.depth_encoder is not None
    folder = open_folder(Path(experiment.data_dir).expanduser(), table, with_depth=with_depth)
    depth = {"source": "maps of the folder" if with_depth else "none"}
    return Dataset(depth, folder.tiles, table)


def class_table(experiment: Experiment) -> ClassTable:
    """The classes: LoveDA's, or those of the experiment's class file."""
    return LOVEDA if experiment.classes is None else load_classes(Path(experiment.classes))


def resolve(experiment: Experiment) -> Experiment:
    """The experiment with the prepared config by name, so that a run never changes its data.

    Places become absolute, so that a run is found again from another folder.
    """
    places = {
        name: str(Path(place).expanduser().resolve())
        for name in ("data_dir", "classes")
        if (place := getattr(experiment, name)) is not None
    }
    experiment = replace(experiment, **places)
    if experiment.dataset != "loveda_rdepth":
        return experiment
    return replace(experiment, config=open_loveda(experiment.data_dir, experiment.config).config)


def source_tiles(
    experiment: Experiment, dataset: Dataset, notify: Callable[[str], None]
) -> list[Tiles]:
    """The labelled tiles of the source domain; says which splits it leaves out, and why."""
    found, reasons = [], []
    for split in experiment.training_splits:
        tiles = labelled_tiles(dataset, split, experiment.source)
        if isinstance(tiles, str):
            reasons.append(tiles)
            notify(f"Not used for training: {tiles}")
        else:
            found.append(tiles)
    if not found:
        raise ValueError(
            f"There are no labelled tiles of the {experiment.source} domain to train on; add them "
            f"with their masks: {'; '.join(reasons)}"
        )
    if experiment.cache is None:
        return found
    return [cached(tiles, Path(experiment.cache).expanduser(), notify) for tiles in found]


def tile_chances(
    experiment: Experiment, dataset: Dataset, tiles: Sequence[Tiles]
) -> np.ndarray | None:
    """The chances the training tiles are drawn with; None draws all alike.

    Reads every label, but for the prepared LoveDA, whose pixels are counted.
    """
    if experiment.rare_class_temperature is None:
        return None
    count = partial(count_pixels, classes=len(dataset.table))
    pixels = np.concatenate([count(part) for part in tiles])
    return chances(pixels, experiment.rare_class_temperature)


def labelled_tiles(dataset: Dataset, split: str, domain: str) -> Tiles | str:
    """The tiles, or in words why there are no labelled ones."""
    try:
        tiles = dataset.tiles(split, domain)
    except ValueError as error:
        return str(error)
    return tiles if tiles.labelled else f"the {split} split of {domain} has no labels."


def domain_batches(
    experiment: Experiment, dataset: Dataset, notify: Callable[[str], None]
) -> dict[str, Any]:
    """``"source"`` batches and, for a method that uses it, ``"target"`` ones without labels."""
    source = source_tiles(experiment, dataset, notify)
    make = partial(
        training_batches,
        transforms=experiment.augmentation.transforms(experiment.crop),
        batch_size=experiment.batch_size,
        host=jax.process_index(),
        hosts=jax.process_count(),
        workers=experiment.workers,
    )
    chances = tile_chances(experiment, dataset, source)
    batches = {"source": make(source, seed=experiment.seed, chances=chances)}
    if experiment.method.uses_target:
        target = Unlabelled(dataset.tiles(experiment.target_split, experiment.target))
        # Another seed: else the two domains would be cropped and turned alike.
        batches["target"] = make([target], seed=experiment.seed + 1)
    return batches
