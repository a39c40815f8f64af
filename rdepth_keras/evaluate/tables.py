"""Result tables as Markdown, CSV and LaTeX: one table, with its heading, for each protocol."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from rdepth_keras.evaluate.rows import TAGS, UNKNOWN, Protocol, Row, ranks

Format = Literal["markdown", "csv", "latex"]
Groups = Mapping[Protocol, Sequence[Row]]

NOTHING = "\u2013"  # an en dash: the class is nowhere
_LATEX = {letter: "\\" + letter for letter in "&%_#${}"} | {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "†": r"$\dagger$", "±": r"$\pm$", NOTHING: "--",
}  # fmt: skip


def write_tables(groups: Groups, format: Format) -> str:
    """The tables as text, with every note and remark of their rows.

    Raises:
        ValueError: for an unknown format.
    """
    writers: dict[str, Callable[[Groups], str]] = {
        "markdown": _markdown, "csv": _csv, "latex": _latex
    }  # fmt: skip
    if format not in writers:
        raise ValueError(f"format must be one of {get_args(Format)}; received {format!r}.")
    return writers[format](groups)


def _header(rows: Sequence[Row]) -> list[str]:
    return ["", "Method", *(name.capitalize() for name in _classes(rows)), "mIoU", *TAGS]


def _classes(rows: Iterable[Row]) -> list[str]:
    """Names of the classes of all rows; tables of one dataset share them."""
    return list(dict.fromkeys(name for row in rows for name in row.iou))


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """Text of every cell but the rank; † marks a row with a note."""
    return [
        [
            row.name + (" †" if row.note else ""),
            *(_percent(row.iou.get(name)) for name in _classes(rows)),
            _score(row),
            *(row.tags.get(tag, UNKNOWN) for tag in TAGS),
        ]
        for row in rows
    ]


def _ranked(rows: Sequence[Row]) -> list[list[str]]:
    return [
        [str(rank or ""), *cells] for rank, cells in zip(ranks(rows), _cells(rows), strict=True)
    ]


def _notes(rows: Sequence[Row]) -> list[str]:
    return [f"† {row.name}: {row.note}" for row in rows if row.note]


def _remarks(rows: Iterable[Row]) -> list[str]:
    return [remark for row in rows for remark in row.remarks]


def _markdown(groups: Groups) -> str:
    parts = []
    for protocol, rows in groups.items():
        lines = [_header(rows), ["--:", ":--", *["--:"] * (len(_classes(rows)) + 1), *[":--"] * 5]]
        lines += [[cell.replace("|", r"\|") for cell in line] for line in _ranked(rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "".join(f"\n{note}\n" for note in _notes(rows))
        parts.append(f"### {protocol}\n\n{table}\n{notes}")
    said = _remarks(row for rows in groups.values() for row in rows)
    return "\n".join([*parts, *(f"- {remark}" for remark in said)]).rstrip() + "\n"


def _csv(groups: Groups) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    classes = _classes(row for rows in groups.values() for row in rows)
    names = ["protocol", "method", *classes, "miou", "miou_spread", "low", "high"]
    writer.writerow([*names, *(tag.replace(" ", "_") for tag in TAGS), "note", "remarks"])
    for protocol, rows in groups.items():
        for row in rows:
            iou = (row.iou.get(name) for name in classes)
            scores = [*iou, row.miou, row.spread, *(row.interval or (None, None))]
            tags = [row.tags.get(tag, UNKNOWN) for tag in TAGS]
            cells = ["" if value is None else f"{value:.2f}" for value in scores]
            said = [row.note, " ".join(row.remarks)]
            writer.writerow([str(protocol), row.name, *cells, *tags, *said])
    return out.getvalue()


def _latex(groups: Groups) -> str:
    """Needs the package booktabs."""
    parts = []
    for protocol, rows in groups.items():
        columns = "rl" + "r" * (len(_classes(rows)) + 1) + "l" * len(TAGS)
        lines = [_escape(_header(rows)), *map(_escape, _ranked(rows))]
        body = [" & ".join(line) + r" \\" for line in lines]
        below = _escape([*_notes(rows), *_remarks(rows)])
        parts += [
            rf"\begin{{table}}\caption{{{_escape([str(protocol)])[0]}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            *[r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule", r"\end{tabular}"],
            *(rf"\par\footnotesize {line}" for line in below),
            r"\end{table}",
            "",
        ]
    return "\n".join(parts).rstrip() + "\n"


def _escape(cells: Sequence[str]) -> list[str]:
    return ["".join(_LATEX.get(letter, letter) for letter in cell) for cell in cells]


def _score(row: Row) -> str:
    text = _percent(row.miou)
    if row.spread is not None:
        text += f" ± {row.spread:.2f}"
    if row.interval is not None:
        text += f" [{row.interval[0]:.2f}, {row.interval[1]:.2f}]"
    return text


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"
