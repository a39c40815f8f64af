"""A run directory: what it holds is read and written here, its evaluations beside.

==========================  ===================================================================
``experiment.json``         all settings, enough to run it again
``environment.json``        identity, digest of the settings; device, data, what was seen; resumes
``journal.jsonl``           losses, rates, validations
``checkpoints/``, ``best/`` the state, and the one that was chosen
``labels/``                 what a method of rounds made of the target
``metrics.json``            the scores in the end, or why there are none
``evaluations/``            ``<split>_<domain>.json`` with the counts of every tile as NPZ beside it
``ablations/``              the scores without depth
``examples.png``            a few tiles of the target, as they are predicted in the end
==========================  ===================================================================
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.atomic import PARTIAL, write_bytes, write_text
from rdepth_keras.data import png
from rdepth_keras.data.dataset import Opened
from rdepth_keras.experiment import Experiment, from_json, to_dict, to_json
from rdepth_keras.run.evaluations import Evaluations
from rdepth_keras.run.jsonfile import digest, read_object, read_text, write_object
from rdepth_keras.run.surroundings import placed
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.lock import LOCK

Tell = Callable[[str], None]
Mirror = Callable[[int, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Run:
    """A run in ``directory``, begun or not.

    Attributes:
        directory: what it holds.
        data_dir: where its data lie now; None is where they lay in training.
        last: its last checkpoint counts, whatever its own rule says.
        named_by: so many of the last folders of its path are its name.
    """

    directory: Path
    data_dir: str | None = None
    last: bool = False
    named_by: int = 1

    def __str__(self):
        return str(self.directory)

    @property
    def name(self) -> str:
        """Name of its directory, with folders above it where others bear the same."""
        return "/".join(self.directory.resolve().parts[-self.named_by :])

    @property
    def begun(self) -> bool:
        """Whether training was started in it."""
        return (self.directory / "experiment.json").exists()

    @property
    def occupied(self) -> bool:
        """Whether its directory holds anything but what a start killed at once leaves behind."""
        if not self.directory.exists():
            return False
        return any(
            path.name != LOCK and not path.name.endswith(PARTIAL)
            for path in self.directory.iterdir()
        )

    @property
    def experiment(self) -> Experiment:
        """Its settings.

        Raises FileNotFoundError where there is no run, ValueError for a damaged or old one, and for
        other settings than were noted when it began.
        """
        path = self.directory / "experiment.json"
        if self.directory.is_file():
            raise NotADirectoryError(f"{self} is a file; expected is the folder of a run.")
        if not path.exists():
            raise FileNotFoundError(
                f"{self.directory} holds no run: there is no experiment.json in it."
            )
        try:
            experiment = from_json(read_text(path))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        self._check_settings(experiment)
        if self.data_dir is None:
            return experiment
        return placed(experiment, self.data_dir)

    def _check_settings(self, experiment: Experiment) -> None:
        """Raises ValueError for others than were noted; a start killed at once noted nothing."""
        known = self.environment
        if known and _settings(experiment) not in known["settings"]:
            raise ValueError(
                f"{self.directory}/experiment.json holds other settings than the run was trained "
                "with: it was changed, or is another run's. Put it back as it was, or train a new "
                "run."
            )

    @property
    def environment(self) -> dict[str, Any]:
        """What surrounded it where it began; empty where that was not noted.

        Raises ValueError for one that is not as it was written.
        """
        found = read_object(self.directory / "environment.json")
        if found is None:
            return {}
        if found.pop("digest", None) != digest(found):
            raise ValueError(
                f"{self.directory}/environment.json is not as it was written: it was changed, or "
                "is of an older version's layout. Put it back, train a new run, or use that "
                "version."
            )
        return found

    @property
    def environments(self) -> list[dict[str, Any]]:
        """What surrounded it where it began, and each time it went on."""
        began = self.environment
        return [began, *began.get("resumed", [])]

    @property
    def identity(self) -> str:
        """What its checkpoints and evaluations are told by; empty where it was not noted."""
        return self.environment.get("run", "")

    @property
    def metrics(self) -> dict[str, Any] | None:
        """Its scores in the end, or why there are none; None before its end.

        A run that is given more steps has its end before it once more.
        """
        return read_object(self.directory / "metrics.json")

    @property
    def journal(self) -> Journal:
        """Its losses, rates and validations."""
        return self.journal_with(None)

    @property
    def trained_steps(self) -> int | None:
        """How far it has come, by its journal; None where that holds nothing."""
        return max((entry["step"] for entry in self.journal.read()), default=None)

    def journal_with(self, mirror: Mirror | None) -> Journal:
        """The same, whose lines ``mirror`` is told, too: ``(step, entries)``."""
        return Journal(self.directory / "journal.jsonl", mirror, self.identity)

    @property
    def labels(self) -> Path:
        """Folder of the labels that a method of rounds made."""
        return self.directory / "labels"

    def checkpoints(self, notify: Tell = print, keep: int = 2) -> Checkpoints:
        """Its ordinary checkpoints, of which saving keeps the last ones; damage is told."""
        return Checkpoints(self.directory / "checkpoints", keep, notify, self.identity)

    def best(self, notify: Tell = print) -> Checkpoints:
        """The best ones. Two: the later may lie beyond the last ordinary one, and be cut."""
        return Checkpoints(self.directory / "best", 2, notify, self.identity)

    @property
    def selection(self) -> str:
        """The rule by which one of its checkpoints counts."""
        return "last" if self.last else self.experiment.training.choice.selection

    def chosen(self, notify: Tell = print) -> Checkpoints:
        """The checkpoints of which the last one counts; FileNotFoundError where there are none."""
        last = self.selection == "last"
        if not (self.directory / ("checkpoints" if last else "best")).is_dir():
            raise FileNotFoundError(f"{self} has no checkpoint yet: resume its training first.")
        return self.checkpoints(notify) if last else self.best(notify)

    def begin(self, experiment: Experiment) -> None:
        """Writes the settings; with more steps than before, the end it had come to is none.

        The digest of those before stays until :meth:`note_environment`: a kill does no harm.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.begun and experiment.training.steps > self.experiment.training.steps:
            (self.directory / "metrics.json").unlink(missing_ok=True)
        known, text = self.environment, to_json(experiment)
        own = _settings(from_json(text))  # as it will be read: 1.0 where 1 was given
        if known.get("settings", [own]) != [own]:
            self._note({**known, "settings": [*known["settings"], own]})
        write_text(self.directory / "experiment.json", text)

    def note_environment(self, environment: Mapping[str, Any], step: int) -> None:
        """Writes where it began, or, below ``"resumed"``, where it went on after ``step``."""
        first = self.environment | {"settings": [_settings(self.experiment)]}
        if step:
            resumed = [*first.pop("resumed", []), {"step": step, **environment}]
            environment = {**first, "resumed": resumed}
        else:
            identity = first.get("run") or secrets.token_hex(8)
            environment = {"run": identity, "settings": first["settings"], **environment}
        self._note(environment)

    def _note(self, environment: Mapping[str, Any]) -> None:
        content = {**environment, "digest": digest(environment)}
        write_object(self.directory / "environment.json", content)

    def check_data(self, data: Opened, trained_on: Mapping[str, int] | None = None) -> None:
        """Raises ValueError where the data are no longer the ones it began with.

        ``data`` tell their depth, maybe more of it than older runs noted; ``trained_on`` the
        numbers of tiles, where training goes on. For the files themselves see
        :func:`rdepth_keras.run.files.changed_files`.
        """
        began = self.environment
        noted = began.get("depth")
        if noted is not None:  # other domains of the folder may have come or gone
            noted = {name: told for name, told in noted.items() if name != "origins"}
        depth = {name: told for name, told in data.depth.items() if name in (noted or ())}
        pairs: list[tuple[str, Any, Any]] = [("other depth", noted, depth)]
        if trained_on is not None:
            pairs.append(("other tiles", began.get("trained_on"), dict(trained_on)))
        for what, then, now in pairs:
            if then is not None and then != now:
                raise ValueError(
                    f"The data have {what} than the run in {self} began with: {then} then, {now} "
                    "now. Prepare them as they were, or train a new run."
                )

    def finish(self, metrics: Mapping[str, Any]) -> None:
        """Writes the scores in the end, or why there are none: the run has come to its end."""
        write_object(self.directory / "metrics.json", metrics)

    @property
    def evaluations(self) -> Evaluations:
        """The evaluations it was given."""
        return Evaluations(self.directory, self.identity)

    def write_ablation(self, name: str, result: Mapping[str, Any]) -> None:
        """Writes an ablation's scores."""
        write_object(self.directory / f"ablations/{name}.json", result)

    def write_examples(self, picture: np.ndarray) -> Path:
        """Writes the picture of a few tiles, RGB uint8; returns its path."""
        path = self.directory / "examples.png"
        write_bytes(path, png.encode(picture))
        return path


def runs_told_apart(directories: Sequence[Path]) -> list[Run]:
    """Runs that are named by as much of their paths as it takes to tell them apart."""
    places = {place.resolve() for place in directories}
    most = max((len(place.parts) for place in places), default=1)
    counts = (n for n in range(1, most) if len({p.parts[-n:] for p in places}) == len(places))
    named_by = next(counts, most)
    return [Run(place, named_by=named_by) for place in directories]


def _settings(experiment: Experiment) -> str:
    """Digest of what decides the numbers."""
    return digest({**to_dict(experiment.essence()), "resources": None})


def foreign(run: Run, step: int | None, error: Exception) -> ValueError:
    """What to say of a checkpoint that does not fit its run; Orbax would take pages for it."""
    reason = str(error)
    reason = f" ({reason})" if len(reason) < 200 and "\n" not in reason else ""
    return ValueError(
        f"The checkpoint of step {step} in {run} is not of the network and optimizer that its "
        "experiment.json stands for; was one of them changed, copied from another run, or written "
        f"by another version? Copy both from one run, or go on with that version.{reason}"
    )
