"""What happens every ``validation_steps`` of a training."""

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import numpy as np
from rich.console import Console

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Label, Tile, Tiles
from rdepth_keras.assembly import inference_network, labelled_tiles
from rdepth_keras.data.dataset import Opened
from rdepth_keras.evaluate.counts import count_labels
from rdepth_keras.evaluate.terminal import confusion_table, score_table
from rdepth_keras.experiment import Experiment
from rdepth_keras.infer import classify, tile_predictor
from rdepth_keras.labels import IGNORE, ClassTable
from rdepth_keras.run.directory import Run
from rdepth_keras.run.evaluation import tracked
from rdepth_keras.train.board import Board
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import any_host
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.state import State


def validation_tiles(experiment: Experiment, data: Opened) -> Tiles | None:
    """The tiles that are looked at during training; None where only its end is scored.

    Raises ValueError where no pixel of them has a label.
    """
    if experiment.training.choice.validation_steps is None:
        return None
    domain = experiment.validation_domain
    tiles = labelled_tiles(data, "val", domain)
    if isinstance(tiles, str):
        raise ValueError(f"There is nothing to validate on: {tiles}")
    if all((tiles[index]["label"] == IGNORE).all() for index in range(len(tiles))):
        raise ValueError(f"There is nothing to validate on: no pixel of val/{domain} has a label.")
    return tiles


@dataclass(frozen=True)
class Validation:
    """Scores a state into the journal, prints table and picture, and keeps the best.

    Attributes:
        experiment: what is trained.
        tiles: what it is scored on.
        predict: (params, buffers, tile) -> prediction, compiled once.
        best: where the best is kept.
        journal: where the scores go.
        board: where scores and picture go, too.
        console: where the tables are printed.
    """

    experiment: Experiment
    tiles: Tiles
    best: Checkpoints
    journal: Journal
    board: Board | None
    console: Console
    predict: Callable = field(repr=False)

    def __call__(self, state: State) -> bool:
        """Whether the state is the best so far."""
        params, buffers = state.best_params[SEGMENTER], state.buffers[SEGMENTER]
        looks: list[tuple[Tile, Label]] = []

        def label(tile: Tile) -> Label:
            found = classify(self.predict(params, buffers, tile), tile)
            if not looks:
                looks.append((tile, found))
            return found

        table, domain = self.experiment.data.classes, self.experiment.validation_domain
        tiles = tracked(self.tiles, "validation", self.console)
        counts = count_labels(label, tiles, len(table))
        scores, step = counts.scores(table), int(state.step)
        trained = domain == self.experiment.data.source and "val" in self.experiment.training_splits
        title = f"step {step}, val {domain}" + ", which is trained on" * trained
        self.console.print(score_table({self.experiment.recipe: scores}, title))
        self.console.print(confusion_table(counts.confusion, table, title))
        first = jax.process_index() == 0
        better = any_host(first and scores["miou"] > _best_so_far(self.journal))
        if first:
            self.journal.write(step, validation=scores, domain=domain)
        if self.board:
            self.board.picture(step, domain, side_by_side(*looks[0], table))
        if better:
            self.best.save(state, {})
        return better


def validation(
    experiment: Experiment,
    tiles: Tiles | None,
    run: Run,
    journal: Journal,
    board: Board | None,
    console: Console,
    done: int,
) -> Validation | None:
    """None where there are no tiles. What was kept beyond the ``done`` steps is dropped.

    Raises ValueError where the journal has no score of the best that is kept: any later one would
    take its place.
    """
    if tiles is None:
        return None
    best = run.best(console.print)
    best.cut(done)
    kept, scored = best.steps(), [entry["step"] for entry in journal.validations()]
    if kept and kept[-1] not in scored:
        raise ValueError(
            f"{run.directory} keeps step {kept[-1]} as its best, and its journal has no score of "
            "that step: put journal.jsonl back as it was, or start again with --rerun."
        )
    predict = tile_predictor(inference_network(experiment), experiment.training.inference)
    return Validation(experiment, tiles, best, journal, board, console, predict)


def _best_so_far(journal: Journal) -> float:
    return max((entry["validation"]["miou"] for entry in journal.validations()), default=-1.0)


def side_by_side(tile: Tile, label: Label, table: ClassTable) -> np.ndarray:
    """Image, truth and prediction beside each other, RGB uint8 (H, 3 W, 3)."""
    maps = (table.colorize(tile["label"]), table.colorize(label))
    return np.concatenate([tile["image"], *maps], axis=1)
