"""The files behind a run: what it began with, held against what lies there now.

A dataset that knows no fingerprints, such as the demo, has nothing to compare; nor has a run that
did not note any.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rdepth_keras.arrays import Tiles
from rdepth_keras.assembly import labelled_tiles, open_data
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.fingerprints import describe_picture, digest
from rdepth_keras.data.folder.folder import FolderTiles
from rdepth_keras.data.splits import AbsentSplit
from rdepth_keras.experiment import Experiment
from rdepth_keras.naming import shorten
from rdepth_keras.run.directory import Run
from rdepth_keras.run.surroundings import Files, versions, weights_fingerprints
from rdepth_keras.train.devices import compute_dtype

WITHOUT_LABELS = " (without labels)"
_SHOWN = 4  # names


def noted_files(experiment: Experiment, data: Opened) -> Files:
    """The fingerprints of all tiles that a training looks at, and of those it is scored on.

    Splits that are absent, or have no labels, are left out; what is wrong with one raises.
    """
    names = dict.fromkeys([*decisive(experiment), f"val/{experiment.data.target}"])
    found = {name: _fingerprints(data, name) for name in names}
    return {name: kinds for name, kinds in found.items() if kinds}


def changed_files(run: Run, data: Opened) -> dict[str, str]:
    """``split/domain`` -> in words, what of it is no longer as the run began with.

    Of what is no longer there at all nothing is told: data may be moved in parts.
    """
    said = {}
    for name, then in run.environment.get("files", {}).items():
        try:
            said[name] = _changed(name, then, _fingerprints(data, name))
        except (ValueError, OSError) as error:
            said[name] = f"{name} ({error})"
    return {name: change for name, change in said.items() if change}


def others(run: Run, experiment: Experiment) -> list[str]:
    """In words, where data, starting weights and versions are not those that a run began with."""
    changed = changed_files(run, open_data(experiment)).values()
    said = [f"WARNING: not the data that {run} began with: {change}" for change in changed]
    noted = run.environment
    then = noted.get("weights", {})
    now = weights_fingerprints(experiment) if then else {}
    said += [
        f"WARNING: not the {name.replace('_', ' ')} that {run} began with: the file was exchanged"
        for name in then
        if now.get(name, then[name]) != then[name]
    ]
    return said + _other_start(noted, experiment) + other_versions(run, experiment)


def _other_start(noted: Mapping[str, Any], experiment: Experiment) -> list[str]:
    """In words, where the run that an experiment starts from is not as it was then."""
    then, place = noted.get("started_from"), experiment.training.start_from
    if then is None or place is None:
        return []
    before = Run(Path(place))
    now = {"run": before.identity, "step": before.chosen().latest_step()}
    if now == then:
        return []
    return [
        f"WARNING: starts from step {now['step']} of the run {now['run']} in {place}; then it was "
        f"step {then['step']} of the run {then['run']}"
    ]


def other_versions(run: Run, experiment: Experiment) -> list[str]:
    """A warning, where versions or precision are none of those that a run was trained by."""
    told = version_changes(run, experiment)
    return [f"WARNING: not as {run} began: {told}"] if told else []


def version_changes(run: Run, experiment: Experiment) -> str:
    """In words, which versions are none of those that a run began or went on with, and precision.

    Empty where there is nothing, and for a run that has not begun. The same code of another
    revision is the same.
    """
    own = {**versions(), "compute_dtype": compute_dtype(experiment.training.precision)}
    then = {
        name: [part[name] for part in run.environments if name in part] or [value]
        for name, value in own.items()
    }
    if own["code"] in (part.get("code") for part in run.environments):
        del own["git_revision"]
    return "; ".join(
        f"{name} {', '.join(map(str, dict.fromkeys(then[name])))} then, {value} now"
        for name, value in own.items()
        if value not in then[name]
    )


def _changed(name: str, then: Mapping[str, str], now: Mapping[str, str] | None) -> str:
    kinds = [kind for kind in then if now and now.get(kind) != then[kind]]
    return f"{' and '.join(kinds)} of {name}" if kinds else ""


def check_training_files(run: Run, experiment: Experiment, files: Files) -> list[str]:
    """Raises ValueError where the training of a run would go on with other files than before.

    ``files`` are those of now, see :func:`noted_files`. Returns in words what else has changed:
    tiles that it is only scored on.
    """
    before, decides = run.environment.get("files", {}), decisive(experiment)
    changed = {name: _changed(name, then, files.get(name)) for name, then in before.items()}
    changed = {name: said for name, said in changed.items() if said}
    if faults := [said for name, said in changed.items() if name in decides]:
        raise ValueError(
            f"The data have changed since the run in {run} began: {'; '.join(faults)}. Put the "
            "files back as they were, or train a new run."
        )
    return [f"The data have changed since the run began: {said}" for said in changed.values()]


def decisive(experiment: Experiment) -> list[str]:
    """The splits and domains that decide a run's weights; its target's under their own name."""
    data, training = experiment.data, experiment.training
    names = [f"{split}/{data.source}" for split in experiment.training_splits]
    if experiment.method.uses_target:
        names.append(f"{training.sampling.target_split}/{data.target}{WITHOUT_LABELS}")
    if training.choice.selection != "last":
        names.append(f"val/{experiment.validation_domain}")
    return names


def labelled_parts(counts: Mapping[str, int]) -> dict[str, int]:
    """Of the numbers of tiles that are trained on, those with labels."""
    return {name: n for name, n in counts.items() if not name.endswith(WITHOUT_LABELS)}


def trained_on_too(trained: Iterable[str], data: Opened, split: str, domain: str) -> str:
    """In words, which tiles of a split that is scored are trained on under another name.

    ``trained`` are the splits that are trained on, ``split/domain``, and those that are seen
    without labels, ``split/domain (without labels)``. Empty where there are no such tiles, and of
    a split that is trained on as a whole: that its tags tell.
    """
    trained = list(trained)
    tiles, own = labelled_tiles(data, split, domain), f"{split}/{domain}"
    if isinstance(tiles, str) or own in trained:
        return ""
    said, found = [], {"with": dict[str, None](), "without": dict[str, None]()}
    for name in trained:
        part = name.removesuffix(WITHOUT_LABELS)
        if part == own:
            continue
        try:
            others = _seen_tiles(data, name)
        except (ValueError, OSError) as error:  # data may be moved in parts
            others = str(error)
        if isinstance(others, str):
            said.append(f"nobody knows whether some of its tiles are in {part} ({others})")
        else:
            twins = data.twins(tiles, others)
            kind = "with" if part == name else "without"
            found[kind] |= dict.fromkeys(Path(path).name for path in twins)
    for kind, names in found.items():
        if names:
            said.append(
                f"{len(names)} of the {len(tiles)} tiles of {own} are trained on as well, byte for "
                f"byte, {kind} labels: {shorten(list(names), _SHOWN)}"
            )
    return "; ".join(said)


def _seen_tiles(data: Opened, name: str) -> Tiles | str:
    split, domain = name.removesuffix(WITHOUT_LABELS).split("/", 1)
    labelled = not name.endswith(WITHOUT_LABELS)
    return labelled_tiles(data, split, domain) if labelled else data.tiles(split, domain)


def labelled_pictures(experiment: Experiment, data: Opened) -> list[str]:
    """Marks of the pictures whose labels decide a run's weights, see :func:`picture_marks`."""
    found = dict[str, None]()
    for name in decisive(experiment):
        tiles = "" if name.endswith(WITHOUT_LABELS) else _seen_tiles(data, name)
        found |= {} if isinstance(tiles, str) else dict.fromkeys(picture_marks(tiles))
    return list(found)


def picture_marks(tiles: Tiles) -> Sequence[str]:
    """A digest of each picture, the same under any name; of PNG and JPEG by size and both ends.

    Empty for tiles that are no files of their own.
    """
    if not isinstance(tiles, FolderTiles):
        return ()
    images = [files.image for files in tiles.files]
    return [digest([describe_picture(path).removeprefix(path.name)]) for path in images]


def _fingerprints(data: Opened, name: str) -> dict[str, str] | None:
    """Those of one split and domain; None where it is absent or has no labels."""
    split, domain = name.removesuffix(WITHOUT_LABELS).split("/", 1)
    if not name.endswith(WITHOUT_LABELS):
        tiles = labelled_tiles(data, split, domain)
        return None if isinstance(tiles, str) else dict(data.fingerprints(tiles))
    try:
        tiles = data.tiles(split, domain)
    except AbsentSplit:
        return None
    found = dict(data.fingerprints(tiles))
    found.pop("masks", None)  # they may come to be, nobody reads them
    return found
