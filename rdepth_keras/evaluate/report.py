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


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f}"
