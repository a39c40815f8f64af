"""What can go wrong in the hours to come, found in minutes: before the first real run."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax

from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.assembly import (
    assemble,
    domain_batches,
    labelled_tiles,
    open_data,
    training_sources,
)
from rdepth_keras.experiment import Economy, Experiment
from rdepth_keras.run.effects import check_effects
from rdepth_keras.run.surroundings import settled
from rdepth_keras.run.training import rounds_of
from rdepth_keras.train.checkpoint import checkpoint_bytes
from rdepth_keras.train.devices import describe, shard_batch, unused_gpu_warning
from rdepth_keras.train.rounds import Rounds

GIB = 1 << 30
WARM_STEPS, TIMED_STEPS = 8, 20  # first the batches that were made while the step compiled
PATIENCE_SECONDS = 60.0  # for each of the two; a step that is so slow waits for no batch
LABELLED_TILES = 4  # of the target, where a method labels it in rounds


@dataclass(frozen=True)
class Finding:
    """One look: what was looked at, whether it is good, and what was found."""

    name: str
    good: bool
    said: str

    def __str__(self):
        return f"{'ok  ' if self.good else 'BAD '} {self.name}: {self.said}"


@dataclass(frozen=True)
class Labelling:
    """What labelling the target takes: so many rounds of so many tiles, one in so many seconds."""

    rounds: int
    tiles: int
    tile_seconds: float

    @property
    def seconds(self) -> float:
        """Of all rounds of a run."""
        return self.rounds * self.tiles * self.tile_seconds

    def __str__(self):
        return (
            f"{self.seconds / 3600:.1f} of them for {self.rounds} rounds of {self.tiles} tiles at "
            f"{self.tile_seconds:.2f} s, by {min(self.tiles, LABELLED_TILES)} tiles"
        )


@dataclass(frozen=True)
class Rehearsal:
    """What a few real training steps took.

    Attributes:
        step_seconds: of one step, after the first; after the first round, where there are rounds.
        first_step_seconds: with its compilation.
        state_bytes: of one checkpoint.
        peak_bytes: of the device's memory; None where it does not say.
        labelling: of the target, for a method of rounds.
    """

    step_seconds: float
    first_step_seconds: float
    state_bytes: int
    peak_bytes: int | None
    labelling: Labelling | None = None

    def hours(self, steps: int) -> float:
        """Of a run, without validations."""
        labelling = self.labelling.seconds if self.labelling else 0.0
        return (steps * self.step_seconds + labelling) / 3600


def preflight(
    experiments: Sequence[Experiment],
    runs_each: int,
    folder: Path,
    notify: Callable[[Finding], None],
    *,
    read_all: bool = True,
) -> list[Finding]:
    """Looks at device, dataset, weights, memory, time and disk; ``notify`` hears each at once.

    Weights are loaded (and downloaded, where that has not been done) and a few steps are trained
    on real tiles, so that time and memory are measured, not guessed.

    Args:
        experiments: one for each row to train.
        runs_each: runs of each, e.g. seeds.
        folder: where the runs go.
        notify: is handed each finding.
        read_all: reads every prepared tile and holds it against the published dataset.
    """
    found: list[Finding] = []

    def tell(name: str, good: bool, said: str) -> None:
        found.append(Finding(name, good, said))
        notify(found[-1])

    warning = unused_gpu_warning()
    tell("device", warning is None, warning or describe())
    _look_at_dataset(experiments[0], read_all, tell)
    hours, disk, lost = 0.0, 0, 0
    for experiment in experiments:
        try:
            rehearsal = rehearse(experiment)
        except (ValueError, OSError, ImportError, RuntimeError) as error:
            tell(experiment.recipe, False, " ".join(str(error).split())[:500])
            lost += 1
            continue
        hours += runs_each * rehearsal.hours(experiment.training.steps)
        chosen = experiment.training.choice.selection != "last"
        # Two of the best, and one more before the oldest of its kind goes.
        kept = experiment.resources.cadence.keep_checkpoints + 2 * chosen + 1
        disk += runs_each * kept * rehearsal.state_bytes
        tell(experiment.recipe, True, _describe(experiment, rehearsal))
    free = shutil.disk_usage(_existing(folder)).free
    if lost:
        unknown = f"unknown, since {lost} of {len(experiments)} rows cannot be trained as it is"
        tell("disk", False, f"{unknown}; {free / GIB:.1f} GiB free")
        tell("time", False, unknown)
        return found
    tell("disk", free > disk, f"{disk / GIB:.1f} GiB needed, {free / GIB:.1f} GiB free")
    tell("time", True, f"{hours:.1f} hours of training for {runs_each * len(experiments)} runs")
    return found


def rehearse(experiment: Experiment) -> Rehearsal:
    """Loads the weights and trains a few steps on real tiles, keeping nothing.

    A method of rounds labels a few tiles first, and its steps are those after the first round, on
    these labels: the longer ones. Raises what training would: ValueError, FileNotFoundError, and
    RuntimeError for memory.
    """
    with TemporaryDirectory() as folder:
        return _rehearse(experiment, Path(folder))


def _rehearse(experiment: Experiment, folder: Path) -> Rehearsal:
    check_effects(experiment)
    experiment = settled(experiment)
    experiment = experiment.changed(resources={"economy": Economy()})  # a cache takes hours
    sources = training_sources(experiment, open_data(experiment))
    assembly = assemble(experiment)
    state = assembly.state
    size = checkpoint_bytes(state)
    batches, labelling = domain_batches(experiment, sources, lambda _: None), None
    if sources.target is not None:
        few = replace(sources, target=_Few(sources.target))
        rounds = rounds_of(experiment, few, folder, lambda _: None)
        if rounds is not None:
            after = rounds.method.rounds(rounds.steps)
            state = state._replace(step=state.step + after[0])
            seconds, batches["target"] = _label(rounds, state, batches["target"])
            labelling = Labelling(len(after), len(sources.target), seconds)

    def step() -> float:
        nonlocal state
        start = time.perf_counter()
        arrays = {name: shard_batch(next(part), assembly.mesh) for name, part in batches.items()}
        state, logs = assembly.step(state, arrays["source"], arrays.get("target"))
        jax.block_until_ready(logs)
        return time.perf_counter() - start

    first = step()
    _repeat(step, WARM_STEPS)
    seconds = _repeat(step, TIMED_STEPS)
    statistics = jax.local_devices()[0].memory_stats() or {}
    peak = statistics.get("peak_bytes_in_use")
    return Rehearsal(sum(seconds) / len(seconds), first, size, peak, labelling)


@dataclass(frozen=True)
class _Few:
    """The first tiles of some."""

    tiles: Tiles
    labelled: bool = False

    def __len__(self) -> int:
        return min(len(self.tiles), LABELLED_TILES)

    def __getitem__(self, index: int) -> Tile:
        return self.tiles[index]


def _label(rounds: Rounds, state: Any, target: Any) -> tuple[float, Any]:
    """Seconds a tile, with all that a round does for it but compiling, and the batches made."""
    batches, start = target, 0.0
    for name in ("compiling", "timed"):
        start = time.perf_counter()
        batches = replace(rounds, folder=rounds.folder / name).begin(int(state.step), state, target)
    return (time.perf_counter() - start) / len(rounds.tiles), batches


def _repeat(step: Callable[[], float], most: int) -> list[float]:
    """Seconds of up to ``most`` steps, fewer where patience ends, at least one."""
    seconds = [step()]
    while len(seconds) < most and sum(seconds) < PATIENCE_SECONDS:
        seconds.append(step())
    return seconds


def _look_at_dataset(experiment: Experiment, read_all: bool, tell) -> None:
    data, place = experiment.data, experiment.resources.data_dir
    try:
        opened = open_data(experiment)
        for split, domain in (("train", data.source), ("val", data.target)):
            reason = labelled_tiles(opened, split, domain)
            if isinstance(reason, str):
                raise ValueError(reason)
    except (ValueError, OSError) as error:
        tell("dataset", False, str(error))
        return
    verdict = data.census(place) if read_all else (True, f"{data.title(place)}, found, not read")
    tell("dataset", *(verdict or (True, f"{data.title(place)}, which has no published census")))


def _describe(experiment: Experiment, rehearsal: Rehearsal) -> str:
    parts = [
        f"weights {experiment.training.weights} loaded",
        f"{rehearsal.step_seconds:.2f} s a step" + " after a round" * bool(rehearsal.labelling),
        f"first step {rehearsal.first_step_seconds:.0f} s",
        f"{rehearsal.hours(experiment.training.steps):.1f} hours a run",
        f"checkpoint {rehearsal.state_bytes / GIB:.2f} GiB",
    ]
    if rehearsal.labelling is not None:
        parts.insert(-1, str(rehearsal.labelling))
    if rehearsal.peak_bytes is not None:
        parts.append(f"{rehearsal.peak_bytes / GIB:.1f} GiB of the device's memory")
    return ", ".join(parts)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above that is there."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())
