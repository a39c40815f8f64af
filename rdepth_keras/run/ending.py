"""The end of a training: its scores on the target, and a picture of them."""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from rich.console import Console

from rdepth_keras.arrays import Tile
from rdepth_keras.assembly import labelled_tiles
from rdepth_keras.data.dataset import Opened
from rdepth_keras.evaluate.examples import draw_examples
from rdepth_keras.run.comparison import idle_labels
from rdepth_keras.run.directory import Run
from rdepth_keras.run.evaluation import NoLabels, Trial, evaluate, prepare_trial

EXAMPLES = 4  # tiles in the picture


def score_the_end(run: Run, data: Opened, console: Console) -> dict[str, Any] | None:
    """Scores the finished run on the target's Val; None where that has no labels.

    Where the target's labels chose the checkpoint, the last one is scored as well: published logs
    show a point or two between them, and only the last could be had without labels.
    """
    if notice := idle_labels(run):
        console.print(f"WARNING: {notice}; train longer, or by settings that label more.")
    tiles = labelled_tiles(data, "val", run.experiment.data.target)
    if isinstance(tiles, str):
        return _without_scores(run, tiles, console)
    trial = prepare_trial(run, "val")
    for line in trial.told:
        console.print(line)
    try:
        result = evaluate(trial, console)
    except NoLabels as reason:
        return _without_scores(run, str(reason), console)
    if run.selection == "best_by_target_labels":
        last = evaluate(prepare_trial(replace(run, last=True), "val"), console)
        console.print(
            f"By the target's labels step {result['step']} counts, mIoU {result['miou']:.2%}; "
            f"the last, step {last['step']}, has {last['miou']:.2%}"
        )
    picture = draw(trial)
    if jax.process_index() == 0:
        console.print(f"Tiles of the target, as they are predicted: {run.write_examples(picture)}")
        run.finish(result)
    return result


def _without_scores(run: Run, reason: str, console: Console) -> None:
    """The run has come to its end all the same."""
    console.print(f"Not evaluated: {reason}")
    if jax.process_index() == 0:
        run.finish({"not_evaluated": reason})


def draw(trial: Trial) -> np.ndarray:
    """A few tiles, evenly over the split, beside their truth and prediction."""
    tiles = examples(trial)
    labels = [trial.predictor.label(tile) for tile in tiles]
    title = f"{trial.experiment.recipe}, {trial.split} {trial.domain}"
    return draw_examples(tiles, {"prediction": labels}, trial.table, title)


def examples(trial: Trial) -> list[Tile]:
    """A few tiles, evenly over the split."""
    count = min(EXAMPLES, len(trial.tiles))
    places = np.linspace(0, len(trial.tiles) - 1, count).round().astype(int)
    return [trial.tiles[int(place)] for place in places]
