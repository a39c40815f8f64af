"""A trained run, counted on labelled tiles."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Any

import jax
from rich.console import Console
from rich.progress import track

from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.assembly import check_files, flat_depth, labelled_tiles, left_out, open_data
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.pipeline import in_order
from rdepth_keras.data.splits import longest_side
from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.evaluate.counts import Counts, count_probabilities
from rdepth_keras.experiment import Experiment
from rdepth_keras.infer import Inference
from rdepth_keras.labels import ClassTable
from rdepth_keras.run.ancestry import (
    LABELLED,
    UNKNOWN,
    labelled_before,
    pictures_before,
    seen,
)
from rdepth_keras.run.comparison import note
from rdepth_keras.run.directory import Run
from rdepth_keras.run.effects import check_windows
from rdepth_keras.run.files import (
    changed_files,
    other_versions,
    picture_marks,
    trained_on_too,
    version_changes,
)
from rdepth_keras.run.predictor import Predictor, load_ensemble
from rdepth_keras.run.scores import Evaluated, in_short, other_checkpoint, other_inference
from rdepth_keras.train.progress import LINE_SECONDS

MOST_TIMES = 1.5  # the side of tiles that trained, or the other way round


class NoLabels(ValueError):
    """Tiles have masks, but every pixel of them is ignored: there is no score."""

    def __init__(self, reason: str):
        super().__init__(f"There is nothing to score against: {reason}")


@dataclass(frozen=True)
class Trial:
    """A predictor and the labelled tiles it is tried on.

    Attributes:
        changed: in words, which of the data are no longer as the run began with.
        trained_on_too: in words, which of the tiles are trained on under another name.
        trained_before: how many of the tiles trained, with labels and under any name, the runs that
            these started from; None where nobody knows.
        flat: in words, which of the tiles have a flat depth.
        unlabelled: in words, how many tiles are not scored, since they have no labels.
        sizes: in words, that the tiles are of quite another size than those that trained.
        odd: in words, by what the tiles can hardly be what they should be.
    """

    run: Run
    split: str
    domain: str
    members: tuple[Run, ...]
    experiment: Experiment
    data: Opened
    tiles: Tiles
    predictor: Predictor
    changed: tuple[str, ...] = ()
    trained_on_too: str = ""
    flat: str = ""
    unlabelled: str = ""
    sizes: str = ""
    odd: str = ""
    trained_before: int | None = 0

    @property
    def told(self) -> list[str]:
        """What there is to say of the runs and the tiles before they are scored."""
        runs = (self.run, *self.members)
        versions = [line for run in runs for line in other_versions(run, run.experiment)]
        sizes = self.sizes and f"WARNING: {self.sizes}: cut them alike."
        odd = self.odd and f"WARNING: {self.odd}"
        before = labelled_before(self.trained_before, len(self.tiles))
        before = before and f"WARNING: seen of {self.split}/{self.domain}: {before}"
        tiles = (self.trained_on_too, before, odd, self.flat, sizes, self.unlabelled)
        return list(filter(None, (*versions, *tiles)))

    @property
    def table(self) -> ClassTable:
        """The classes of the labels."""
        return self.experiment.data.classes

    @property
    def name(self) -> str:
        """File name, without its ending; what is not by the run's own rules is named."""
        own, other = self.experiment.training.inference, asdict(self.predictor.inference)
        parts = other_inference(own, other)
        parts += other_checkpoint(self.experiment, self.run.selection)
        parts += [f"with={_together(self.members)}"] if self.members else []
        return "-".join([f"{self.split}_{self.domain}", *parts])


def prepare_trial(
    run: Run,
    split: str,
    domain: str | None = None,
    inference: Inference | None = None,
    members: Sequence[Run] = (),
) -> Trial:
    """Loads a run to be tried.

    Args:
        run: the run.
        split: to predict.
        domain: None is the target domain.
        inference: other than the run's own.
        members: further runs whose predictions are averaged with this one's.

    Raises:
        NoLabels: where there are no labelled tiles.
        ValueError: where files are bad, members do not fit together, windows that do not overlap
            are to be blended, or windows are asked for that are larger than every tile or smaller
            than networks take.
    """
    experiment = run.experiment
    if inference is not None:
        check_windows(inference, experiment.training.inference)
    domain = experiment.data.target if domain is None else domain
    data = open_data(experiment)
    if experiment.network.reads_depth:
        run.check_data(data)
    tiles = labelled_tiles(data, split, domain)
    if isinstance(tiles, str):
        raise NoLabels(tiles)
    check_files(data, [tiles])
    _check_window(experiment.training.inference, inference, longest_side(tiles))
    predictor = load_ensemble([run, *members], inference, domain)
    changed = tuple(changed_files(run, data).values())
    counts = run.environment.get("trained_on") or dict.fromkeys(
        (f"{name}/{experiment.data.source}" for name in experiment.training_splits), 0
    )
    twice = trained_on_too(counts, data, split, domain)
    flat = flat_depth(data, tiles) if "depth" in predictor.input_names else ""
    parts = run, split, domain, tuple(members), experiment, data, tiles, predictor
    without = left_out(data, split, domain, tiles)
    sizes = other_sizes(run, tiles) if "depth" in predictor.input_names else ""
    odd = "; ".join(filter(None, [data.lacking(tiles), *data.oddities(tiles)]))
    unlabelled = without and f"Not scored: {without}"
    before = _trained_before([run, *members], tiles, split, domain)
    return Trial(*parts, changed, twice, flat, unlabelled, sizes, odd, before)


def _trained_before(runs: Sequence[Run], tiles: Tiles, split: str, domain: str) -> int | None:
    """How many; None where nobody knows. Labels that were seen by the split's name are told so."""
    name = LABELLED + split.capitalize()
    runs = [run for run in runs if name not in seen(run, domain).split(", ")]
    if not (known := set[str]().union(*map(pictures_before, runs))):
        return 0
    marks = picture_marks(tiles)
    count = sum(mark in known for mark in marks)
    return None if marks and not count and UNKNOWN in known else count


def _check_window(own: Inference, asked: Inference | None, longest: int) -> None:
    window = asked and asked.window_pixels
    if window and window > longest and window != own.window_pixels:
        raise ValueError(
            f"--inference.window-pixels {window} has no effect: no side of the tiles is longer "
            f"than {longest} pixels. Leave it away, or give fewer."
        )


def other_sizes(run: Run, tiles: Tiles) -> str:
    """In words, that tiles are of quite another size than those that trained; else empty."""
    known, side = run.environment.get("tile_pixels"), longest_side(tiles)
    if not known or known / MOST_TIMES <= side <= known * MOST_TIMES:
        return ""
    return (
        f"tiles of up to {side} pixels are scored, and trained was on such of up to "
        f"{known}: depth is relative to a tile, and so another one here"
    )


def evaluate(trial: Trial, console: Console, absent: Absent = "union") -> dict[str, Any]:
    """Counts, scores, and writes both into the run's directory; returns the scores.

    The counts of every tile lie beside the scores, so that runs are compared without predicting
    again. ``absent`` says which classes are averaged. Raises :class:`NoLabels`.
    """
    counts = count(trial, trial.tiles, console)
    result = {**counts.all_scores(trial.table, absent), **describe(trial)}
    if jax.process_index() == 0:
        trial.run.evaluations.write(trial.name, result, counts)
    return result


def describe(trial: Trial) -> dict[str, Any]:
    """How the scores come about; goes with them."""
    experiment, predictor = trial.experiment, trial.predictor
    seeds = [run.experiment.training.seed for run in (trial.run, *trial.members)]
    return {
        "split": trial.split,
        "domain": trial.domain,
        "direction": experiment.data.direction,
        "recipe": experiment.recipe,
        "selection": trial.run.selection,
        "inference": asdict(predictor.inference) | {"scales": list(predictor.inference.scales)},
        "members": [member.name for member in trial.members],
        "dataset": experiment.data.title(experiment.resources.data_dir),
        "depth": dict(trial.data.depth) if "depth" in predictor.input_names else None,
        "target_seen": experiment.method.uses_target,
        "seed": seeds[0],
        "seeds": seeds,
        "step": predictor.steps[0],
        "trained_steps": trial.run.trained_steps,
        "member_notes": _member_notes(trial),
        "files": dict(trial.data.fingerprints(trial.tiles)),
        "other_versions": version_changes(trial.run, experiment),
        "changed_data": list(trial.changed),
        "trained_on_too": trial.trained_on_too,
        "trained_before": trial.trained_before,
        "unlabelled": trial.unlabelled,
        "sizes": trial.sizes,
        "odd": trial.odd,
        "flat": trial.flat.removeprefix("WARNING: "),
        "passed_over": list(predictor.damaged),
    }


def _member_notes(trial: Trial) -> list[str]:
    """What a reader must know of each member, by its name; nothing where there is nothing."""
    found = []
    for member, step in zip(trial.members, trial.predictor.steps[1:], strict=True):
        reached = {"step": step, "trained_steps": member.trained_steps}
        result = {**reached, "selection": member.selection}
        result["other_versions"] = version_changes(member, member.experiment)
        if told := note(Evaluated(member, trial.name, result, member.experiment)):
            found.append(f"{member.name}: {told}")
    return found


def count(trial: Trial, tiles: Tiles, console: Console, title: str = "") -> Counts:
    """The counts of the trial's predictor over tiles, with a bar; raises :class:`NoLabels`."""
    title = title or f"{trial.split} {trial.domain}"
    found = count_probabilities(
        trial.predictor.probabilities, tracked(tiles, title, console), len(trial.table)
    )
    if not found.confusion.any():
        raise NoLabels(f"no pixel of {trial.split}/{trial.domain} has a label.")
    return found


def tracked(tiles: Tiles, title: str, console: Console) -> Iterator[Tile]:
    """Every tile once, in order: a progress bar in a terminal, a line now and then elsewhere."""
    if jax.process_index() > 0:
        yield from in_order(tiles)
    elif console.is_terminal:
        yield from track(in_order(tiles), title, len(tiles), console=console)
    else:
        yield from _told(in_order(tiles), title, len(tiles), console)


def _told(tiles: Iterable[Tile], title: str, count: int, console: Console) -> Iterator[Tile]:
    began = said = time.perf_counter()
    for number, tile in enumerate(tiles):
        if (now := time.perf_counter()) - said >= LINE_SECONDS and number:
            left = timedelta(seconds=round((now - began) / number * (count - number)))
            console.print(f"{title}: {number} of {count} tiles, {left} left")
            said = now
        yield tile


def _together(members: Sequence[Run]) -> str:
    """Names of the members, short enough for a file, and a digest of where they lie."""
    places = "\n".join(str(member.directory.resolve()) for member in members)
    digest = blake2b(places.encode(), digest_size=3).hexdigest()
    return f"{in_short([member.name for member in members])}.{digest}"
