"""Scores in words and tables."""

import io

import numpy as np
import pytest
from rich.console import Console

from rdepth_keras.evaluate.counts import count_probabilities
from rdepth_keras.evaluate.terminal import (
    confusion_table,
    difference_table,
    score_table,
    summary_line,
)
from rdepth_keras.labels import LOVEDA, ClassTable


def text(table, width=140):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(table)
    return console.export_text()


def tiles(count):
    rng = np.random.default_rng(0)
    for number in range(count):
        yield {"id": number, "label": rng.integers(0, 7, (6, 6)).astype(np.uint8)}


def predict(tile):
    """Right but where it says road for water."""
    said = np.where(tile["label"] == 3, 2, tile["label"])
    return 0.3 * np.eye(7)[said] + 0.1


def scores(count):
    return count_probabilities(predict, tiles(count), 7).all_scores(LOVEDA)


@pytest.mark.parametrize("count", [1, 7])
def test_a_few_tiles_say_how_many_an_interval_takes(count):
    assert "mIoU, 95% interval: none, which takes at least 8 tiles;" in summary_line(scores(count))
    assert "takes" not in summary_line(scores(8)) and " to " in summary_line(scores(8))


def test_the_table_of_scores():
    found = text(score_table({"a run": scores(3)}, "the title"))
    assert "the title" in found and "Agriculture" in found and "100.00" in found
    row = next(line for line in found.splitlines() if "a run" in line)
    assert f"{100 * scores(3)['miou']:.2f}" in row and "0.00" in row


def test_what_each_class_was_taken_for():
    counts = count_probabilities(predict, tiles(3), 7)
    counts.confusions[:, 5] = 0  # no pixel of forest
    found = text(confusion_table(counts.confusion, LOVEDA, ""))
    rows = {line.split()[1]: line.split()[2:] for line in found.splitlines() if "\u2502" in line}
    assert [cell for cell in rows["Water"] if cell != "\u2502"].index("100.00") == 2  # road
    assert rows["Forest"].count("\u2013") == 7


def test_differences_and_a_class_that_is_nowhere():
    true = {"iou": {"a": 0.5, "b": None}, "miou": 0.5}
    gaps = {"a": [-0.1, -0.2, 0.0], "b": None, "miou": [-0.1, -0.2, 0.0]}
    found = text(difference_table({"true": true, "zeroed": {"difference": gaps}, "tiles": 3}, "t"))
    assert found.count("-10.00 [-20.00, +0.00]") == 2 and "zeroed" in found


@pytest.mark.parametrize("width", [80, 120])
def test_tables_of_many_classes_are_whole(width):
    names = tuple(f"class_{place:02d}" for place in range(20))
    classes = ClassTable(names, tuple(range(20)), tuple((place, 0, 0) for place in range(20)))
    rows = {"demo": {"iou": dict.fromkeys(names, 0.1234), "miou": 0.5678}}
    found = text(score_table(rows, "the title"), width)
    assert found.count("12.34") == 20 and "56.78" in found and "\u2026" not in found
    confusion = np.zeros((20, 20), np.int64)
    confusion[3, [3, 5, 7]] = 70, 20, 10
    found = text(confusion_table(confusion, classes, ""), width)
    line = next(line for line in found.splitlines() if "Class_03" in line)
    assert "70.00" in line and "class_05 20.00, class_07 10.00 " in line
