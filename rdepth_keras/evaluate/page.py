"""A run's evaluation as one HTML page that needs nothing else: no server, no network."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

import numpy as np

from rdepth_keras.evaluate import plots
from rdepth_keras.evaluate.bootstrap import bootstrap
from rdepth_keras.evaluate.confusion import class_iou, divide
from rdepth_keras.evaluate.counts import Counts
from rdepth_keras.evaluate.gallery import LAYERS, WRONG, Exhibit
from rdepth_keras.evaluate.terminal import interval_words
from rdepth_keras.labels import ClassTable

CLASS_COLUMNS = ("iou", "boundary_iou", "f1", "precision", "recall")


def render(
    title: str,
    facts: Mapping[str, str],
    scores: Mapping[str, Any],
    counts: Counts,
    exhibits: Sequence[Exhibit],
    journal: Sequence[Mapping[str, Any]],
    table: ClassTable,
) -> str:
    """The page as HTML text.

    Args:
        title: heading, e.g. the run's name.
        facts: how the scores came about, by name: protocol, inference, ...
        scores: what :meth:`~rdepth_keras.evaluate.counts.Counts.all_scores` says.
        counts: the counts behind them.
        exhibits: tiles for the gallery.
        journal: lines of the run's journal; curves are left out where it is empty.
        table: names and colours of the classes.

    Raises:
        ImportError: where jinja2 or matplotlib is not installed, with the remedy.
    """
    check_installed()
    drawn = {"Classes": plots.class_bars(table, bootstrap(counts.confusions, class_iou))}
    if counts.confidence is not None:
        drawn["Calibration"] = plots.reliability(counts.confidence)
        drawn["Risk at coverage"] = plots.risk_coverage(counts.confidence)
    if journal:
        drawn["Training"] = plots.journal_curves(journal)
    return _template().render(
        title=title,
        facts=facts,
        figures=_figures(scores),
        classes=_class_rows(table, scores, counts),
        columns=[name for name in CLASS_COLUMNS if name in scores],
        confusion=_confusion_rows(table, counts),
        plots=drawn,
        exhibits=exhibits,
        layers=LAYERS,
        wrong=_css(WRONG),
        blank=_css(table.blank),
        total=len(counts.ids),
    )


def _figures(scores: Mapping[str, Any]) -> dict[str, str]:
    figures = {
        f"mIoU, {scores['interval_level']:.0%} interval {interval_words(scores)}": "miou",
        "overall accuracy": "overall_accuracy",
        "kappa": "kappa",
        "frequency-weighted IoU": "frequency_weighted_iou",
        "calibration error": "calibration_error",
        "commonest class everywhere": "commonest_class_miou",
    }
    return {name: _percent(scores[key]) for name, key in figures.items() if key in scores}


def _class_rows(table: ClassTable, scores: Mapping[str, Any], counts: Counts):
    share = divide(counts.confusion.sum(1), counts.confusion.sum())
    return [
        {
            "name": name,
            "color": _css(table.colors[index]),
            "share": _percent(share[index]),
            "values": [_percent(scores[key][name]) for key in CLASS_COLUMNS if key in scores],
        }
        for index, name in enumerate(table.names)
    ]


def _confusion_rows(table: ClassTable, counts: Counts):
    """Each class with the shares of its pixels that were called what, in percent."""
    confusion = counts.confusion
    shares = 100 * divide(confusion, confusion.sum(1, keepdims=True))
    return [
        (name, [None if np.isnan(value) else float(value) for value in row])
        for name, row in zip(table.names, shares, strict=True)
    ]


def check_installed() -> None:
    """Raises ImportError with the remedy where the extra ``report`` is not installed."""
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"The report needs {' and '.join(missing)}: pip install 'rdepth_keras[report]'"
        )


def _template():
    import jinja2

    text = files("rdepth_keras.evaluate").joinpath("report.html").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def _css(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _percent(value: float | None) -> str:
    return "\u2013" if value is None or np.isnan(value) else f"{100 * value:.2f}"
