"""Starting a run and going on with one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.data.pipeline import Unlabelled, training_batches
from rdepth_keras.evaluate.report import score_table
from rdepth_keras.experiment import Experiment, differences, to_json
from rdepth_keras.labels import ClassTable
from rdepth_keras.run.dataset import (
    Dataset,
    labelled_tiles,
    open_dataset,
    resolve,
    source_tiles,
    tile_chances,
)
from rdepth_keras.run.directory import environment, read_experiment, write_json
from rdepth_keras.run.evaluation import evaluate, score, validation_scorer
from rdepth_keras.run.network import training_network
from rdepth_keras.train.board import Board
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import check_batch_size, data_mesh, replicated
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import run_steps
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.state import State, initial_state
from rdepth_keras.train.step import training_step


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
    check_batch_size(experiment.batch_size, experiment.accumulate)
    dataset = open_dataset(experiment)
    batches = domain_batches(experiment, dataset, console.print)
    networks = {SEGMENTER: training_network(experiment), **experiment.method.networks()}
    optimizers = {
        name: experiment.optimizer.build(network.init()[0], experiment.steps)
        for name, network in networks.items()
    }
    averages = experiment.average_decay is not None
    state = initial_state(
        networks, experiment.method, optimizers, seed=experiment.seed, average=averages
    )
    mesh = data_mesh()
    state = jax.device_put(state, replicated(mesh))

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
        (directory / "experiment.json").write_text(to_json(experiment), encoding="utf-8")
        write_json(directory / "environment.json", environment(dataset, experiment))
        journal.cut(int(state.step))
    step = training_step(
        networks,
        experiment.method,
        optimizers,
        seed=experiment.seed,
        average_decay=experiment.average_decay,
        placement=replicated(mesh),
    )
    line_steps = 10 * experiment.cadence.log_steps
    with TrainingProgress(console, experiment.steps, line_steps) as progress:
        run_steps(
            state,
            step,
            batches,
            steps=experiment.steps,
            mesh=mesh,
            cadence=experiment.cadence,
            checkpoints=checkpoints,
            journal=journal,
            progress=progress,
            learning_rate=experiment.optimizer.rate(experiment.steps),
            validate=_validation(experiment, dataset, directory, journal, board, console),
            profile=directory / "profile" if watch.profile else None,
        )
    checkpoints.close()
    return _finish(experiment, dataset, directory, console)


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


def _validation(
    experiment: Experiment,
    dataset: Dataset,
    directory: Path,
    journal: Journal,
    board: Board | None,
    console: Console,
) -> Callable[[State], None] | None:
    """What happens every ``validation_steps``: scores into the journal, the best state kept."""
    if experiment.cadence.validation_steps is None:
        return None
    domain = experiment.validation_domain
    tiles = labelled_tiles(dataset, "val", domain)
    if isinstance(tiles, str):
        raise ValueError(f"There is nothing to validate on: {tiles}")
    scorer = validation_scorer(experiment)
    best = Checkpoints(directory / "best", 1, console.print)

    def validate(state: State) -> None:
        params, buffers = state.best_params[SEGMENTER], state.buffers[SEGMENTER]
        predict = partial(scorer, params, buffers)
        evaluation = score(predict, tiles, len(dataset.table), "validation", console)
        scores, step = evaluation.scores(dataset.table), int(state.step)
        console.print(score_table({f"step {step}": scores}, f"val {domain}"))
        before = [entry["validation"]["miou"] for entry in journal.read() if "validation" in entry]
        if jax.process_index() == 0:
            journal.write(step, validation=scores, domain=domain)
        if board:
            board.picture(step, domain, side_by_side(tiles[0], predict(tiles[0]), dataset.table))
        if scores["miou"] > max(before, default=-1.0):
            best.save(state, {})

    return validate


def side_by_side(tile: Tile, scores: np.ndarray, table: ClassTable) -> np.ndarray:
    """Image, truth and prediction beside each other, RGB uint8 (H, 3 W, 3)."""
    prediction = scores.argmax(-1).astype(np.uint8)
    maps = (table.colorize(tile["label"]), table.colorize(prediction))
    return np.concatenate([tile["image"], *maps], axis=1)


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
