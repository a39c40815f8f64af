"""Starting a run and going on with one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from rdepth_keras.arrays import Tiles
from rdepth_keras.experiment import Experiment, differences
from rdepth_keras.run.assembly import assemble
from rdepth_keras.run.dataset import (
    Dataset,
    domain_batches,
    labelled_tiles,
    open_dataset,
    resolve,
)
from rdepth_keras.run.directory import (
    environment,
    read_experiment,
    write_experiment,
    write_json,
)
from rdepth_keras.run.evaluation import evaluate
from rdepth_keras.run.validation import validation
from rdepth_keras.train.board import Board
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import check_batch_size
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import run_steps
from rdepth_keras.train.progress import TrainingProgress


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
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(
            f"{directory} already holds a run or other files. Choose another --out, or go on with "
            f"it: --resume --out {directory}"
        )
    return _train(resolve(experiment), directory, console, watch)


def resume(
    experiment: Experiment, directory: Path, console: Console, watch: Watch = Watch()
) -> dict[str, Any] | None:
    """Goes on with the run in ``directory`` from its last whole checkpoint; returns as `start`.

    Raises:
        FileNotFoundError: if the directory holds no run.
        ValueError: if the experiment is not the run's own, naming each difference.
    """
    changed = differences(read_experiment(directory), experiment)
    if changed:
        raise ValueError(
            f"The run in {directory} has other settings; leave these away to resume it, or start "
            f"a new run: {'; '.join(changed)}"
        )
    return _train(experiment, directory, console, watch)


def _train(
    experiment: Experiment, directory: Path, console: Console, watch: Watch
) -> dict[str, Any] | None:
    """Both: a run without a whole checkpoint begins at step 0."""
    check_batch_size(experiment.batch_size, experiment.accumulate)
    dataset = open_dataset(experiment)
    batches = domain_batches(experiment, dataset, console.print)
    assembly = assemble(experiment)
    state = assembly.state

    directory.mkdir(parents=True, exist_ok=True)
    board = Board(directory / "tensorboard") if watch.tensorboard else None
    journal = Journal(directory / "journal.jsonl", board and board.scalars)
    keep = experiment.cadence.keep_checkpoints
    checkpoints = Checkpoints(directory / "checkpoints", keep, console.print)
    if checkpoints.latest_step() is not None:
        state, places = checkpoints.restore(state)
        for domain, iterator in batches.items():
            iterator.set_state(places[domain])
        console.print(f"resumed at step {int(state.step)}")
    if jax.process_index() == 0:
        write_experiment(directory, experiment)
        write_json(directory / "environment.json", environment(dataset, experiment))
        journal.cut(int(state.step))
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
            validate=validation(experiment, dataset, directory, journal, board, console),
            profile=directory / "profile" if watch.profile else None,
        )
    checkpoints.close()
    return _finish(experiment, dataset, directory, console)


def _finish(
    experiment: Experiment, dataset: Dataset, directory: Path, console: Console
) -> dict[str, Any] | None:
    """Scores the finished run on the target's Val, into ``metrics.json``; None without labels."""
    tiles: Tiles | str = labelled_tiles(dataset, "val", experiment.target)
    if isinstance(tiles, str):
        console.print(f"Not evaluated: {tiles}")
        return None
    result = evaluate(directory, "val", None, console)
    if jax.process_index() == 0:
        write_json(directory / "metrics.json", result)
    return result
