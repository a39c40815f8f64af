"""Scores as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from rdepth_keras.evaluate.bootstrap import LEAST_TILES
from rdepth_keras.labels import ClassTable

MOST_COLUMNS = 10  # classes that a table has side by side; a console is 80 characters wide or more
_MOST_TAKEN = 3  # classes that one of many is said to be taken for


def score_table(rows: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """A table of IoUs in percent: one row for each name, classes in the published column order.

    Where there are many classes, each is a row, and the names are columns.

    Args:
        rows: row name -> scores as :meth:`~rdepth_keras.evaluate.counts.Counts.scores`
            gives them.
        title: printed above the table.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("IoU in %")
    names = list(next(iter(rows.values()))["iou"])
    if len(names) > MOST_COLUMNS:
        for row in rows:
            table.add_column(row, justify="right")
        for name in names:
            scores = [_percent(scores["iou"][name]) for scores in rows.values()]
            table.add_row(name.capitalize(), *scores)
        table.add_row("mIoU", *(_percent(scores["miou"]) for scores in rows.values()))
        return table
    for name in (*names, "mIoU"):
        table.add_column(name.capitalize() if name != "mIoU" else name, justify="right")
    for row, scores in rows.items():
        values = [*scores["iou"].values(), scores["miou"]]
        table.add_row(row, *map(_percent, values))
    return table


def confusion_table(confusion: np.ndarray, classes: ClassTable, title: str) -> Table:
    """A table of what each class was taken for, in percent of its pixels.

    Where there are many classes, those are named that it was taken for most often.

    Args:
        confusion: pixel counts, (classes, classes): truth in rows, prediction in columns.
        classes: gives the names.
        title: printed above the table.
    """
    table = Table(title=title, title_justify="left")
    if len(classes) > MOST_COLUMNS:
        return _most_taken(table, confusion, classes)
    table.add_column("truth in %, taken for")
    for name in classes.names:
        table.add_column(name.capitalize(), justify="right")
    for name, row in zip(classes.names, confusion, strict=True):
        share = [count / row.sum() if row.any() else None for count in row]
        table.add_row(name.capitalize(), *map(_percent, share))
    return table


def _most_taken(table: Table, confusion: np.ndarray, classes: ClassTable) -> Table:
    table.add_column("truth")
    table.add_column("right in %", justify="right")
    table.add_column("taken for, in %")
    for place, (name, row) in enumerate(zip(classes.names, confusion, strict=True)):
        shares = row / max(1, row.sum())
        others = [int(other) for other in np.argsort(-shares, kind="stable") if other != place]
        taken = [
            f"{classes.names[other]} {_percent(shares[other])}"
            for other in others[:_MOST_TAKEN]
            if shares[other] > 0
        ]
        right = _percent(shares[place] if row.any() else None)
        table.add_row(name.capitalize(), right, ", ".join(taken))
    return table


def difference_table(result: Mapping[str, Any], title: str) -> Table:
    """A table of an ablation: IoUs in percent, differences to the first row and their intervals.

    Args:
        result: ``"true"`` scores, and for each kind its ``"difference"`` by class and ``"miou"``:
            value, low, high, as fractions.
        title: printed above the table.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("IoU in %")
    kinds = {name: entry for name, entry in result.items() if "difference" in _mapping(entry)}
    for kind in ("true", *kinds):
        table.add_column(kind, justify="right")
    true = {**result["true"]["iou"], "miou": result["true"]["miou"]}
    for name, score in true.items():
        gaps = [_gap(entry["difference"][name]) for entry in kinds.values()]
        table.add_row("mIoU" if name == "miou" else name.capitalize(), _percent(score), *gaps)
    return table


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _gap(difference: Sequence[float | None] | None) -> str:
    """A difference with its interval; without one, where tiles are too few for it."""
    if difference is None or difference[0] is None:
        return _percent(None)
    value, *ends = (None if part is None else f"{100 * part:+.2f}" for part in difference)
    return f"{value} [{', '.join(filter(None, ends))}]" if all(ends) else f"{value}"


def summary_line(scores: Mapping[str, Any]) -> str:
    """What a table of IoUs leaves out, from the counts' ``all_scores``."""
    figures = {
        f"mIoU, {scores['interval_level']:.0%} interval": interval_words(scores),
        "overall accuracy": _percent(scores["overall_accuracy"]),
        "kappa": _percent(scores["kappa"]),
        "calibration error": _percent(scores["calibration_error"]),
        "commonest class everywhere": _percent(scores["commonest_class_miou"]),
    }
    return "; ".join(f"{name}: {figure}" for name, figure in figures.items())


def interval_words(scores: Mapping[str, Any]) -> str:
    """The interval of the mIoU in percent, or why there is none."""
    interval = scores["miou_interval"]
    if interval is None:
        return f"none, which takes at least {LEAST_TILES} tiles"
    return " to ".join(map(_percent, interval))


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.2f}"
