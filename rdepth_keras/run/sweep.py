"""Many runs: recipes x directions x seeds, each in a directory of its own, and their table."""

import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from rdepth_keras.assembly import open_data
from rdepth_keras.experiment import Experiment, from_json, in_words
from rdepth_keras.experiment.checks import check_seed
from rdepth_keras.run.ancestry import alike, disagreement, several_versions
from rdepth_keras.run.directory import Run
from rdepth_keras.run.files import changed_files, decisive
from rdepth_keras.run.scores import own_evaluation, refuse_scores
from rdepth_keras.run.surroundings import settled
from rdepth_keras.run.training import changes

HEADING = "# Leaderboard"  # of a page
SEEN_BY_ALL = ("tiles", "images", "masks")
DECIDED = {  # flags of the training script that would make all runs one, or none
    *("--recipe", "--direction", "--seed", "--out", "--resume", "--rerun"),
    *("--list-recipes", "--print-config", "--help", "-h"),
}


@dataclass(frozen=True)
class Cell:
    """One run of a sweep and its directory."""

    recipe: str
    direction: str
    seed: int
    directory: Path

    @property
    def run(self) -> Run:
        """The run, begun or not."""
        return Run(self.directory)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, scored or not."""
        return self.run.metrics is not None

    @property
    def scored(self) -> bool:
        """Whether it came to its end, and there was something to score it on.

        Raises ValueError where its end says that there was nothing, and it was scored all the same.
        """
        metrics = self.run.metrics
        if metrics is not None and metrics.get("miou") is None:
            refuse_scores(self.run)
        return metrics is not None and metrics.get("miou") is not None

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What the finished run scored, by its evaluation; None where it was not scored.

        Raises FileNotFoundError or ValueError where that is not there as it was written.
        """
        return own_evaluation(self.run).result if self.scored else None


def plan(
    recipes: Sequence[str],
    directions: Sequence[str],
    seeds: Sequence[int],
    out: Path,
    oracles: Sequence[str] = (),
) -> list[Cell]:
    """The runs of a sweep, in the order they are started.

    After all others come ``oracles``: recipes that train on the labelled target itself.

    Raises ValueError for one that is named twice: it would count twice in the means; where there
    would be none, and for a seed that is none.
    """
    axes = {"recipe": recipes, "direction": directions, "seed": seeds, "oracle": oracles}
    for name, given in axes.items():
        if not given and name != "oracle":
            raise ValueError(f"There is no {name}, so nothing to train; name at least one.")
        twice = [value for value in dict.fromkeys(given) if list(given).count(value) > 1]
        if twice:
            raise ValueError(f"The {name} {twice[0]} is named twice; name each once.")
    for seed in seeds:
        check_seed("seeds", seed)
    at_home = dict.fromkeys(f"{direction[-1]}2{direction[-1]}" for direction in directions)
    pairs = [*product(recipes, directions), *product(oracles, at_home)]
    return [
        Cell(recipe, direction, seed, out / f"{recipe}-{direction}-seed{seed}")
        for recipe, direction in dict.fromkeys(pairs)
        for seed in seeds
    ]


def settings(cell: Cell, script: Path, options: Sequence[str]) -> Experiment:
    """The experiment that the script would run."""
    command = [*_command(cell, script, options), "--print-config"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.removeprefix("error: "))
    fields = json.loads(done.stdout)
    fields.pop("learning_rates", None)
    return from_json(json.dumps(fields))


def _command(cell: Cell, script: Path, options: Sequence[str]) -> list[str]:
    chosen = ["--recipe", cell.recipe, "--direction", cell.direction, "--seed", str(cell.seed)]
    return [sys.executable, str(script), *chosen, *options]


def check(cells: Sequence[Cell], script: Path, options: Sequence[str]) -> list[str]:
    """Raises ValueError before the first run starts.

    That is, for options that the sweep itself decides for each run or that a recipe refuses, for
    directions that are all the same to the data, and where a directory holds a run with other
    settings, or of other data, than are asked for. Returns in words where only what runs are scored
    on has changed.
    """
    given = {option.split("=")[0].replace("_", "-") for option in options}
    if taken := sorted(given & DECIDED):
        raise ValueError(
            f"{', '.join(taken)} cannot follow --: each run has its own, or none of it. Leave it "
            "away, or give it before the --."
        )
    asked: dict[tuple[str, str], Experiment] = {}  # a process each: seeds share it
    for cell in cells:
        if cell.recipe not in (recipe for recipe, _ in asked):  # each may refuse the options
            asked[cell.recipe, cell.direction] = settings(cell, script, options)
    directions: list[Any] = list(dict.fromkeys(cell.direction for cell in cells))
    data = next(iter(asked.values())).data
    if len({replace(data, direction=way).route for way in directions}) < len(directions):
        raise ValueError(
            f"All of the directions {', '.join(directions)} would train {data.route}: the "
            "domains of these data are named. Give one of --directions and no --oracles; train "
            "what those would with --source-domain and --target-domain, in another --out."
        )
    said: list[str] = []
    for cell in cells:
        if cell.run.begun:
            kind = cell.recipe, cell.direction
            if kind not in asked:
                asked[kind] = settings(cell, script, options)
            wanted = asked[kind].changed(training={"seed": cell.seed})
            changed = changes(cell.run, settled(wanted))
            if changed:
                raise ValueError(
                    f"{cell.directory} holds a run with other settings; choose another --out, or "
                    f"the same options again: {'; '.join(in_words(changed))}"
                )
            said += _check_data(cell, settled(wanted))
    return list(dict.fromkeys(said))


def _check_data(cell: Cell, wanted: Experiment) -> list[str]:
    """Raises ValueError for a run that was trained on other files than those asked for now.

    Of a finished one, whose table is asked for again, the data may be gone, which is told.
    """
    try:
        data = open_data(wanted)
    except OSError as error:
        if not cell.finished:
            raise
        return [f"WARNING: nobody knows whether the data are what runs began with ({error})"]
    changed = changed_files(cell.run, data)
    if decided := [changed[name] for name in decisive(wanted) if name in changed]:
        raise ValueError(
            f"{cell.directory} holds a run that was trained on other files than "
            f"{wanted.data.title(wanted.resources.data_dir)} holds now: {'; '.join(decided)}. Put "
            "them back, or choose another --out."
        )
    return [
        f"WARNING: not the data that {cell.directory} began with: {c}" for c in changed.values()
    ]


def train(cell: Cell, script: Path, options: Sequence[str], cap_seconds: float | None) -> str:
    """Starts or resumes a run unless it has finished; returns in a word how it ended.

    A run over its cap is asked to save and stop (SIGTERM); the next sweep goes on with it. So it
    is when this process is asked to stop or loses its terminal; it then stops as well, with
    KeyboardInterrupt or SystemExit.
    """
    if cell.finished:
        return "finished before"
    command = [*_command(cell, script, options), "--out", str(cell.directory)]
    if cell.run.begun:
        command += ["--resume"]
    process = subprocess.Popen(command)
    asked = []

    def forward(number, _):
        """Asked to stop, this process must not leave its child training alone."""
        asked.append(number)
        process.send_signal(signal.SIGTERM)

    kinds = [signal.SIGTERM]
    kinds += [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    before = {kind: signal.signal(kind, forward) for kind in kinds}
    try:
        code = process.wait(cap_seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.wait()
        code = None
    except KeyboardInterrupt:
        process.wait()  # it had the same signal, and saves
        raise
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    if asked:
        raise SystemExit(128 + asked[0])
    if code is None:
        return "stopped at its cap"
    return "finished" if code == 0 else f"failed with exit code {code}"


def summarise(cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """``recipe direction`` -> mean and standard deviation over the seeds that have finished.

    Each row holds ``seeds``, ``miou`` and ``iou`` by class as ``(mean, deviation)``, in fractions;
    the deviation is the sample's, None for a single seed. A class that is nowhere in any run is
    None. Raises as :func:`check_means`.
    """
    check_means(cells)
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        if (metrics := cell.metrics) is not None:
            rows.setdefault(f"{cell.recipe} {cell.direction}", []).append(metrics)
    return {
        name: {
            "seeds": len(runs),
            "miou": _spread([run["miou"] for run in runs]),
            "iou": {key: _spread([run["iou"][key] for run in runs]) for key in runs[0]["iou"]},
        }
        for name, runs in rows.items()
    }


def check_page(page: Path) -> None:
    """Raises FileExistsError where another file than a leaderboard would be replaced."""
    if page.exists() and not page.read_bytes().startswith(HEADING.encode()):
        raise FileExistsError(f"{page} is no leaderboard, and would be replaced: name another.")


def check_means(cells: Sequence[Cell]) -> None:
    """Raises ValueError where seeds that would be one mean were trained or scored on other data.

    So it does for recipes that would stand side by side, of what all of them see: the pictures and
    masks of a target.
    """
    seeds: dict[tuple[str, str], Cell] = {}
    rows: dict[str, Cell] = {}
    again = "Evaluate both again, on the same tiles."
    for cell in cells:
        if not cell.scored or (metrics := cell.metrics) is None:
            continue
        base = seeds.setdefault((cell.recipe, cell.direction), cell)
        row = rows.setdefault(metrics["domain"], cell)
        anew = "Train one of them anew, or name the --seeds that belong together."
        _check_alike(base, cell, alike(base.run), alike(cell.run), "trained otherwise", anew)
        other = "scored on other data"
        _check_alike(base, cell, _scored_on(base), _scored_on(cell), other, again)
        _check_alike(row, cell, _seen_by_all(row), _seen_by_all(cell), other, again)


def _check_alike(
    one: Cell, other: Cell, ours: Mapping, theirs: Mapping, what: str, remedy: str
) -> None:
    if name := disagreement(ours, theirs):
        raise ValueError(
            f"There is no mean of {one.directory} and {other.directory}, nor a difference, for "
            f"they were {what}: {name} {ours[name]} the one, {theirs[name]} the other. "
            f"{remedy}"
        )


def _scored_on(cell: Cell) -> dict[str, Any]:
    metrics = cell.metrics or {}
    return {"tiles": metrics.get("tiles"), **metrics.get("files", {})}


def _seen_by_all(cell: Cell) -> dict[str, Any]:
    """What every recipe sees of it: depth may be each one's own."""
    return {name: told for name, told in _scored_on(cell).items() if name in SEEN_BY_ALL}


def told_of_all(cells: Sequence[Cell]) -> str:
    """In words, what the runs that are scored do not share and no mean is refused for."""
    return several_versions([cell.run for cell in cells if cell.scored])


def _spread(values: Sequence[float | None]) -> tuple[float, float | None] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return statistics.mean(known), statistics.stdev(known) if len(known) > 1 else None
