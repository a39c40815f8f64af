"""Starting a run and going on with one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from rdepth_keras.arrays import Tiles
from rdepth_keras.experiment import Experiment, differences
from rdepth_keras.recipes import deviation
from rdepth_keras.run.assembly import assemble
from rdepth_keras.run.dataset import (
    Dataset,
    domain_batches,
    labelled_tiles,
    open_dataset,
    resolve,
)
from rdepth_keras.run.directory import (
    CLASSES,
    check_depth,
    environment,
    read_experiment,
    write_environment,
    write_experiment,
    write_json,
)
from rdepth_keras.run.evaluation import evaluate
from rdepth_keras.run.validation import validation, validation_tiles
from rdepth_keras.train.board import Board, summary_writer
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import check_batch_size, wait_for_hosts
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import run_steps
from rdepth_keras.train.profile import PROFILED
from rdepth_keras.train.progress import TrainingProgress

LEFT_BY_A_KILLED_START = {CLASSES, "experiment.partial"}
# Where something lies, how fast it is read, the memory of a step: a resumed run may have others.
CHANGE_NOTHING = ("data_dir", "classes", "cache", "workers", "accumulate", "segmenter.remat")


@dataclass(frozen=True)
class Watch:
    """What is recorded of a run beside its journal; changes none of its numbers.

    Attributes:
        tensorboard: writes TensorBoard files: scalars, and a predicted tile at each validation.
        profile: writes a JAX trace of a few steps.
    """

    tensorboard: bool = False
    profile: bool = False


def start(
    experiment: Experiment, directory: Path, console: Console, watch: Watch = Watch()
) -> dict[str, Any] | None:
    """Trains a new run in ``directory``; returns its scores on the target's validation split.

    Raises:
        FileExistsError: if the directory already holds something.
    """
    present = {path.name for path in directory.iterdir()} if directory.exists() else set()
    if present - LEFT_BY_A_KILLED_START:
        raise FileExistsError(
            f"{directory} already holds a run or other files. Choose another --out, or go on with "
            f"it: --resume --out {directory}"
        )
    wait_for_hosts("looked into the run directory")  # before the first of them writes into it
    return _train(resolve(experiment), directory, console, watch)


def resume(
    experiment: Experiment, directory: Path, console: Console, watch: Watch = Watch()
) -> dict[str, Any] | None:
    """Goes on with the run in ``directory`` from its last whole checkpoint; returns as `start`.

    Data that were moved, other workers, and a step in less memory are no other experiment.

    Raises:
        FileNotFoundError: if the directory holds no run.
        ValueError: if the experiment is not the run's own, naming each difference.
    """
    experiment = resolve(experiment)
    changed = changes(directory, experiment)
    if changed:
        raise ValueError(
            f"The run in {directory} has other settings; leave these away to resume it, or start "
            f"a new run: {'; '.join(changed)}"
        )
    return _train(experiment, directory, console, watch)


def changes(directory: Path, experiment: Experiment) -> list[str]:
    """What a resolved experiment would change in the results of the run in ``directory``, in words.

    Raises FileNotFoundError where there is no run.
    """
    found = differences(read_experiment(directory), experiment)
    return [change for change in found if change.split(":")[0] not in CHANGE_NOTHING]


def _train(
    experiment: Experiment, directory: Path, console: Console, watch: Watch
) -> dict[str, Any] | None:
    """Both: a run without a whole checkpoint begins at step 0."""
    check_batch_size(experiment.batch_size, experiment.accumulate)
    _check_watch(watch, experiment.steps)
    dataset = open_dataset(experiment)
    check_depth(directory, dataset)
    if note := deviation(experiment):
        console.print(note)
    batches = domain_batches(experiment, dataset, console.print)
    validated = validation_tiles(experiment, dataset)
    assembly = assemble(experiment)
    state = assembly.state
    if assembly.mesh.size < jax.device_count():
        console.print(f"uses {assembly.mesh.size} of {jax.device_count()} devices for this batch")

    first = jax.process_index() == 0
    directory.mkdir(parents=True, exist_ok=True)
    if first:
        write_experiment(directory, experiment)
    keep = experiment.cadence.keep_checkpoints
    checkpoints = Checkpoints(directory / "checkpoints", keep, console.print)
    if checkpoints.latest_step() is not None:
        state, places = checkpoints.restore(state)
        for domain, iterator in batches.items():
            iterator.set_state(places[domain])
        console.print(f"resumed at step {int(state.step)}")
    done = int(state.step)
    _check_watch(watch, experiment.steps - done)
    board = Board(directory / "tensorboard", done) if watch.tensorboard and first else None
    journal = Journal(directory / "journal.jsonl", board and board.scalars)
    if first:
        write_environment(directory, environment(dataset, experiment), done)
        journal.cut(done)
    validate = None
    if validated is not None:
        table = dataset.table
        validate = validation(
            experiment, validated, table, directory, journal, board, console, done
        )
    line_steps = 10 * experiment.cadence.log_steps
    with TrainingProgress(console, experiment.steps, line_steps) as progress:
        run_steps(
            state,
            assembly.step,
            batches,
            steps=experiment.steps,
            mesh=assembly.mesh,
            cadence=experiment.cadence,
            checkpoints=checkpoints,
            journal=journal,
            progress=progress,
            learning_rate=experiment.optimizer.rate(experiment.steps),
            validate=validate,
            profile=directory / "profile" if watch.profile else None,
        )
    checkpoints.close()
    return _finish(experiment, dataset, directory, console)


def _check_watch(watch: Watch, steps: int) -> None:
    """Raises ValueError or ImportError where the steps to come cannot be recorded as asked."""
    if watch.profile and steps <= PROFILED.start:
        raise ValueError(
            f"--profile looks at steps after {PROFILED.start}; there are {steps} to come."
        )
    if watch.tensorboard:
        summary_writer()


def _finish(
    experiment: Experiment, dataset: Dataset, directory: Path, console: Console
) -> dict[str, Any] | None:
    """Scores the finished run on the target's Val, into ``metrics.json``; None without labels."""
    tiles: Tiles | str = labelled_tiles(dataset, "val", experiment.target)
    if isinstance(tiles, str):
        console.print(f"Not evaluated: {tiles}")
        if jax.process_index() == 0:
            write_json(directory / "metrics.json", {"not_evaluated": tiles})
        return None
    result = evaluate(directory, "val", None, console)
    if jax.process_index() == 0:
        write_json(directory / "metrics.json", result)
    return result
