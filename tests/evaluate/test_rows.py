"""Published rows, protocols, and what may be ranked."""

import dataclasses
import runpy
from pathlib import Path

import pytest

from rdepth_keras.evaluate.rows import Protocol, group, published_rows, ranks
from rdepth_keras.evaluate.tables import write_tables
from rdepth_keras.labels import LOVEDA

MADE = runpy.run_path(str(Path(__file__).with_name("made_rows.py")))
VALIDATION, row = MADE["VALIDATION"], MADE["row"]


def test_the_published_rows():
    rows = published_rows()
    assert len(rows) == 32 and len(published_rows("u2r")) == 16
    assert all(tuple(one.iou) == LOVEDA.names for one in rows)
    best = {one.name: one.miou for one in published_rows("u2r")}
    assert best["ConvNeXt-B + ConvNeXt-S rDepth"] == 48.98
    assert best["ConvNeXt-XL + ConvNeXt-B rDepth"] == 49.71
    marked = [(one.protocol.direction, one.name.split(" [")[0]) for one in rows if one.note]
    assert marked == [
        ("u2r", "PyCDA"),
        ("u2r", "ST-DASegNet (DeepLabV3)"),
        ("r2u", "AdaptSegNet"),
        ("r2u", "ST-DASegNet (SegFormer)"),
    ]
    assert {one.protocol.split for one in rows} == {"hidden test"}
    assert {one.protocol.domain for one in published_rows("u2r")} == {"rural"}


@pytest.mark.parametrize(
    "other",
    [
        Protocol("LoveDA", "r2u", "target", "urban", "hidden test"),
        Protocol("LoveDA", "u2r", "target", "urban", "val", 677),
        Protocol("LoveDA", "r2u", "source", "rural", "val", 677),
        Protocol("LoveDA", "r2u", "target", "urban", "train", 677),
        Protocol("LoveDA", "r2u", "target", "urban", "val", 676),
        Protocol("LoveDA", "r2u", "target", "urban", "val", 677, chosen_by_target=True),
        Protocol("LoveDA", "r2u", "target", "urban", "val", 677, absent="truth"),
        dataclasses.replace(VALIDATION, seen="Train"),
        dataclasses.replace(VALIDATION, seen="not stated"),
        Protocol("demo scenes", "r2u", "target", "urban", "val", 677),
    ],
)
def test_rows_of_different_protocols_never_share_a_table(other):
    groups = group([row("low", 10), row("other", 20, other), row("high", 30)])
    assert [one.name for one in groups[VALIDATION]] == ["high", "low"]
    assert [one.name for one in groups[other]] == ["other"]
    text = write_tables(groups, "markdown")
    assert text.count("### ") == 2 and f"### {other}\n" in text and str(other) != str(VALIDATION)
    assert "| 1 | high |" in text and "| 2 | low |" in text and "|  | other |" in text


def test_protocols_say_what_they_are():
    assert str(VALIDATION) == (
        "r2u, target validation (LoveDA urban, 677 tiles, target images seen: none)"
    )
    assert str(Protocol("LoveDA", "u2u", "in-domain", "urban", "val")).startswith(
        "u2u, in-domain validation"
    )
    assert str(Protocol("LoveDA", "r2u", "source", "rural", "val")).startswith(
        "r2u, source validation"
    )
    assert "no adaptation result" in str(
        Protocol("LoveDA", "r2u", "target", "urban", "val", 1, True)
    )
    assert str(published_rows("u2r")[0].protocol) == (
        "u2r, hidden test (LoveDA rural, scored by the benchmark's server, "
        "target images seen: Val, checkpoint chosen by the target's labels: no adaptation result)"
    )
    other = Protocol("LoveDA", "u2u", "other-domain", "rural", "val", seen="labelled Train")
    assert str(other) == (
        "u2u, other-domain validation (LoveDA rural, other-domain images seen: labelled Train)"
    )


def test_published_rows_are_ranked_within_their_protocol_only():
    """Target images seen, target labels used, inference: no rank runs across any of them."""
    groups = group(published_rows())
    assert len(groups) == 7
    for protocol, members in groups.items():
        assert {one.tags["target seen"] for one in members} == {protocol.seen}
        by_labels = {one.tags["checkpoint"] == "best on target Val labels" for one in members}
        assert by_labels == {protocol.chosen_by_target}
        places = zip(members, ranks(members), strict=True)
        ranked = [(one.tags["inference"], rank, one.miou) for one, rank in places if rank]
        for kind in {kind for kind, *_ in ranked}:
            same = [(rank, miou) for name, rank, miou in ranked if name == kind]
            assert [rank for rank, _ in same] == list(range(1, len(same) + 1)) != [1]
            assert same == sorted(same, key=lambda pair: -pair[1]) and kind != "not stated"


def test_inferences_are_ranked_apart_and_the_one_of_the_best_row_comes_first():
    rows = [
        *(row("a", 40), row("b", 45), row("c", 50, inference="slide 512/512")),
        *(row("d", 42), row("e", 44, inference="slide 512/512"), row("f", 47, inference="8 views")),
        *(row("g", 30, inference="not stated"), row("h", 20, inference="not stated")),
    ]
    ordered = group(rows)[VALIDATION]
    assert [one.name for one in ordered] == ["c", "e", "f", "b", "d", "a", "g", "h"]
    assert ranks(ordered) == [1, 2, None, 1, 2, 3, None, None]
    text = write_tables(group(rows), "markdown")
    assert "| 2 | e |" in text and "|  | f |" in text and "| 1 | b |" in text
