"""Runs side by side: rows out of what their evaluations left in the run directories."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.evaluate.bootstrap import bootstrap_difference
from rdepth_keras.evaluate.confusion import mean_iou
from rdepth_keras.evaluate.counts import load_evaluation
from rdepth_keras.evaluate.rows import Protocol, Row, group, published_rows
from rdepth_keras.evaluate.tables import Format, write_tables
from rdepth_keras.experiment import Demo, Experiment
from rdepth_keras.recipes import deviation
from rdepth_keras.run.directory import read_experiment

CHECKPOINTS = {"last": "last", "best": "best on source Val", "best_by_target_labels": "target Val"}


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of one run: its JSON file, what it holds, and the run's experiment."""

    path: Path
    result: dict[str, Any]
    experiment: Experiment

    @property
    def run(self) -> str:
        """Name of the run, and what was special about the prediction."""
        special = self.path.stem.split("-", 1)[1:]
        return " ".join([self.path.resolve().parents[1].name, *special])


def compare(directories: Sequence[Path], *, published: bool, format: Format) -> str:
    """All evaluations of the runs as tables, one for each protocol, best first.

    Runs that differ in their seed alone become one row, the mean and its standard deviation.
    With the tables come the differences to the first run, paired over the tiles.

    Args:
        directories: of the runs.
        published: also prints the published rows of the runs' directions.
        format: of the text.

    Raises:
        FileNotFoundError: where a directory holds no run, or no evaluation yet.
    """
    evaluated = [found for directory in directories for found in find_evaluations(directory)]
    rows = [_merge(family) for family in _families(evaluated)]
    if published:
        directions = dict.fromkeys(row.protocol.direction for row in rows) or {None: None}
        rows += [row for direction in directions for row in published_rows(direction)]
    return write_tables(group(rows), format, differences(evaluated))


def find_evaluations(directory: Path) -> list[Evaluated]:
    """Every evaluation that the run was given, by name."""
    experiment = read_experiment(directory)
    found = (directory / "evaluations").glob("*.json")
    paths = sorted(found, key=lambda path: path.stem)
    if not paths:
        raise FileNotFoundError(
            f"{directory} was not evaluated yet: python scripts/evaluate.py --run {directory}"
        )
    return [
        Evaluated(path, json.loads(path.read_text(encoding="utf-8")), experiment) for path in paths
    ]


def protocol(evaluated: Evaluated) -> Protocol:
    """How the evaluation was scored."""
    result, experiment = evaluated.result, evaluated.experiment
    source, target, domain = experiment.source, experiment.target, result["domain"]
    trained_on = domain == source and result["split"] in experiment.training_splits
    role = "in-domain" if source == target else "target" if domain == target else "source"
    return Protocol(
        _dataset(experiment),
        f"{source} to {target}" if experiment.dataset == "folder" else experiment.direction,
        "trained-on source" if trained_on else role,
        domain,
        result["split"],
        result.get("tiles"),
        experiment.selection == "best_by_target_labels",
        result.get("absent", "union"),
    )


def _dataset(experiment: Experiment) -> str:
    """Whose tiles they are; scenes drawn and folders elsewhere are others."""
    if experiment.dataset == "folder":
        return "/".join(Path(experiment.data_dir or "").parts[-2:])
    if experiment.dataset == "demo":
        drawn, usual = experiment.demo, Demo()
        if (drawn.tile_pixels, drawn.seed) == (usual.tile_pixels, usual.seed):
            return "demo scenes"
        return f"demo scenes of {drawn.tile_pixels} pixels and seed {drawn.seed}"
    return "LoveDA"


def row(evaluated: Evaluated) -> Row:
    """The evaluation as a line of a table."""
    result, experiment = evaluated.result, evaluated.experiment
    if result["miou"] is None:
        raise ValueError(f"{evaluated.path} holds no score: its tiles have no labelled pixel.")
    interval = result.get("miou_interval")
    adapts = experiment.method.uses_target
    return Row(
        evaluated.run,
        protocol(evaluated),
        {name: _percent(value) for name, value in result["iou"].items()},
        100 * result["miou"],
        {
            "target seen": experiment.target_split.capitalize() if adapts else "none",
            "inference": describe_inference(result["inference"]),
            "checkpoint": CHECKPOINTS[experiment.selection],
            "depth": _depth(result.get("depth") or {}),
            "seeds": ", ".join(map(str, result.get("seeds", [experiment.seed]))),
        },
        interval=(100 * interval[0], 100 * interval[1]) if interval else None,
        note="; ".join(filter(None, [_unfinished(evaluated), deviation(experiment)])),
    )


def _depth(depth: dict[str, str]) -> str:
    """The source; a checkpoint or maps of one's own with the start of their fingerprint."""
    name = depth.get("config") or depth.get("source") or "none"
    own = name in ("checkpoint", "depths_png") and "fingerprint" in depth
    return f"{name} {depth['fingerprint'][:8]}" if own else name


def _unfinished(evaluated: Evaluated) -> str:
    step, experiment = evaluated.result.get("step"), evaluated.experiment
    if experiment.selection != "last" or step in (None, experiment.steps):
        return ""
    return f"not trained to its end: scored at step {step} of {experiment.steps}"


def headline(directory: Path, result: dict[str, Any]) -> str:
    """The protocol and tags of what an evaluation of the run gave, for a title."""
    evaluated = Evaluated(
        directory / "evaluations" / "own.json", result, read_experiment(directory)
    )
    tags = row(evaluated).tags
    return "; ".join([str(protocol(evaluated)), *(f"{name}: {tags[name]}" for name in tags)])


def describe_inference(inference: dict[str, Any]) -> str:
    """The settings that matter, in words: ``slide 512/341 tapered, flips``."""
    window, stride = inference["window_pixels"], inference["stride_pixels"]
    words = "whole" if window is None else f"slide {window}/{stride or window}"
    words += " tapered" if inference["blend"] == "tapered" else ""
    views, scales = inference["views"], inference.get("scales", [1.0])
    parts = [words] + ([views] if views != "one" else [])
    parts += [f"scales {' '.join(map(str, scales))}"] if list(scales) != [1.0] else []
    return ", ".join([*parts, f"{inference['average']} averaged"])


def differences(evaluated: Sequence[Evaluated]) -> list[str]:
    """In words, how far every evaluation is from the first one of its protocol, over its tiles."""
    said, first = [], {}
    for found in evaluated:
        base = first.setdefault(protocol(found), found)
        counts = [one.path.with_suffix(".npz") for one in (base, found)]
        if base is found or not all(path.exists() for path in counts):
            continue
        ours, theirs = map(load_evaluation, counts)
        if ours.ids != theirs.ids:
            said.append(f"{found.run} and {base.run} were scored on different tiles.")
            continue
        score = partial(mean_iou, absent=protocol(base).absent)
        gap = bootstrap_difference(ours.confusions, theirs.confusions, score)
        said.append(
            f"{found.run} minus {base.run}: {100 * gap.value:+.2f} mIoU, {gap.level:.0%} interval "
            f"[{100 * gap.low:+.2f}, {100 * gap.high:+.2f}] (bootstrap over {len(ours.ids)} tiles)"
        )
    return said


def _families(evaluated: Iterable[Evaluated]) -> list[list[Evaluated]]:
    """Evaluations of runs that differ in their seed alone."""
    families: dict[Any, list[Evaluated]] = {}
    for found in evaluated:
        # Every run has a class file of its own; what it names are the keys of the scores.
        settings = replace(found.experiment, seed=0, classes=None)
        same = settings, tuple(found.result["iou"]), found.path.stem, protocol(found)
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
    scores = [one.miou for one in rows]
    return Row(
        f"{family[0].experiment.recipe} ({len(rows)} seeds)",
        rows[0].protocol,
        {name: _mean([one.iou[name] for one in rows]) for name in rows[0].iou},
        float(np.mean(scores)),
        {**rows[0].tags, "seeds": ", ".join(one.tags["seeds"] for one in rows)},
        spread=float(np.std(scores, ddof=1)),
        note=rows[0].note,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """None where a class is nowhere in one of the runs: a mean over fewer would mislead."""
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if len(found) == len(values) else None


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
