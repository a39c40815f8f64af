"""Rows of result tables and the protocols that keep them apart.

A score means nothing without how it came about. Rows share a table within one :class:`Protocol` and
never across two; what may differ inside a protocol stands beside the row as its tags. Only rows of
one inference are ranked against each other: eight views of a tile are no better network.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from rdepth_keras.evaluate.confusion import Absent

UNKNOWN = "not stated"
TAGS = ("target seen", "inference", "checkpoint", "depth", "seeds")
ROUNDING = 0.0101  # percent: the mean of seven rounded figures, itself rounded, moves no further


@dataclass(frozen=True)
class Protocol:
    """What must be the same for two scores to be comparable.

    Attributes:
        dataset: whose tiles, e.g. ``"LoveDA"``.
        direction: source and target, e.g. ``"u2r"``.
        role: of the scored domain: ``"target"``, ``"source"`` (``"trained-on source"`` for a split
            that trained), ``"in-domain"``, where source and target are one, or ``"other-domain"``.
        domain: scored domain, e.g. ``"rural"``.
        split: scored split; ``"hidden test"`` is scored by the benchmark's server.
        tiles: number of scored tiles; None where nobody says.
        chosen_by_target: whether the target's labels chose the checkpoint.
        absent: which classes are averaged.
        seen: the splits of the scored domain that training saw, or the runs that it started from,
            e.g. ``"Train, labelled Val"``, or ``"none"``.
        classes: their names, in alphabetical order; empty where nobody says.
        files: digest of the tiles' own files, for two datasets may have one name; empty likewise.
    """

    dataset: str
    direction: str
    role: str
    domain: str
    split: str
    tiles: int | None = None
    chosen_by_target: bool = False
    absent: Absent = "union"
    seen: str = UNKNOWN
    classes: tuple[str, ...] = ()
    files: str = ""

    def __str__(self):
        split = {"val": "validation"}.get(self.split, self.split)
        where = split if self.split == "hidden test" else f"{self.role} {split}"
        notes = [f"{self.dataset} {self.domain}"]
        if self.tiles is not None:
            notes.append(f"{self.tiles} tiles")
        if self.files:
            notes.append(f"files {self.files}")
        if self.split == "hidden test":
            notes.append("scored by the benchmark's server")
        notes.append(f"{self.role} images seen: {self.seen}")
        if self.chosen_by_target:
            notes.append("checkpoint chosen by the target's labels: no adaptation result")
        if self.absent != "union":
            notes.append(f"classes averaged: {self.absent}")
        return f"{self.direction}, {where} ({', '.join(notes)})"


@dataclass(frozen=True)
class Row:
    """One line of a table; scores in percent.

    Attributes:
        name: of the method or run.
        protocol: how it was scored.
        iou: class name -> IoU, None where the class is nowhere.
        miou: as printed, where it is published.
        tags: what :data:`TAGS` names; one left out was not stated.
        spread: standard deviation of the mIoU over seeds.
        interval: confidence interval of the mIoU over tiles.
        note: a footnote.
        remarks: in words, how far it is from others, or why nobody can say.
    """

    name: str
    protocol: Protocol
    iou: Mapping[str, float | None]
    miou: float
    tags: Mapping[str, str]
    spread: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""
    remarks: tuple[str, ...] = ()


def group(rows: Iterable[Row]) -> dict[Protocol, list[Row]]:
    """The rows by protocol, in order of appearance.

    In a protocol, rows of one inference stand together, best first, and so do the inferences.
    """
    groups: dict[Protocol, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.protocol, []).append(row)
    return {protocol: _ordered(members) for protocol, members in groups.items()}


def ranks(rows: Sequence[Row]) -> list[int | None]:
    """Place of every row among those of its inference, from 1; None where there is no other.

    Nobody knows whether two that are not stated are the same. ``rows`` are ordered as
    :func:`group` orders them.
    """
    kinds = [inference(row) for row in rows]
    return [
        kinds[:place].count(kind) + 1 if kinds.count(kind) > 1 and kind != UNKNOWN else None
        for place, kind in enumerate(kinds)
    ]


def inference(row: Row) -> str:
    """How its tiles were predicted, in words."""
    return row.tags.get("inference", UNKNOWN)


def _ordered(rows: Sequence[Row]) -> list[Row]:
    best: dict[str, float] = {}
    for row in rows:
        best[inference(row)] = max(row.miou, best.get(inference(row), row.miou))
    return sorted(rows, key=lambda row: (-best[inference(row)], inference(row), -row.miou))


def published_rows(direction: str | None = None) -> list[Row]:
    """The published tables of LoveDA's hidden test set, scored by the benchmark's server.

    Four rows' classes do not average to the mIoU printed beside them; their note says so.

    Source: Sun et al., "Exploiting Relative Depth for Cross-domain Semantic Segmentation of
    High-resolution Satellite Remote Sensing Images", and the works it quotes; inference,
    checkpoint rule and target split as their released code has them.
    """
    text = files("rdepth_keras.evaluate").joinpath("published_results.csv").read_text("utf-8")
    rows = [_published(line) for line in csv.DictReader(text.splitlines())]
    return [row for row in rows if direction in (None, row.protocol.direction)]


def _published(line: dict[str, str]) -> Row:
    names = list(line)[list(line).index("background") : list(line).index("miou_printed")]
    iou = {name: float(line[name]) for name in names}
    printed, mean = float(line["miou_printed"]), sum(iou.values()) / len(iou)
    off = abs(printed - mean) > ROUNDING
    domain = {"r": "rural", "u": "urban"}[line["direction"][2]]
    kind = f" [{line['type']}]" if line["type"] else ""
    return Row(
        name=line["method"] + kind,
        protocol=Protocol(
            "LoveDA",
            line["direction"],
            "target",
            domain,
            "hidden test",
            chosen_by_target="target" in line["checkpoint"],
            seen=line["target_seen"],
        ),
        iou=iou,
        miou=printed,
        tags={tag: line[tag.replace(" ", "_")] for tag in TAGS if tag != "seeds"},
        note=f"printed {printed:.2f}, but the classes average {mean:.2f}" if off else "",
    )
