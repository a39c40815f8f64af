"""What happens every ``validation_steps`` of a training."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from rich.console import Console

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.evaluate.terminal import confusion_table, score_table
from rdepth_keras.experiment import Experiment
from rdepth_keras.labels import ClassTable
from rdepth_keras.run.dataset import Dataset, labelled_tiles
from rdepth_keras.run.evaluation import score, validation_scorer
from rdepth_keras.train.board import Board
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import any_host
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.state import State


def validation_tiles(experiment: Experiment, dataset: Dataset) -> Tiles | None:
    """The tiles that are looked at during training; None where only its end is scored.

    Raises ValueError where they have no labels.
    """
    if experiment.cadence.validation_steps is None:
        return None
    tiles = labelled_tiles(dataset, "val", experiment.validation_domain)
    if isinstance(tiles, str):
        raise ValueError(f"There is nothing to validate on: {tiles}")
    return tiles


def validation(
    experiment: Experiment,
    tiles: Tiles,
    table: ClassTable,
    directory: Path,
    journal: Journal,
    board: Board | None,
    console: Console,
    done: int,
) -> Callable[[State], bool]:
    """A function of the state: scores into the journal, table and picture out, the best kept.

    It returns whether the state is the best so far. ``done`` steps lie behind the run; what was
    kept beyond them is dropped.
    """
    domain = experiment.validation_domain
    scorer = validation_scorer(experiment)
    # Two: the later one may lie beyond the last ordinary checkpoint, and be cut by a resumption.
    best = Checkpoints(directory / "best", 2, console.print)
    best.cut(done)

    def validate(state: State) -> bool:
        params, buffers = state.best_params[SEGMENTER], state.buffers[SEGMENTER]
        looks: list[tuple[Tile, np.ndarray]] = []

        def predict(tile: Tile) -> np.ndarray:
            found = scorer(params, buffers, tile)
            if not looks:
                looks.append((tile, found))
            return found

        evaluation = score(predict, tiles, len(table), "validation", console)
        scores, step = evaluation.scores(table), int(state.step)
        title = f"step {step}, val {domain}"
        console.print(score_table({experiment.recipe: scores}, title))
        console.print(confusion_table(evaluation.confusion, table, title))
        better = any_host(jax.process_index() == 0 and scores["miou"] > _best_so_far(journal))
        if jax.process_index() == 0:
            journal.write(step, validation=scores, domain=domain)
        if board:
            board.picture(step, domain, side_by_side(*looks[0], table))
        if better:
            best.save(state, {})
        return better

    return validate


def _best_so_far(journal: Journal) -> float:
    found = [entry["validation"]["miou"] for entry in journal.read() if "validation" in entry]
    return max(found, default=-1.0)


def side_by_side(tile: Tile, scores: np.ndarray, table: ClassTable) -> np.ndarray:
    """Image, truth and prediction beside each other, RGB uint8 (H, 3 W, 3)."""
    prediction = scores.argmax(-1).astype(np.uint8)
    maps = (table.colorize(tile["label"]), table.colorize(prediction))
    return np.concatenate([tile["image"], *maps], axis=1)
