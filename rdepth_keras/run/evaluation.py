"""Scoring a run, during training and after."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Label, Params, Tile, Tiles
from rdepth_keras.data.pipeline import in_order
from rdepth_keras.evaluate.evaluator import Evaluation, evaluate_tiles
from rdepth_keras.experiment import Experiment
from rdepth_keras.infer import tile_scorer
from rdepth_keras.labels import LOVEDA
from rdepth_keras.run.dataset import labelled_tiles, open_dataset
from rdepth_keras.run.directory import read_experiment, write_json
from rdepth_keras.run.network import inference_network
from rdepth_keras.train.checkpoint import Checkpoints

Scorer = Callable[[Params, Params, Tile], np.ndarray]


def evaluate(directory: Path, split: str, domain: str | None, console: Console) -> dict[str, Any]:
    """Scores the run on a split and writes ``evaluations/…json`` into it; returns what it wrote.

    ``domain`` None is the target domain. Raises ValueError where there are no labelled tiles.
    """
    experiment = read_experiment(directory)
    domain = domain or experiment.target
    tiles = labelled_tiles(open_dataset(experiment), split, domain)
    if isinstance(tiles, str):
        raise ValueError(f"There is nothing to score against: {tiles}")
    predict = load_predictor(directory)
    evaluation = score(lambda tile: predict(tile), tiles, f"{split} {domain}", console)
    result = {
        **evaluation.scores(LOVEDA),
        "commonest_class_miou": evaluation.commonest_class_miou(),
        "tiles": len(evaluation.ids),
        "split": split,
        "domain": domain,
        "direction": experiment.direction,
        "recipe": experiment.recipe,
        "selection": experiment.selection,
        "inference": asdict(experiment.inference),
    }
    if jax.process_index() == 0:
        write_json(directory / "evaluations" / f"{split}_{domain}.json", result)
    return result


def load_predictor(directory: Path) -> Callable[[Tile], np.ndarray]:
    """Tile -> mean scores (H, W, K), from the checkpoint of the run that counts."""
    experiment = read_experiment(directory)
    network = inference_network(experiment)
    params, buffers = network.init()
    folder = directory / ("checkpoints" if experiment.selection == "last" else "best")
    if not folder.is_dir():
        raise FileNotFoundError(f"{directory} has no checkpoint yet: resume its training first.")
    checkpoints = Checkpoints(folder)
    like = {SEGMENTER: params}, {SEGMENTER: buffers}
    averaged = experiment.average_decay is not None
    params, buffers = checkpoints.restore_variables(*like, averaged)
    checkpoints.close()
    scorer = tile_scorer(network, experiment.inference)
    return lambda tile: scorer(params[SEGMENTER], buffers[SEGMENTER], tile)


def score(
    predict: Callable[[Tile], np.ndarray], tiles: Tiles, title: str, console: Console
) -> Evaluation:
    """The pixel counts of a predictor (tile -> scores) over labelled tiles, with a bar."""

    def classify(tile: Tile) -> Label:
        return predict(tile).argmax(-1).astype(np.uint8)

    return evaluate_tiles(classify, _tracked(tiles, title, console), len(LOVEDA))


def validation_scorer(experiment: Experiment) -> Scorer:
    """(params, buffers, tile) -> scores, compiled once for a whole training."""
    return tile_scorer(inference_network(experiment), experiment.inference)


def _tracked(tiles: Tiles, title: str, console: Console) -> Iterator[Tile]:
    disable = not console.is_terminal or jax.process_index() > 0
    yield from track(in_order(tiles), title, len(tiles), console=console, disable=disable)
