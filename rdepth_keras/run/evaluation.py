"""Scoring a run, during training and after."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

from rdepth_keras.arrays import Label, Params, Tile, Tiles
from rdepth_keras.data.pipeline import in_order
from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.evaluate.counts import Evaluation, evaluate_probabilities, evaluate_tiles
from rdepth_keras.experiment import Experiment
from rdepth_keras.infer import Inference, tile_scorer
from rdepth_keras.run.dataset import Dataset, labelled_tiles, open_dataset
from rdepth_keras.run.directory import check_depth, read_experiment, write_json
from rdepth_keras.run.network import inference_network
from rdepth_keras.run.predictor import Predictor, load_ensemble

Scorer = Callable[[Params, Params, Tile], np.ndarray]


@dataclass(frozen=True)
class Scoring:
    """A predictor and the labelled tiles it is scored on."""

    directory: Path
    split: str
    domain: str
    members: tuple[str, ...]  # full paths
    experiment: Experiment
    dataset: Dataset
    tiles: Tiles
    predictor: Predictor

    @property
    def name(self) -> str:
        """File name, without its ending; inference other than the run's own is named."""
        own, other = asdict(self.experiment.inference), asdict(self.predictor.inference)
        parts = [f"{name}={_short(other[name])}" for name in own if own[name] != other[name]]
        parts += [f"with={_together(self.members)}"] if self.members else []
        return "-".join([f"{self.split}_{self.domain}", *parts])


def prepare_scoring(
    directory: Path,
    split: str,
    domain: str | None,
    inference: Inference | None = None,
    members: Sequence[Path] = (),
) -> Scoring:
    """Loads a run for scoring.

    Args:
        directory: of the run.
        split: to score.
        domain: None is the target domain.
        inference: other than the run's own.
        members: further runs whose scores are averaged with this one's.

    Raises:
        ValueError: where there are no labelled tiles, or members do not fit together.
    """
    experiment = read_experiment(directory)
    domain = domain or experiment.target
    dataset = open_dataset(experiment)
    if experiment.segmenter.depth_encoder is not None:
        check_depth(directory, dataset)
    tiles = labelled_tiles(dataset, split, domain)
    if isinstance(tiles, str):
        raise ValueError(f"There is nothing to score against: {tiles}")
    predictor = load_ensemble([directory, *members], inference)
    names = tuple(str(member.resolve()) for member in members)
    return Scoring(directory, split, domain, names, experiment, dataset, tiles, predictor)


def evaluate(
    directory: Path, split: str, domain: str | None, console: Console, absent: Absent = "union"
) -> dict[str, Any]:
    """Scores the run with its own inference and writes what it finds, as :func:`write_scores`."""
    return write_scores(prepare_scoring(directory, split, domain), console, absent)


def write_scores(scoring: Scoring, console: Console, absent: Absent = "union") -> dict[str, Any]:
    """Scores and writes ``evaluations/…json`` into the run's directory; returns what it wrote.

    The counts of every tile lie beside it as NPZ, so that runs are compared without predicting
    again. ``absent`` says which classes are averaged.
    """
    evaluation = count(scoring, scoring.predictor.probabilities, scoring.tiles, console)
    result = {**evaluation.all_scores(scoring.dataset.table, absent), **describe(scoring)}
    if jax.process_index() == 0:
        path = scoring.directory / "evaluations" / scoring.name
        evaluation.save(path.with_name(f"{path.name}.npz"))
        write_json(path.with_name(f"{path.name}.json"), result)
    return result


def describe(scoring: Scoring) -> dict[str, Any]:
    """How the scores come about; goes with them."""
    experiment, predictor = scoring.experiment, scoring.predictor
    return {
        "split": scoring.split,
        "domain": scoring.domain,
        "direction": experiment.direction,
        "recipe": experiment.recipe,
        "selection": experiment.selection,
        "inference": asdict(predictor.inference) | {"scales": list(predictor.inference.scales)},
        "members": [Path(member).name for member in scoring.members],
        "dataset": experiment.dataset,
        "depth": dict(scoring.dataset.depth) if "depth" in predictor.input_names else None,
        "target_seen": experiment.method.uses_target,
        "seed": experiment.seed,
        "seeds": [experiment.seed, *(read_experiment(Path(m)).seed for m in scoring.members)],
        "step": min(predictor.steps),
    }


def count(
    scoring: Scoring,
    predict: Callable[[Tile], np.ndarray],
    tiles: Tiles,
    console: Console,
    title: str = "",
) -> Evaluation:
    """The counts of a predictor (tile -> probabilities), with a bar."""
    title = title or f"{scoring.split} {scoring.domain}"
    classes = len(scoring.dataset.table)
    return evaluate_probabilities(predict, tracked(tiles, title, console), classes)


def score(
    predict: Callable[[Tile], np.ndarray], tiles: Tiles, classes: int, title: str, console: Console
) -> Evaluation:
    """The pixel counts of a predictor (tile -> scores) over labelled tiles, with a bar."""

    def classify(tile: Tile) -> Label:
        return predict(tile).argmax(-1).astype(np.uint8)

    return evaluate_tiles(classify, tracked(tiles, title, console), classes)


def validation_scorer(experiment: Experiment) -> Scorer:
    """(params, buffers, tile) -> scores, compiled once for a whole training."""
    return tile_scorer(inference_network(experiment), experiment.inference)


def tracked(tiles: Tiles, title: str, console: Console) -> Iterator[Tile]:
    """Every tile once, in order, with a progress bar where there is a terminal."""
    disable = not console.is_terminal or jax.process_index() > 0
    yield from track(in_order(tiles), title, len(tiles), console=console, disable=disable)


def _together(members: Sequence[str]) -> str:
    """Names of the members, short enough for a file, and a digest of where they lie."""
    digest = blake2b("\n".join(members).encode(), digest_size=3).hexdigest()
    names = "+".join(Path(member).name for member in members)
    return f"{names if len(names) < 80 else f'{len(members)} runs'}.{digest}"


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
