"""What a run has seen of a domain: itself, and the runs that it started from, one after another.

It is noted in the run when it begins, since those before may be moved or deleted later. A domain is
told by the kind of dataset and its name, so that two folders' domains of one name count as one.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rdepth_keras.experiment import Experiment
from rdepth_keras.run.directory import Run
from rdepth_keras.run.files import WITHOUT_LABELS, decisive
from rdepth_keras.run.surroundings import VERSIONS

Seen = dict[
    str, str
]  # "LoveDA urban" -> "Train, labelled Val": images of the one, all of the other
LABELLED, UNKNOWN = "labelled ", "unknown"
PICTURES, BEFORE = "labelled_pictures", "labelled_pictures_before"  # marks, noted as one text
ANY = "any"  # domain, where what was seen is unknown


def target_seen(run: Run) -> str:
    """:func:`seen` of the domain that the run is scored on in the end."""
    return seen(run, run.experiment.data.target)


def seen(run: Run, domain: str) -> str:
    """What was seen of a domain, the strongest last: ``"Train, labelled Val"``.

    ``"none"`` where nothing was. That a run's own checkpoint was chosen by labels is not told here:
    that is its checkpoint rule.
    """
    experiment, before = run.experiment, inherited(run)
    data, training, own = experiment.data, experiment.training, []
    if domain == data.source:
        own += [LABELLED + split.capitalize() for split in _trained_splits(run)]
    if domain == data.target and experiment.method.uses_target:
        own.append(training.sampling.target_split.capitalize())
    name = _domain(experiment, domain)
    return _together(*own, before.get(name, ""), before.get(ANY, "")) or "none"


def trained_on(run: Run) -> dict[str, Any]:
    """What decided its weights: depth, tiles and digests of their files, how masks are read.

    As far as they were noted when it began. Members of an ensemble share them.
    """
    noted = run.environment
    found = {f"depth {name}": told for name, told in (noted.get("depth") or {}).items()}
    found["tiles"] = noted.get("trained_on")
    found["reading of masks"] = run.experiment.data.classes.reading
    if files := noted.get("files"):
        for name in decisive(run.experiment):
            found |= {f"{kind} of {name}": told for kind, told in files.get(name, {}).items()}
    return {name: value for name, value in found.items() if value is not None}


def alike(run: Run) -> dict[str, Any]:
    """:func:`trained_on`, and the rest that seeds of a mean share.

    The run that they started from and the precision that their device came to: the same settings
    may have led to others.
    """
    noted = run.environment
    found = {name: noted[name] for name in ("started_from",) if noted.get(name) is not None}
    found |= {f"file of {name}": told for name, told in noted.get("weights", {}).items()}
    dtypes = _values(run.environments, "compute_dtype")
    found |= {"compute_dtype": " and ".join(dtypes)} if dtypes else {}
    return trained_on(run) | {name.replace("_", " "): value for name, value in found.items()}


def several_versions(runs: Sequence[Run]) -> str:
    """In words, of what the runs were trained by several versions, or in several precisions.

    A run that was resumed may have several of its own. Empty where there is nothing.
    """
    noted = [part for run in runs for part in run.environments]
    found = {name: _values(noted, name) for name in (*VERSIONS, "compute_dtype")}
    told = [f"{name} {', '.join(values)}" for name, values in found.items() if len(values) > 1]
    return f"trained by several versions: {'; '.join(told)}" if told else ""


def _values(noted: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    """Those of one note, each once."""
    return list(dict.fromkeys(str(part[name]) for part in noted if part.get(name)))


def disagreement(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The first name that both hold with two values; empty where there is none."""
    return next((name for name in one if one[name] != other.get(name, one[name])), "")


def inherited(run: Run) -> Seen:
    """What the runs that it started from saw: as it was noted, else as they are found now."""
    noted, place = run.environment.get("seen"), run.experiment.training.start_from
    found: Seen = {}
    passed: list[str] = []
    while noted is None and place is not None and place not in passed:
        passed.append(place)
        before = Run(Path(place))
        try:
            experiment, noted = before.experiment, before.environment.get("seen")
        except (OSError, ValueError):
            return _merged(found, {ANY: UNKNOWN})
        found, place = _merged(found, _in_training(before)), experiment.training.start_from
    return _merged(found, noted or {})


def handed_on(run: Run) -> Seen:
    """What a run that starts from this one inherits."""
    return _merged(inherited(run), _in_training(run))


def pictures_before(run: Run) -> set[str]:
    """Marks of the pictures that trained, with labels, the runs that it started from.

    :data:`UNKNOWN` is among them where one of these noted none, as those of older versions.
    """
    if run.experiment.training.start_from is None:
        return set()
    return set(run.environment.get(BEFORE, UNKNOWN).split())


def pictures_handed_on(run: Run) -> set[str]:
    """The same for a run that starts from this one."""
    return pictures_before(run) | set(run.environment.get(PICTURES, UNKNOWN).split())


def labelled_before(count: int | None, tiles: int) -> str:
    """In words, that so many of the scored tiles trained the runs before; empty for none."""
    if count is None:
        return "unknown under other names, by the runs before"
    return f"{count} of the {tiles} tiles labelled, by the runs before" if count else ""


def _trained_splits(run: Run) -> list[str]:
    """Of its source, without those that were absent, or had no labels, when it began."""
    experiment = run.experiment
    noted, source = run.environment.get("trained_on"), experiment.data.source
    return [
        split
        for split in experiment.training_splits
        if noted is None or f"{split}/{source}" in noted
    ]


def _in_training(run: Run) -> Seen:
    experiment, found = run.experiment, Seen()
    idle = set(experiment.training_splits) - set(_trained_splits(run))
    for name in decisive(experiment):
        if name in {f"{split}/{experiment.data.source}" for split in idle}:
            continue
        split, domain = name.removesuffix(WITHOUT_LABELS).split("/", 1)
        word = ("" if name.endswith(WITHOUT_LABELS) else LABELLED) + split.capitalize()
        found = _merged(found, {_domain(experiment, domain): word})
    return found


def _domain(experiment: Experiment, name: str) -> str:
    return f"{type(experiment.data).__name__} {name}"


def _merged(one: Seen, other: Seen) -> Seen:
    domains = sorted(one.keys() | other.keys())
    return {name: _together(one.get(name, ""), other.get(name, "")) for name in domains}


def _together(*texts: str) -> str:
    """Every word once; images alone are not told where their labels were seen, too."""
    found = {word for text in texts for word in text.split(", ") if word}
    told = [word for word in found if LABELLED + word not in found]
    return ", ".join(
        sorted(told, key=lambda word: (word == UNKNOWN, word.startswith(LABELLED), word))
    )
