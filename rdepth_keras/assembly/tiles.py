"""Which tiles an experiment trains on and is scored on, and the batches made of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.cache import cached
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.pipeline import Unlabelled, training_batches
from rdepth_keras.data.rarity import SMALLEST_SHARE, chances, count_pixels, shows, unseen
from rdepth_keras.data.splits import AbsentSplit, labelled_part, shortest_side
from rdepth_keras.depth.normalise import flat_notice
from rdepth_keras.experiment import Augmentation, Experiment
from rdepth_keras.naming import tell_faults

Tell = Callable[[str], None]


def open_data(experiment: Experiment) -> Opened:
    """The experiment's data; raises with the remedy where they are not there."""
    return experiment.data.open(experiment.resources.data_dir, experiment.network.reads_depth)


@dataclass(frozen=True)
class Sources:
    """The tiles that a training reads.

    Attributes:
        source: split -> labelled tiles of the source domain.
        target: the tiles a method may adapt to, without labels; None where it reads none.
        notices: in words, what is odd about them.
        lacks: in words, which splits and tiles are left out.
    """

    source: Mapping[str, Tiles]
    target: Unlabelled | None
    notices: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()

    def counts(self, experiment: Experiment) -> dict[str, int]:
        """``split/domain`` -> number of tiles; the target's under their own name."""
        data, target_split = experiment.data, experiment.training.sampling.target_split
        found = {f"{split}/{data.source}": len(tiles) for split, tiles in self.source.items()}
        if self.target is not None:
            found[f"{target_split}/{data.target} (without labels)"] = len(self.target)
        return found


def training_sources(experiment: Experiment, data: Opened) -> Sources:
    """What the experiment trains on; a split that is absent or has no labels is left out.

    Raises ValueError where nothing is left, and for bad files, naming every one of them.
    """
    domain, found, reasons = experiment.data.source, {}, []
    splits = experiment.training_splits
    looks = [partial(labelled_tiles, data, split, domain) for split in splits]
    for split, tiles in zip(splits, all_at_once(*looks), strict=True):
        if isinstance(tiles, str):
            reasons.append(tiles)
        else:
            found[split] = tiles
    if not found:
        raise ValueError(
            f"There are no labelled tiles of the {domain} domain to train on; add them with their "
            f"masks: {'; '.join(reasons)}"
        )
    target = None
    if experiment.method.uses_target:
        split = experiment.training.sampling.target_split
        target = Unlabelled(data.tiles(split, experiment.data.target))
    read = [*found.values(), *([target.tiles] if target else [])]
    check_files(data, read)
    if target is not None:
        check_sides(experiment, target.tiles)
    lacks = [f"Not used for training: {reason}" for reason in reasons]
    lacks += [f"PARTIAL: {lack}" for tiles in read if (lack := data.lacking(tiles))]
    lacks += [f"WARNING: {said}" for tiles in read for said in data.oddities(tiles)]
    rest = [left_out(data, split, domain, tiles) for split, tiles in found.items()]
    lacks += [f"Not used for training: {lack}" for lack in rest if lack]
    notices = []
    if experiment.network.reads_depth:
        lacks += [notice for tiles in read if (notice := flat_depth(data, tiles))]
        if origins := data.depth.get("origins"):
            notices.append(f"WARNING: {several_origins(origins)}")
    return Sources(found, target, tuple(notices), tuple(lacks))


def several_origins(origins: str) -> str:
    """What is said of a folder whose domains have depth by several estimators."""
    return f"depth maps of several origins, whose scales may differ: {origins}"


def flat_depth(data: Opened, tiles: Tiles) -> str:
    """A warning, where the depth of some tiles is flat; else empty."""
    flat = data.flat_depths(tiles)
    return flat_notice(flat) if flat else ""


def check_files(data: Opened, parts: Sequence[Tiles], pixels: bool = False) -> None:
    """Raises ValueError that names every file that is bad, by its header or by every pixel."""
    faults = [fault for tiles in parts for fault in data.faults(tiles, pixels)]
    if faults:
        count = "1 file is" if len(faults) == 1 else f"{len(faults)} files are"
        raise ValueError(f"{count} bad: {tell_faults(faults)}")


def all_at_once(*looks: Callable[[], Any]) -> list[Any]:
    """What each returns; where several raise, ValueError with all that they say."""
    found, wrong = [], []
    for look in looks:
        try:
            found.append(look())
        except (ValueError, OSError) as error:
            wrong.append(error)
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise ValueError(" ".join(dict.fromkeys(map(str, wrong))))
    return found


def labelled_tiles(data: Opened, split: str, domain: str) -> Tiles | str:
    """The tiles that have labels, or in words why there are none; whatever else is wrong raises."""
    try:
        tiles = data.tiles(split, domain)
    except AbsentSplit as error:
        return str(error)
    part = labelled_part(tiles)
    return f"the {split} split of {domain} has no labels." if part is None else part


def left_out(data: Opened, split: str, domain: str, labelled: Tiles) -> str:
    """In words, how many tiles of a split are not among its labelled ones; else empty."""
    without = len(data.tiles(split, domain)) - len(labelled)
    return f"{without} tiles of {split}/{domain}: no masks" if without else ""


def kept(experiment: Experiment, sources: Sources, notify: Tell) -> Sources:
    """The same tiles out of the run's cache, where it has one, the target's as well."""
    if (place := experiment.resources.economy.cache) is None:
        return sources
    keep = partial(cached, folder=Path(place).expanduser(), notify=notify)
    target = sources.target and Unlabelled(keep(sources.target.tiles))
    return replace(sources, source={n: keep(t) for n, t in sources.source.items()}, target=target)


def domain_batches(experiment: Experiment, sources: Sources, notify: Tell) -> dict[str, Any]:
    """``"source"`` batches and, for a method that uses it, ``"target"`` ones without labels."""
    training, source = experiment.training, list(sources.source.values())
    if sources.target is None and training.target_augmentation is not None:
        raise ValueError(
            "target_augmentation is given, but the method "
            f"{type(experiment.method).__name__} reads no tile of the target: leave it away (None)."
        )
    make = batches_of(experiment, training.augmentation)
    chances = tile_chances(experiment, source, notify)
    if chances is None and (notice := unseen_classes(experiment, source)):
        notify(notice)
    batches = {"source": make(source, seed=training.seed, chances=chances)}
    if sources.target is not None:
        batches["target"] = target_batches(experiment, sources.target)
    return batches


def target_batches(experiment: Experiment, tiles: Tiles) -> Any:
    """Batches of the target's tiles, whatever labels they bear.

    No crop is drawn again for these, which are guesses where there are any: as in LoveDA's release.
    The configurations of DAFormer do it, by the target's true labels.
    """
    training, own = experiment.training, experiment.training.target_augmentation
    if own is not None and (own.crop_wanted_pixels is not None or own.crop_redraws):
        raise ValueError(
            "target_augmentation.crop_redraws and crop_wanted_pixels look at labels, and the "
            "target's are unknown or guesses: set them to 0 and None."
        )
    blind = replace(own or training.augmentation, crop_redraws=0, crop_wanted_pixels=None)
    make = batches_of(experiment, blind)
    # Another seed: else the two domains would be cropped and turned alike.
    return make([tiles], seed=training.seed + 1)


def check_sides(experiment: Experiment, tiles: Tiles) -> None:
    """Raises ValueError where crops of the target would be filled up, with what would be labelled.

    The labels of rounds end where the tile does.
    """
    training = experiment.training
    side, own = shortest_side(tiles), training.target_augmentation or training.augmentation
    most = own.scale.largest
    if side * most < training.crop and not experiment.method.rounds(training.steps):
        raise ValueError(
            f"The target's tiles have sides from {side} pixels on, and their scale makes at most "
            f"{side * most:g} of these, less than the crop of {training.crop}: what is filled up "
            "would count as the target, and guesses there as labels. Give a smaller --crop, or "
            "--target-augmentation.scale.smallest and .largest of at least "
            f"{math.ceil(1000 * training.crop / side) / 1000:g}."
        )


def unseen_classes(experiment: Experiment, tiles: Sequence[Tiles]) -> str:
    """A warning, where the labels show some classes nowhere, as far as they are read; else empty.

    Tiles are read until every class is seen, mostly a few, and never more than
    :data:`rdepth_keras.data.rarity.READ`: a class that is rarer than that may be told as well.
    """
    absent, looked_at = unseen(tiles, len(experiment.data.classes))
    return absence(experiment, absent, looked_at, sum(map(len, tiles))) if absent else ""


def absence(experiment: Experiment, absent: Sequence[int], looked_at: int, tiles: int) -> str:
    """That the tiles looked at, of so many, show some classes nowhere."""
    names = ", ".join(experiment.data.classes.names[train_id] for train_id in absent)
    lost = f"nothing is learned of {'it' if len(absent) == 1 else 'them'}."
    if looked_at == tiles:
        return f"WARNING: no training tile shows {names}: {lost}"
    return (
        f"WARNING: none of {looked_at} training tiles shows {names}, and {tiles - looked_at} more "
        f"are not looked at: where those do not either, {lost}"
    )


def batches_of(experiment: Experiment, augmentation: Augmentation) -> Callable[..., Any]:
    """(tiles, seed, chances) -> batches, this host's part of them."""
    return partial(
        training_batches,
        transforms=augmentation.transforms(experiment.training.crop),
        batch_size=experiment.training.batch_size,
        host=jax.process_index(),
        hosts=jax.process_count(),
        workers=experiment.resources.economy.workers,
    )


def tile_chances(
    experiment: Experiment, tiles: Sequence[Tiles], notify: Tell = print
) -> np.ndarray | None:
    """The chances the training tiles are drawn with; None draws all alike.

    Where crops are to show the class that a tile was drawn for, those of class and tile. Reads
    every label, but for the prepared LoveDA, whose pixels are counted; ``notify`` hears of classes
    that no tile shows, or too little of to be drawn for, and of tiles that are never drawn.
    """
    temperature = experiment.training.sampling.rare_class_temperature
    wanted = experiment.training.augmentation.crop_wanted_pixels
    if temperature is None:
        if wanted is not None:
            raise ValueError(
                "--augmentation.crop-wanted-pixels looks for the class that a tile was drawn for, "
                "and no tile is: add --rare-class-temperature, e.g. 0.01, or leave it away."
            )
        return None
    crop = experiment.training.crop
    if wanted is not None and wanted >= crop**2:
        raise ValueError(
            f"A crop of {crop} x {crop} never shows more than {wanted} pixels of a class: lower "
            "--augmentation.crop-wanted-pixels, or enlarge --crop."
        )
    classes = len(experiment.data.classes)
    pixels = np.concatenate([count_pixels(part, classes) for part in tiles])
    if absent := np.flatnonzero(pixels.sum(0) == 0).tolist():
        notify(absence(experiment, absent, len(pixels), len(pixels)))
    found = chances(pixels, temperature)
    for notice in never_drawn(experiment, pixels, found.sum(0)):
        notify(notice)
    return found.sum(0) if wanted is None else found


def never_drawn(experiment: Experiment, pixels: np.ndarray, chance: np.ndarray) -> list[str]:
    """The classes that are there, but no tile is drawn for, and how many tiles have no chance.

    ``pixels`` are (tiles, K), ``chance`` is that of each tile.
    """
    said, scarce = [], np.flatnonzero(pixels.any(0) & ~shows(pixels).any(0))
    if len(scarce):
        names = ", ".join(experiment.data.classes.names[train_id] for train_id in scarce)
        said.append(
            f"WARNING: no tile is drawn for {names}: none shows so much of one as "
            f"{SMALLEST_SHARE:.1%} of its labelled pixels. Smaller tiles would."
        )
    if idle := int((chance == 0).sum()):
        said.append(
            f"{idle} of {len(chance)} training tiles are never drawn: they have no labels, or none "
            "of a class that is rare enough for --rare-class-temperature "
            f"{experiment.training.sampling.rare_class_temperature}"
        )
    return said
