"""Scores as a table for people."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def score_table(rows: Mapping[str, Mapping[str, Any]], title: str) -> Table:
    """A table of IoUs in percent: one row for each name, classes in the published column order.

    Args:
        rows: row name -> scores as :meth:`~rdepth_keras.evaluate.evaluator.Evaluation.scores`
            gives them.
        title: printed above the table.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("IoU in %")
    names = list(next(iter(rows.values()))["iou"])
    for name in (*names, "mIoU"):
        table.add_column(name.capitalize() if name != "mIoU" else name, justify="right")
    for row, scores in rows.items():
        values = [*scores["iou"].values(), scores["miou"]]
        table.add_row(row, *map(_percent, values))
    return table


def summary_line(scores: Mapping[str, Any]) -> str:
    """What a table of IoUs leaves out, from an evaluation's scores."""
    low, high = scores["miou_interval"]
    figures = {
        f"mIoU, {scores['interval_level']:.0%} interval": f"{_percent(low)} to {_percent(high)}",
        "overall accuracy": _percent(scores["overall_accuracy"]),
        "kappa": _percent(scores["kappa"]),
        "calibration error": _percent(scores["calibration_error"]),
        "commonest class everywhere": _percent(scores["commonest_class_miou"]),
    }
    return "; ".join(f"{name}: {figure}" for name, figure in figures.items())


def _percent(value: float | None) -> str:
    return "\u2013" if value is None else f"{100 * value:.2f}"
