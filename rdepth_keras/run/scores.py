"""Evaluations as they were stored: read strictly, and held against the counts beside them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isclose, isfinite
from typing import Any, get_args

from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.experiment import Experiment
from rdepth_keras.experiment.training import Selection
from rdepth_keras.infer import Inference
from rdepth_keras.run.ancestry import labelled_before, seen
from rdepth_keras.run.directory import Run

HEADLINE = ("miou", "iou", "miou_interval", "tiles")  # what a table shows
SAME = 1e-9  # relative and absolute: sums in another order move the last digits


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of one run: its file's name, what it holds, and the run's experiment."""

    run: Run
    name: str
    result: dict[str, Any]
    experiment: Experiment

    @property
    def selection(self) -> str:
        """The rule that the scored checkpoint was chosen by."""
        return self.result.get("selection", self.experiment.training.choice.selection)

    @property
    def seen(self) -> str:
        """What was seen of the scored domain, by names of splits, and of the pictures themselves.

        Of these nothing is known where an older version scored a run that started from another.
        """
        by_names = seen(self.run, self.result["domain"])
        is_folder = "images" in self.result.get("files", {})
        is_unknown = is_folder and self.experiment.training.start_from is not None
        count = self.result.get("trained_before", None if is_unknown else 0)
        more = labelled_before(count, self.result["tiles"])
        return f"{by_names}; {more}" if more else by_names

    @property
    def title(self) -> str:
        """Name of the run, and what was special about the prediction, whatever the file's name."""
        own, members = self.experiment.training.inference, self.result.get("members", [])
        special = other_inference(own, self.result["inference"])
        special += other_checkpoint(self.experiment, self.selection)
        special += [f"with={in_short(members)}"] if members else []
        return " ".join([self.run.name, *special])


def other_checkpoint(experiment: Experiment, selection: str) -> list[str]:
    """``checkpoint=last``, where the run's own rule would have taken another."""
    return [] if selection == experiment.training.choice.selection else [f"checkpoint={selection}"]


def other_inference(own: Inference, other: Mapping[str, Any]) -> list[str]:
    """``name=value`` of each setting that is not the run's own and may change a number."""
    return [
        f"{name}={_short(other[name])}"
        for name, value in asdict(own).items()
        if name != "window_batch" and _short(value) != _short(other[name])
    ]


def in_short(names: Sequence[str]) -> str:
    """The names of runs that are averaged, or how many they are."""
    whole = "+".join(names)
    return whole if len(whole) < 80 else f"{len(names)} runs"


def _short(value: Any) -> str:
    return "+".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def find_evaluations(run: Run) -> list[Evaluated]:
    """Every evaluation that the run was given, by name; copies of one are one.

    Raises:
        FileNotFoundError: where there is none, or one has lost its counts.
        ValueError: for one that is not as it was written, naming file and field, and for scores
            that are not those of its counts.
    """
    experiment, found = run.experiment, {}
    for name, result in run.evaluations.read().items():
        _check_fields(f"{run}/evaluations/{name}.json", result)
        _check_scores(run, name, result, experiment)
        evaluated = Evaluated(run, name, result, experiment)
        found.setdefault(json.dumps(result, sort_keys=True), evaluated)
    return list(found.values())


def own_evaluation(run: Run) -> Evaluated:
    """The one on the target's Val by the run's own rules, as its end gave it.

    Raises as :func:`find_evaluations`, and ValueError where there is not one.
    """
    found = _own_evaluations(run)
    if len(found) != 1:
        raise ValueError(
            f"{run} has {len(found)} evaluations on its target's Val by its own rules; needed is "
            "one. Move what is too many away, and evaluate it again: "
            f"python scripts/evaluate.py --run {run}"
        )
    return found[0]


def refuse_scores(run: Run) -> None:
    """Raises ValueError for a run that says that its end was not scored, where it was."""
    if run.evaluations.names and (found := _own_evaluations(run)):
        raise ValueError(
            f"{run}/metrics.json says that the run was not evaluated, but its evaluation "
            f"{found[0].name} holds scores: one was changed, or the labels came later. Let the end "
            f"be scored again: python scripts/train.py --resume --out {run}"
        )


def _own_evaluations(run: Run) -> list[Evaluated]:
    own = ("val", run.experiment.data.target, "union", run.name)
    return [
        one
        for one in find_evaluations(run)
        if own == (*(one.result[field] for field in ("split", "domain", "absent")), one.title)
    ]


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value) and 0 <= value <= 1


def _is_fraction_or_none(value: Any) -> bool:
    return value is None or _is_fraction(value)


def _is_interval(value: Any) -> bool:
    pair = isinstance(value, list) and len(value) == 2 and all(map(_is_fraction, value))
    return value is None or (pair and value[0] <= value[1])


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(good, value))


def _table_of(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(map(good, value.values()))


def _or_none(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or good(value)


def _is_inference(value: Any) -> bool:
    return isinstance(value, dict) and all(
        key in value and good(value[key]) for key, good in _INFERENCE.items()
    )


_INFERENCE: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("window_pixels", "stride_pixels"), _or_none(_is_count)),
    **dict.fromkeys(("blend", "views", "average"), _is_text),
    "scales": _list_of(lambda value: type(value) in (int, float) and isfinite(value)),
}
_NEEDED: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("split", "domain", "dataset"), _is_text),
    "iou": _table_of(_is_fraction_or_none),
    "miou": _is_fraction_or_none,
    "miou_interval": _is_interval,
    "tiles": _is_count,
    "absent": lambda value: value in get_args(Absent),
    "inference": _is_inference,
}
_POSSIBLE: dict[str, Callable[[Any], bool]] = {
    "depth": _or_none(_table_of(_is_text)),
    "files": _table_of(_is_text),
    "selection": lambda value: value in get_args(Selection),
    "seeds": _list_of(_is_count),
    "members": _list_of(_is_text),
    "passed_over": _list_of(_is_text),
    "changed_data": _list_of(_is_text),
    "member_notes": _list_of(_is_text),
    "other_versions": _is_text,
    "trained_on_too": _is_text,
    "unlabelled": _is_text,
    "sizes": _is_text,
    "odd": _is_text,
    **dict.fromkeys(("step", "trained_steps", "trained_before"), _or_none(_is_count)),
}


def _check_fields(place: str, result: Mapping[str, Any]) -> None:
    """Raises ValueError, naming them, where fields are missing or hold what no evaluation does."""
    faults = [name for name in _NEEDED if name not in result]
    faults += [
        f"{name} {result[name]!r:.40}"
        for name, good in (_NEEDED | _POSSIBLE).items()
        if name in result and not good(result[name])
    ]
    if faults:
        raise ValueError(
            f"{place} is no evaluation of this version, by its {', '.join(faults)}: evaluate the "
            "run again, or move the file away."
        )


def _check_scores(run: Run, name: str, result: Mapping[str, Any], experiment: Experiment) -> None:
    """Raises ValueError where the numbers of a table are not those of the counts."""
    counts, table = run.evaluations.counts(name), experiment.data.classes
    if counts.confusion.shape != (len(table),) * 2:
        raise ValueError(
            f"{run}/evaluations/{name}.npz counts {len(counts.confusion)} classes, but the run has "
            f"{len(table)}: evaluate it again."
        )
    now = counts.all_scores(table, result["absent"])
    other = [field for field in HEADLINE if not _same(now[field], result[field])]
    if other:
        raise ValueError(
            f"{run}/evaluations/{name}.json has another {' and '.join(other)} than the counts "
            "beside it: one of the two was changed or exchanged. Evaluate the run again, or move "
            "both away."
        )


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if one is None or other is None:
        return one is other
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isclose(one, other, rel_tol=SAME, abs_tol=SAME)
