"""A trained run, or several, as a function of a tile."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Label, Tile
from rdepth_keras.infer import Inference, tile_scorer
from rdepth_keras.run.dataset import class_table
from rdepth_keras.run.directory import read_experiment
from rdepth_keras.run.network import inference_network
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import local_mesh, replicated


@dataclass(frozen=True)
class Predictor:
    """A trained run, or several that are averaged.

    Attributes:
        scores: tile -> mean scores (H, W, K), what calling the predictor gives.
        inference: windows, views and what is averaged.
        input_names: arrays of a tile that are looked at, e.g. ``("image", "depth")``.
        steps: of the checkpoint of each run.
    """

    scores: Callable[[Tile], np.ndarray]
    inference: Inference
    input_names: tuple[str, ...]
    steps: tuple[int, ...] = ()

    def __call__(self, tile: Tile) -> np.ndarray:
        return self.scores(tile)

    def probabilities(self, tile: Tile) -> np.ndarray:
        """Class probabilities (H, W, K)."""
        scores = self.scores(tile)
        if self.inference.average == "probabilities":
            return scores
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    def label(self, tile: Tile) -> Label:
        """Train ids (H, W)."""
        return self.scores(tile).argmax(-1).astype(np.uint8)


def load_predictor(directory: Path, inference: Inference | None = None) -> Predictor:
    """The predictor of the run's checkpoint that counts; ``inference`` None is the run's own."""
    experiment = read_experiment(directory)
    network = inference_network(experiment)
    params, buffers = jax.device_put(network.init(), replicated(local_mesh()))
    folder = directory / ("checkpoints" if experiment.selection == "last" else "best")
    if not folder.is_dir():
        raise FileNotFoundError(f"{directory} has no checkpoint yet: resume its training first.")
    checkpoints = Checkpoints(folder)
    like = {SEGMENTER: params}, {SEGMENTER: buffers}
    averaged = experiment.average_decay is not None
    params, buffers = checkpoints.restore_variables(*like, averaged)
    step = checkpoints.latest_step() or 0
    checkpoints.close()
    inference = inference or experiment.inference
    scorer = tile_scorer(network, inference)
    return Predictor(
        lambda tile: scorer(params[SEGMENTER], buffers[SEGMENTER], tile),
        inference,
        tuple(network.input_names),
        (step,),
    )


def load_ensemble(directories: Sequence[Path], inference: Inference | None = None) -> Predictor:
    """The mean of several runs' scores, all predicted with the first one's inference.

    What is averaged, logits or probabilities, is the inference's ``average``.

    Raises:
        ValueError: for runs of other data or protocols, or of depth from another source.
    """
    _check_members(directories)
    inference = inference or read_experiment(directories[0]).inference
    members = [load_predictor(directory, inference) for directory in directories]
    if len(members) == 1:
        return members[0]
    names = tuple(dict.fromkeys(name for member in members for name in member.input_names))
    return Predictor(
        lambda tile: np.mean([member(tile) for member in members], axis=0),
        inference,
        names,
        tuple(step for member in members for step in member.steps),
    )


def _check_members(directories: Sequence[Path]) -> None:
    first, *others = directories
    for other in others:
        for name, ours in _common(first).items():
            theirs = _common(other)[name]
            if ours != theirs:
                raise ValueError(
                    f"An ensemble needs runs of the same data and protocol; {first} has the {name} "
                    f"{ours}, {other} has {theirs}."
                )


def _common(directory: Path) -> dict[str, Any]:
    """What the members must share: the data, and what makes a row's protocol."""
    path = directory / "environment.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    experiment = read_experiment(directory)
    return {
        "dataset": experiment.dataset,
        "classes": class_table(experiment).names,
        "depth": known.get("depth"),
        "source": experiment.source,
        "target": experiment.target,
        "selection": experiment.selection,
        "target split": experiment.target_split if experiment.method.uses_target else None,
    }
