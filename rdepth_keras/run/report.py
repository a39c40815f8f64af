"""The report of a run: scored, pictured, and written as one page."""

from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.progress import track

from rdepth_keras.evaluate.confusion import Absent, mean_iou
from rdepth_keras.evaluate.gallery import Exhibit, exhibit, spread
from rdepth_keras.evaluate.page import check_installed, render
from rdepth_keras.run.comparison import note, protocol, row
from rdepth_keras.run.evaluation import Trial, evaluate
from rdepth_keras.run.scores import Evaluated


def write_report(
    trial: Trial, console: Console, *, absent: Absent = "union", exhibits: int = 24
) -> tuple[dict[str, Any], Path]:
    """Scores a run and writes ``evaluations/…html`` beside the scores; both are returned.

    Args:
        trial: the run and its tiles.
        console: shows bars.
        absent: which classes are averaged.
        exhibits: tiles in the gallery, evenly over their ranking.

    Raises:
        ImportError: where the extra ``report`` is not installed; before anything is predicted.
    """
    check_installed()
    result = evaluate(trial, console, absent)
    counts = trial.run.evaluations.counts(trial.name)
    evaluated = Evaluated(trial.run, trial.name, result, trial.experiment)
    text = render(
        evaluated.title,
        _facts(trial, evaluated),
        result,
        counts,
        _exhibits(trial, mean_iou(counts.confusions, absent), exhibits, console),
        trial.run.journal.read(),
        trial.table,
    )
    return result, trial.run.evaluations.write_page(trial.name, text)


def _exhibits(trial: Trial, scores, exhibits: int, console: Console) -> list[Exhibit]:
    places = spread(scores, exhibits)
    hidden = not console.is_terminal or jax.process_index() > 0
    found = []
    for place in track(places, "gallery", console=console, disable=hidden):
        tile = trial.tiles[place]
        probabilities = trial.predictor.probabilities(tile)
        found.append(exhibit(tile, probabilities, float(scores[place]), trial.table))
    return found


def _facts(trial: Trial, evaluated: Evaluated) -> dict[str, str]:
    """How the scores came about."""
    known = trial.run.environment
    facts = {
        "protocol": str(protocol(evaluated)),
        "recipe": trial.experiment.recipe,
        "note": note(evaluated),
        **row(evaluated).tags,
        "step": ", ".join(map(str, trial.predictor.steps)),
        "ensemble with": ", ".join(map(str, trial.members)),
        "version": str(known.get("rdepth_keras", "")),
        "curves": _curves(trial),
        "revision": str(known.get("git_revision") or ""),
        "trained on": str(known.get("device", "")),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _curves(trial: Trial) -> str:
    """In words, that the journal ends before what is scored, or is gone; else empty."""
    noted, scored = trial.run.trained_steps or 0, trial.predictor.steps[0]
    if noted >= scored:
        return ""
    return f"not whole: the journal ends at step {noted}, and step {scored} is scored"
