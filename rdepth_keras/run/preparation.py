"""What a training needs, found and checked, and told of, before a file is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from rdepth_keras.arrays import Tiles
from rdepth_keras.assembly import (
    Assembly,
    Sources,
    all_at_once,
    assemble,
    domain_batches,
    kept,
    labelled_tiles,
    open_data,
    training_sources,
)
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.splits import longest_side
from rdepth_keras.experiment import Experiment
from rdepth_keras.recipes.deviation import deviation
from rdepth_keras.run.ancestry import BEFORE, PICTURES, handed_on, pictures_handed_on
from rdepth_keras.run.checks import (
    check_apart,
    check_masks,
    check_random_numbers,
    check_rounds,
    check_scored,
    check_validation,
    check_weights,
    early_average,
    loveda_ids,
    padded,
    random_for_good,
    scored_domains,
)
from rdepth_keras.run.directory import Run
from rdepth_keras.run.files import (
    check_training_files,
    labelled_parts,
    labelled_pictures,
    noted_files,
    other_versions,
    trained_on_too,
)
from rdepth_keras.run.fixed import check_fixed, fixed_networks
from rdepth_keras.run.room import check_room
from rdepth_keras.run.surroundings import surroundings
from rdepth_keras.run.transfer import start_from
from rdepth_keras.run.validation import validation_tiles
from rdepth_keras.train.board import summary_writer
from rdepth_keras.train.checkpoint import checkpoint_bytes
from rdepth_keras.train.devices import check_batch_size
from rdepth_keras.train.profile import PROFILED


@dataclass(frozen=True)
class Watch:
    """What is recorded of a run beside its journal; changes none of its numbers.

    Attributes:
        tensorboard: writes TensorBoard files: scalars, and a predicted tile at each validation.
        profile: writes a JAX trace of a few steps.
    """

    tensorboard: bool = False
    profile: bool = False


@dataclass(frozen=True)
class Prepared:
    """All that a training needs, found and checked before a file is written."""

    data: Opened
    sources: Sources
    surroundings: dict[str, Any]
    validated: Tiles | None
    batches: dict[str, Any]
    assembly: Assembly


def prepare(experiment: Experiment, run: Run, console: Console, watch: Watch) -> Prepared:
    """What a training needs, and what there is to tell of it; raises where it cannot begin.

    Raises ValueError, OSError or ImportError, with the remedy.
    """
    training = experiment.training
    check_random_numbers(run)
    check_apart(experiment, run.directory)
    check_batch_size(training.batch_size, experiment.resources.economy.accumulate)
    check_watch(watch, training.steps)
    check_validation(experiment)
    check_rounds(experiment)
    check_weights(training.weights)
    data = open_data(experiment)
    sources, _ = all_at_once(
        partial(training_sources, experiment, data),
        partial(check_scored, experiment, data, console.print),
    )
    check_masks(data, sources, console.print)
    counts = sources.counts(experiment)
    run.check_data(data, counts)
    files = noted_files(experiment, data)
    changed = check_training_files(run, experiment, files)
    labelled = labelled_parts(counts)
    for domain in scored_domains(experiment):
        if twice := trained_on_too(counts, data, "val", domain):
            console.print(f"WARNING: {twice}")
        tiles = labelled_tiles(data, "val", domain)
        for odd in () if isinstance(tiles, str) else data.oddities(tiles):
            console.print(f"WARNING: {odd}")
    doubts = [random_for_good(experiment), early_average(experiment)]
    if ids := loveda_ids(experiment):
        doubts.append(f"WARNING: {ids}. Give your own.")
    notices = [*other_versions(run, experiment), *sources.lacks, *sources.notices, *changed]
    for line in [deviation(experiment), *doubts, *notices, introduce(counts)]:
        if line:
            console.print(line)
    validated = validation_tiles(experiment, data)
    if validated is not None and (own := f"val/{experiment.validation_domain}") in labelled:
        console.print(
            f"WARNING: {own} is trained on, so that validations on it tell nothing of other tiles; "
            "--selection best takes it out of training."
        )
    tile_pixels = max(map(longest_side, sources.source.values()))
    if notice := padded(experiment, tile_pixels):
        console.print(notice)
    trained = sources.source.values()
    sources = kept(experiment, sources, console.print)
    told: list[str] = []
    batches = domain_batches(experiment, sources, told.append)
    for line in told:
        console.print(line)
    assembly = assemble(experiment)
    # Also for a run that was begun and killed before its first checkpoint; and what never trains is
    # in no checkpoint.
    never_trains = assembly.state.params.keys() - assembly.state.optimizer.keys()
    begins, place = not _has_checkpoint(run), training.start_from
    before = None if place is None else Run(Path(place))
    around = surroundings(experiment, data, counts, files)
    around |= {"tile_pixels": tile_pixels, "lacks": [*sources.lacks, *told]}
    around["pixel_metres"] = next(filter(None, map(data.pixel_metres, trained)), None)
    if before and (never_trains or begins):
        assembly, step = start_from(before, experiment, assembly, console.print)
        around["started_from"] = {"run": before.identity, "step": step}
    around["fixed_networks"] = fixed_networks(assembly.state)
    check_room(run.directory, checkpoint_bytes(assembly.state))
    if assembly.mesh.size < jax.device_count():
        console.print(f"uses {assembly.mesh.size} of {jax.device_count()} devices for this batch")
    if begins:
        around["seen"] = handed_on(before) if before else {}
        around[PICTURES] = " ".join(labelled_pictures(experiment, data))
        around[BEFORE] = " ".join(sorted(pictures_handed_on(before))) if before else ""
    else:
        check_fixed(run, experiment, around["fixed_networks"])
    return Prepared(data, sources, around, validated, batches, assembly)


def _has_checkpoint(run: Run) -> bool:
    """Whether there is one to go on from; damage is told later, where it is restored."""
    return run.begun and run.checkpoints(lambda _: None).latest_step() is not None


def introduce(counts: Mapping[str, int]) -> str:
    """What is trained on, in words: ``Training on 1 366 tiles: train/rural 1 366``."""
    labelled = labelled_parts(counts)
    parts = ", ".join(f"{name} {spaced(count)}" for name, count in counts.items())
    return f"Training on {spaced(sum(labelled.values()))} tiles: {parts}"


def spaced(number: int) -> str:
    """A number with thousands apart: ``1 366``."""
    return f"{number:,}".replace(",", " ")


def check_watch(watch: Watch, steps: int) -> None:
    """Raises ValueError or ImportError where the steps to come cannot be recorded as asked."""
    if watch.profile and steps <= PROFILED.start:
        raise ValueError(
            f"--profile looks at steps after {PROFILED.start}; there are {steps} to come."
        )
    if watch.tensorboard:
        summary_writer()
