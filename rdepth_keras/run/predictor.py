"""A trained run, or several, as a function of a tile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import jax
import numpy as np

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Label, Params, Tile
from rdepth_keras.assembly import inference_network
from rdepth_keras.infer import Inference, classify, tile_predictor
from rdepth_keras.run.ancestry import disagreement, seen, trained_on
from rdepth_keras.run.directory import Run, foreign
from rdepth_keras.train.devices import local_mesh, replicated


@dataclass(frozen=True)
class Predictor:
    """A trained run, or several that are averaged.

    Attributes:
        predict: tile -> mean prediction (H, W, K), what calling the predictor gives.
        inference: windows, views and what is averaged.
        input_names: arrays of a tile that are looked at, e.g. ``("image", "depth")``.
        steps: of the checkpoint of each run.
        damaged: in words, the later checkpoints that were passed over.
    """

    predict: Callable[[Tile], np.ndarray]
    inference: Inference
    input_names: tuple[str, ...]
    steps: tuple[int, ...] = ()
    damaged: tuple[str, ...] = ()

    def __call__(self, tile: Tile) -> np.ndarray:
        return self.predict(tile)

    def probabilities(self, tile: Tile) -> np.ndarray:
        """Class probabilities (H, W, K)."""
        prediction = self.predict(tile)
        if self.inference.average == "probabilities":
            return prediction
        powers = np.exp(prediction - prediction.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    def label(self, tile: Tile) -> Label:
        """Train ids (H, W)."""
        return classify(self.predict(tile), tile)


def load_predictor(run: Run, inference: Inference | None = None) -> Predictor:
    """The predictor of the run's checkpoint that counts; ``inference`` None is the run's own."""
    experiment = run.experiment
    network = inference_network(experiment)
    damaged: list[str] = []
    params, buffers = jax.device_put(network.init(), replicated(local_mesh()))
    params, buffers, step = restore(run, params, buffers, damaged.append)
    inference = inference or experiment.training.inference
    predict = tile_predictor(network, inference)
    return Predictor(
        lambda tile: predict(params, buffers, tile),
        inference,
        tuple(network.input_names),
        (step,),
        tuple(dict.fromkeys(damaged)),
    )


def restore(
    run: Run, params: Params, buffers: Params, notify: Callable[[str], None]
) -> tuple[Params, Params, int]:
    """Params, buffers and step of the run's checkpoint that counts.

    ``notify`` hears of later ones that are damaged or gone.
    ``params`` and ``buffers`` are those of the network of its experiment: shapes and placement.

    Raises:
        FileNotFoundError: where there is no checkpoint.
        ValueError: where none is whole, or it is not of this network.
    """
    damaged: list[str] = []

    def hear(line: str) -> None:
        damaged.append(line)
        notify(line)

    checkpoints = run.chosen(hear)
    step = checkpoints.latest_step()
    averaged = run.experiment.training.choice.average_decay is not None
    try:
        found = checkpoints.restore_variables({SEGMENTER: params}, {SEGMENTER: buffers}, averaged)
    except (ValueError, TypeError, KeyError) as error:  # of Orbax, in its own terms
        raise foreign(run, step, error) from error
    checkpoints.close()
    end = run.experiment.training.steps
    if run.selection == "last" and run.metrics is not None and step != end and not damaged:
        notify(f"{run} ended with step {end}, and its checkpoint is gone: step {step} counts.")
    if run.selection != "last" and (best := _best_step(run)) not in (None, step):
        notify(f"Step {best} of {run} scored best, and its checkpoint is gone: step {step} counts.")
    return found[0][SEGMENTER], found[1][SEGMENTER], step or 0


def _best_step(run: Run) -> int | None:
    """The first step of the best validation, by the run's journal; None where there is none."""
    found = run.journal.validations()
    best = max(found, key=lambda entry: entry["validation"]["miou"], default=None)
    return None if best is None else best["step"]


def load_ensemble(
    runs: Sequence[Run], inference: Inference | None = None, domain: str | None = None
) -> Predictor:
    """The mean of several runs' predictions, all made with the first one's inference.

    What is averaged, logits or probabilities, is the inference's ``average``. ``domain`` is what
    they predict, of which all must have seen the same; None is the target.

    Raises:
        ValueError: for runs of other data or protocols, or of depth from another source, and for
            one that is named twice, or that is a copy of another.
    """
    _check_members(runs, domain)
    inference = inference or runs[0].experiment.training.inference
    members = [load_predictor(run, inference) for run in runs]
    if len(members) == 1:
        return members[0]
    names = tuple(dict.fromkeys(name for member in members for name in member.input_names))
    return Predictor(
        lambda tile: np.mean([member(tile) for member in members], axis=0),
        inference,
        names,
        tuple(step for member in members for step in member.steps),
        tuple(note for member in members for note in member.damaged),
    )


def unfinished(runs: Sequence[Run]) -> list[str]:
    """In words, which runs have not come to their end."""
    return [
        f"WARNING: {run.directory} has not come to its end; go on with --resume."
        for run in runs
        if run.metrics is None
    ]


def _check_members(runs: Sequence[Run], domain: str | None) -> None:
    for one, other in combinations(runs, 2):
        same_place = one.directory.resolve() == other.directory.resolve()
        if same_place or one.identity == other.identity != "":
            raise ValueError(
                f"An ensemble averages different runs; {other} is named twice: it is {one}, or a "
                "copy of it."
            )
        ours, theirs = (_common(run, domain) | trained_on(run) for run in (one, other))
        if name := disagreement(ours, theirs):
            raise ValueError(
                f"An ensemble needs runs of the same data and protocol; {one} has the {name} "
                f"{ours[name]}, {other} has {theirs[name]}."
            )


def _common(run: Run, domain: str | None) -> dict[str, Any]:
    """What the members must share: the data, and what makes a row's protocol."""
    experiment = run.experiment
    domain = domain or experiment.data.target
    return {
        "dataset": experiment.data.title(experiment.resources.data_dir),
        "classes": experiment.data.classes.names,
        "source": experiment.data.source,
        "target": experiment.data.target,
        "selection": run.selection,
        f"images seen of {domain}": seen(run, domain),
    }
