"""Runs side by side: rows out of what their evaluations left in the run directories."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.assembly import several_origins
from rdepth_keras.depth.presets import PRESETS
from rdepth_keras.evaluate.rows import Protocol, Row, group, published_rows
from rdepth_keras.evaluate.tables import Format, write_tables
from rdepth_keras.experiment import Experiment
from rdepth_keras.labels import ClassTable
from rdepth_keras.recipes.deviation import deviation
from rdepth_keras.run.ancestry import alike, several_versions, target_seen
from rdepth_keras.run.checks import MOST_BEGINNING, beginning_share, loveda_ids
from rdepth_keras.run.differences import paired_differences
from rdepth_keras.run.directory import Run, runs_told_apart
from rdepth_keras.run.scores import Evaluated, find_evaluations

NOTED_LATER = ("depth fingerprint", "depth origins")  # some runs do not; their files tell as much

_LEAST_LABELLED = 0.01  # of the target, on average
_LABELLED = {  # in the journal, and in words
    "sure": "the teacher was sure of",
    "labelled": "the rounds labelled",
}
CHECKPOINTS = {"last": "last", "best": "best on source Val", "best_by_target_labels": "target Val"}


def compare(
    directories: Sequence[Path], *, published: bool, format: Format, differences: bool = True
) -> str:
    """All evaluations of the runs as tables, one for each protocol, best first.

    Runs that differ in their seed alone, and were trained on the same, become one row, the mean and
    its standard deviation. With the tables come the differences to the first run, paired over the
    tiles, unless they are not wanted.

    Args:
        directories: of the runs.
        published: also prints the published rows of the runs' directions.
        format: of the text.
        differences: whether they are wanted; of many runs they are long.

    Raises:
        FileNotFoundError: where a directory holds no run, or no evaluation yet.
        ValueError: for a file that is no evaluation, for scores that are not those of their counts,
            and for one run or seed given twice.
    """
    evaluated = [found for run in runs_told_apart(directories) for found in find_evaluations(run)]
    first: dict[Protocol, Evaluated] = {}
    for found in evaluated:
        first.setdefault(protocol(found), found)
    rows = []
    for family in _families(evaluated):
        remarks = paired_differences(first[protocol(family[0])], family) if differences else ()
        rows.append(replace(_merge(family), remarks=remarks))
    if published:
        directions = dict.fromkeys(row.protocol.direction for row in rows) or {None: None}
        rows += [row for direction in directions for row in published_rows(direction)]
    return write_tables(group(rows), format)


def protocol(evaluated: Evaluated) -> Protocol:
    """How the evaluation was scored."""
    result, experiment = evaluated.result, evaluated.experiment
    domain = result["domain"]
    return Protocol(
        result["dataset"],
        experiment.data.route,
        _role(experiment, domain, result["split"]),
        domain,
        result["split"],
        result.get("tiles"),
        evaluated.selection == "best_by_target_labels",
        result.get("absent", "union"),
        evaluated.seen,
        tuple(sorted(result["iou"])),
        _tiles(result.get("files", {}), experiment.data.classes),
    )


def _role(experiment: Experiment, domain: str, split: str) -> str:
    data = experiment.data
    if domain == data.source and split in experiment.training_splits:
        return "trained-on source"
    if domain == data.target:
        return "in-domain" if experiment.is_in_domain else "target"
    return "source" if domain == data.source else "other-domain"


def _tiles(files: Mapping[str, str], classes: ClassTable) -> str:
    """Digest of a folder's pictures, its masks and how they are read; empty where none were noted.

    LoveDA's records hold depth as well: there the name must do, and the labels that were counted.
    """
    told = "".join(files.get(kind, "") for kind in ("images", "masks"))
    told = told and f"{told} {classes.reading}"
    return told and blake2b(told.encode(), digest_size=4).hexdigest()


def row(evaluated: Evaluated) -> Row:
    """The evaluation as a line of a table."""
    result, experiment = evaluated.result, evaluated.experiment
    is_target = result["domain"] == experiment.data.target
    if result["miou"] is None:
        raise ValueError(
            f"The evaluation {evaluated.name} of {evaluated.run} holds no score: its tiles have no "
            "labelled pixel."
        )
    interval = result.get("miou_interval")
    low, high = interval or (None, None)
    return Row(
        evaluated.title,
        protocol(evaluated),
        {name: _percent(value) for name, value in result["iou"].items()},
        100 * result["miou"],
        {
            "target seen": evaluated.seen if is_target else target_seen(evaluated.run),
            "inference": describe_inference(result["inference"]),
            "checkpoint": _checkpoint(evaluated),
            "depth": _depth(result.get("depth") or {}, result.get("files", {})),
            "seeds": ", ".join(map(str, result.get("seeds", [experiment.training.seed]))),
        },
        interval=None if low is None or high is None else (100 * low, 100 * high),
        note=note(evaluated),
    )


def note(evaluated: Evaluated) -> str:
    """What a reader must know of the scores beside their tags; empty where there is nothing."""
    changed = "; ".join(evaluated.result.get("changed_data", []))
    changed = changed and f"the data have changed since the run began: {changed}"
    versions = evaluated.result.get("other_versions", "")
    versions = versions and f"scored by other versions than it was trained by: {versions}"
    said = [_unfinished(evaluated), versions, changed, evaluated.result.get("trained_on_too", "")]
    origins = (evaluated.result.get("depth") or {}).get("origins")
    said += [evaluated.result.get("sizes", ""), evaluated.result.get("unlabelled", "")]
    said += [evaluated.result.get("odd", ""), evaluated.result.get("flat", "")]
    said += [several_origins(origins) if origins else ""]
    said += [*evaluated.run.environment.get("lacks", []), idle_labels(evaluated.run)]
    said += [several_versions([evaluated.run]), _beginning(evaluated)]
    said += [loveda_ids(evaluated.experiment), deviation(evaluated.experiment)]
    return "; ".join(filter(None, [*said, *evaluated.result.get("member_notes", [])]))


def idle_labels(run: Run) -> str:
    """In words, that what labels the target of a run labelled next to nothing; else empty."""
    entries = run.journal.read()
    if not entries and run.experiment.method.uses_target:
        return "its journal is gone, so that nobody knows how much of the target was labelled"
    for name, what in _LABELLED.items():
        shares = [entry[name] for entry in entries if name in entry]
        if shares and (mean := float(np.mean(shares))) < _LEAST_LABELLED:
            return f"{what} {mean:.2%} of the target's pixels, which counted for next to nothing"
    pseudo = [
        loss for entry in entries for name, loss in entry.items() if name.startswith("pseudo")
    ]
    return "no pixel of the target was ever sure enough" if pseudo and not any(pseudo) else ""


def _checkpoint(evaluated: Evaluated) -> str:
    """The rule; and the step, where it is not the one that the rule would have taken."""
    rule = CHECKPOINTS[evaluated.selection]
    if evaluated.result.get("passed_over") or _unfinished(evaluated):
        return f"{rule} (step {evaluated.result.get('step')})"
    return rule


def _depth(depth: Mapping[str, str], files: Mapping[str, str]) -> str:
    """The source; a checkpoint or maps of one's own with the start of their fingerprint.

    Maps have none but the one of their files, in LoveDA's records together with the images.
    """
    name = depth.get("config") or depth.get("source") or "none"
    marks = depth.get("fingerprint"), files.get("depths"), files.get("records")
    mark = next(filter(None, marks), "")[:8]
    return f"{name} {mark}" if depth and mark and name not in PRESETS else name


def _unfinished(evaluated: Evaluated) -> str:
    result, training = evaluated.result, evaluated.experiment.training
    notes, last = [], evaluated.selection == "last"
    step = result.get("step" if last else "trained_steps")
    if step is None and not last:
        notes.append("nobody knows how far it was trained")
    elif step not in (None, training.steps):
        how = "scored at" if last else "chosen up to"
        notes.append(f"not trained to its end: {how} step {step} of {training.steps}")
    passed_over = (line.removesuffix(".") for line in result.get("passed_over", []))
    return "; ".join([*notes, *passed_over])


def _beginning(evaluated: Evaluated) -> str:
    share = beginning_share(evaluated.experiment, evaluated.result.get("step"))
    told = f"of the averaged weights {share:.0%} is what training began with"
    return told if share > MOST_BEGINNING else ""


def headline(run: Run, result: dict[str, Any]) -> str:
    """Protocol, tags and note of what an evaluation of the run gave, for a title."""
    evaluated = Evaluated(run, "own", result, run.experiment)
    line = row(evaluated)
    tags = dict(line.tags)
    if result["domain"] == evaluated.experiment.data.target:
        del tags["target seen"]  # the protocol tells it
    told = [f"{name}: {tag}" for name, tag in tags.items()]
    return "; ".join(filter(None, [str(line.protocol), *told, line.note]))


def describe_inference(inference: dict[str, Any]) -> str:
    """The settings that matter, in words: ``slide 512/341 tapered, flips``."""
    window, stride = inference["window_pixels"], inference["stride_pixels"]
    words = "whole" if window is None else f"slide {window}/{stride or window}"
    words += " tapered" if inference["blend"] == "tapered" else ""
    views, scales = inference["views"], inference.get("scales", [1.0])
    parts = [words] + ([views] if views != "one" else [])
    parts += [f"scales {' '.join(map(str, scales))}"] if list(scales) != [1.0] else []
    return ", ".join([*parts, f"{inference['average']} averaged"])


def _families(evaluated: Iterable[Evaluated]) -> list[list[Evaluated]]:
    """Evaluations of runs that differ in their seed and resources alone, tiles and depth alike."""
    families: dict[Any, list[Evaluated]] = {}
    for found in evaluated:
        files = frozenset(found.result.get("files", {}).items())
        known = {n: told for n, told in alike(found.run).items() if n not in NOTED_LATER}
        trained = json.dumps(known, sort_keys=True)
        same = found.experiment.essence(seed=0), found.name, protocol(found), files, trained
        families.setdefault(same, []).append(found)
    return list(families.values())


def _merge(family: Sequence[Evaluated]) -> Row:
    rows = [row(found) for found in family]
    if len({one.tags["seeds"] for one in rows}) < len(rows):
        raise ValueError(
            f"{', '.join(one.name for one in rows)} are the same experiment with the same seed; "
            "name each run once."
        )
    if len(rows) == 1:
        return rows[0]
    scores, notes = [one.miou for one in rows], [one.note for one in rows]
    runs = [found.run for found in family]
    return Row(
        f"{family[0].experiment.recipe} ({len(rows)} seeds)",
        rows[0].protocol,
        {name: _mean([one.iou[name] for one in rows]) for name in rows[0].iou},
        float(np.mean(scores)),
        {**rows[0].tags, "seeds": ", ".join(one.tags["seeds"] for one in rows)},
        spread=float(np.std(scores, ddof=1)),
        note="; ".join(dict.fromkeys(filter(None, [*notes, several_versions(runs)]))),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """None where a class is nowhere in one of the runs: a mean over fewer would mislead."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if len(found) == len(values) else None


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
