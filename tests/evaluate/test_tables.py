"""Result tables in three formats."""

import csv
import io
import runpy
from pathlib import Path

import pytest

from rdepth_keras.evaluate.rows import Protocol, Row, group, published_rows
from rdepth_keras.evaluate.tables import write_tables

MADE = runpy.run_path(str(Path(__file__).with_name("made_rows.py")))
VALIDATION, row = MADE["VALIDATION"], MADE["row"]


def test_markdown_marks_and_explains():
    text = write_tables(
        group([*published_rows("u2r"), row("A", 50, remarks=("A minus B: +1.00",))]), "markdown"
    )
    assert "PyCDA [ST] †" in text
    assert "† PyCDA [ST]: printed 32.14, but the classes average 31.49" in text
    assert text.endswith("\n\n- A minus B: +1.00\n")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1


def test_spread_interval_and_absent_classes():
    text = write_tables(
        group([row("a", 50, spread=1.5), row("b|c", 40, interval=(38, 43))]), "markdown"
    )
    assert "50.00 ± 1.50" in text and "40.00 [38.00, 43.00]" in text and r"b\|c" in text
    assert "| \u2013 |" in text and "not stated" in text


def test_csv_reads_back():
    rows = [row("a", 50, interval=(48, 52), remarks=("a is.", "b is.")), *published_rows()]
    lines = list(csv.DictReader(io.StringIO(write_tables(group(rows), "csv"))))
    assert lines[0]["remarks"] == "a is. b is." and lines[1]["remarks"] == ""
    assert len(lines) == 33 and lines[0]["barren"] == "" and lines[0]["low"] == "48.00"
    assert lines[0]["protocol"] == str(VALIDATION) and lines[0]["seeds"] == "0"
    assert sum(bool(line["note"]) for line in lines) == 4


def test_datasets_with_other_classes_share_a_csv_file():
    other = Row("x", Protocol("fields", "A to B", "target", "B", "val"), {"maize": 5}, 5, {})
    lines = list(csv.DictReader(io.StringIO(write_tables(group([row("a", 50), other]), "csv"))))
    assert (lines[0]["maize"], lines[0]["road"]) == ("", "50.00")
    assert (lines[1]["maize"], lines[1]["road"]) == ("5.00", "")
    text = write_tables(group([row("a", 50), other]), "markdown")
    assert text.count("| Maize |") == 1 and text.count("| Road |") == 1


def test_latex_is_escaped_and_balanced():
    text = write_tables(group([row("a_b & 50%|c", 50, spread=1), *published_rows()]), "latex")
    assert r"a\_b \& 50\%\textbar{}c" in text and r"$\dagger$" in text and r"$\pm$" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 8
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in body} == {14}
    told = {"note": "steps: 9 -> 7", "remarks": ("a_b minus c: +1%",)}
    text = write_tables(group([row("a_b", 50, **told), row("c", 49)]), "latex")
    below = text[text.index(r"\end{tabular}") : text.index(r"\end{table}")].splitlines()[1:]
    assert below == [
        r"\par\footnotesize $\dagger$ a\_b: steps: 9 -\textgreater{} 7",
        r"\par\footnotesize a\_b minus c: +1\%",
    ]
    with pytest.raises(ValueError, match="format must be one of"):
        write_tables({}, "html")
