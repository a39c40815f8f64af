"""Scoring a run, during training and after."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

from rdepth_keras.arrays import Label, Params, Tile, Tiles
from rdepth_keras.data.pipeline import in_order
from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.evaluate.evaluator import Evaluation, evaluate_probabilities, evaluate_tiles
from rdepth_keras.experiment import Experiment
from rdepth_keras.infer import Inference, tile_scorer
from rdepth_keras.labels import LOVEDA
from rdepth_keras.run.dataset import labelled_tiles, open_dataset
from rdepth_keras.run.directory import read_experiment, write_json
from rdepth_keras.run.network import inference_network
from rdepth_keras.run.predictor import load_ensemble

Scorer = Callable[[Params, Params, Tile], np.ndarray]


def evaluate(
    directory: Path,
    split: str,
    domain: str | None,
    console: Console,
    *,
    inference: Inference | None = None,
    members: Sequence[Path] = (),
    absent: Absent = "union",
) -> dict[str, Any]:
    """Scores the run on a split and writes ``evaluations/…json`` into it; returns what it wrote.

    The counts of every tile lie beside it as NPZ, so that two runs are compared without predicting
    again.

    Args:
        directory: of the run.
        split: to score.
        domain: None is the target domain.
        console: shows a bar.
        inference: other than the run's own.
        members: further runs whose scores are averaged with this one's.
        absent: which classes are averaged.

    Raises:
        ValueError: where there are no labelled tiles, or members do not fit together.
    """
    experiment = read_experiment(directory)
    domain = domain or experiment.target
    dataset = open_dataset(experiment)
    tiles = labelled_tiles(dataset, split, domain)
    if isinstance(tiles, str):
        raise ValueError(f"There is nothing to score against: {tiles}")
    predictor = load_ensemble([directory, *members], inference)
    title = f"{split} {domain}"
    evaluation = evaluate_probabilities(
        predictor.probabilities, tracked(tiles, title, console), len(LOVEDA)
    )
    result = {
        **evaluation.all_scores(LOVEDA, absent),
        "split": split,
        "domain": domain,
        "direction": experiment.direction,
        "recipe": experiment.recipe,
        "selection": experiment.selection,
        "inference": asdict(predictor.inference),
        "members": [member.resolve().name for member in members],
        "dataset": experiment.dataset,
        "depth": dict(dataset.depth) if "depth" in predictor.input_names else None,
        "target_seen": experiment.method.uses_target,
        "seed": experiment.seed,
    }
    stem = evaluation_name(experiment, split, domain, predictor.inference, result["members"])
    if jax.process_index() == 0:
        evaluation.save(directory / "evaluations" / f"{stem}.npz")
        write_json(directory / "evaluations" / f"{stem}.json", result)
    return result


def evaluation_name(
    experiment: Experiment,
    split: str,
    domain: str,
    inference: Inference | None = None,
    members: Sequence[str] = (),
) -> str:
    """File name, without its ending, of an evaluation; inference other than the run's is named."""
    own, other = asdict(experiment.inference), asdict(inference or experiment.inference)
    parts = [f"{name}={_short(other[name])}" for name in own if own[name] != other[name]]
    parts += [f"with={'+'.join(members)}"] if members else []
    return "-".join([f"{split}_{domain}", *parts])


def score(
    predict: Callable[[Tile], np.ndarray], tiles: Tiles, title: str, console: Console
) -> Evaluation:
    """The pixel counts of a predictor (tile -> scores) over labelled tiles, with a bar."""

    def classify(tile: Tile) -> Label:
        return predict(tile).argmax(-1).astype(np.uint8)

    return evaluate_tiles(classify, tracked(tiles, title, console), len(LOVEDA))


def validation_scorer(experiment: Experiment) -> Scorer:
    """(params, buffers, tile) -> scores, compiled once for a whole training."""
    return tile_scorer(inference_network(experiment), experiment.inference)


def tracked(tiles: Tiles, title: str, console: Console) -> Iterator[Tile]:
    """Every tile once, in order, with a progress bar where there is a terminal."""
    disable = not console.is_terminal or jax.process_index() > 0
    yield from track(in_order(tiles), title, len(tiles), console=console, disable=disable)


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
