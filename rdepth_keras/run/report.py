"""The report of a run: scored, pictured, and written as one page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.progress import track

from rdepth_keras.evaluate.confusion import Absent, mean_iou
from rdepth_keras.evaluate.counts import load_evaluation
from rdepth_keras.evaluate.gallery import Exhibit, exhibit, spread
from rdepth_keras.evaluate.page import check_installed, render
from rdepth_keras.recipes import deviation
from rdepth_keras.run.comparison import Evaluated, protocol, row
from rdepth_keras.run.evaluation import Scoring, write_scores
from rdepth_keras.train.journal import Journal


def write_report(
    scoring: Scoring, console: Console, *, absent: Absent = "union", exhibits: int = 24
) -> tuple[dict[str, Any], Path]:
    """Scores a run and writes ``evaluations/…html`` beside the scores; both are returned.

    Args:
        scoring: the run and its tiles.
        console: shows bars.
        absent: which classes are averaged.
        exhibits: tiles in the gallery, evenly over their ranking.

    Raises:
        ImportError: where the extra ``report`` is not installed; before anything is predicted.
    """
    check_installed()
    result = write_scores(scoring, console, absent)
    folder = scoring.directory / "evaluations"
    counts = load_evaluation(folder / f"{scoring.name}.npz")
    page = folder / f"{scoring.name}.html"
    text = render(
        Evaluated(page, result, scoring.experiment).run,
        _facts(scoring, result, page),
        result,
        counts,
        _exhibits(scoring, mean_iou(counts.confusions, absent), exhibits, console),
        Journal(scoring.directory / "journal.jsonl").read(),
        scoring.dataset.table,
    )
    temporary = page.with_name(f"{page.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(page)
    return result, page


def _exhibits(scoring: Scoring, scores, exhibits: int, console: Console) -> list[Exhibit]:
    places = spread(scores, exhibits)
    hidden = not console.is_terminal or jax.process_index() > 0
    found = []
    for place in track(places, "gallery", console=console, disable=hidden):
        tile = scoring.tiles[place]
        probabilities = scoring.predictor.probabilities(tile)
        found.append(exhibit(tile, probabilities, float(scores[place]), scoring.dataset.table))
    return found


def _facts(scoring: Scoring, result: dict[str, Any], page: Path) -> dict[str, str]:
    """How the scores came about."""
    evaluated = Evaluated(page, result, scoring.experiment)
    path = scoring.directory / "environment.json"
    known: Mapping[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    facts = {
        "protocol": str(protocol(evaluated)),
        "recipe": scoring.experiment.recipe,
        "note": deviation(scoring.experiment),
        **row(evaluated).tags,
        "ensemble with": ", ".join(scoring.members),
        "version": str(known.get("rdepth_keras", "")),
        "revision": str(known.get("git_revision") or ""),
        "trained on": str(known.get("device", "")),
    }
    return {name: fact for name, fact in facts.items() if fact}
