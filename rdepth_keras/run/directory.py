"""What a run directory holds beside checkpoints and journal."""

import json
import platform
import shutil
import subprocess
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rdepth_keras
from rdepth_keras.experiment import Experiment, from_json, to_json
from rdepth_keras.run.dataset import Dataset
from rdepth_keras.train.devices import compute_dtype, describe

LIBRARIES = ("keras", "jax", "jaxlib", "optax", "numpy", "grain", "tensorflow-datasets")
CLASSES = "classes.yaml"


def write_experiment(directory: Path, experiment: Experiment) -> None:
    """Writes the experiment, with a copy of its class file: a run outlives the original."""
    copy = directory / CLASSES
    if experiment.classes is not None and not copy.exists():
        shutil.copyfile(experiment.classes, copy)
    _write(directory / "experiment.json", to_json(experiment))


def read_experiment(directory: Path) -> Experiment:
    """The experiment of the run in ``directory``; raises FileNotFoundError where there is none."""
    path = directory / "experiment.json"
    if not path.exists():
        raise FileNotFoundError(f"{directory} holds no run: there is no experiment.json in it.")
    experiment = from_json(path.read_text(encoding="utf-8"))
    copy = directory / CLASSES
    return replace(experiment, classes=str(copy)) if copy.exists() else experiment


def environment(dataset: Dataset, experiment: Experiment) -> dict[str, Any]:
    """Versions, device and data of a run: what the experiment itself does not say."""
    return {
        "rdepth_keras": rdepth_keras.__version__,
        "git_revision": _git_revision(),
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
        "device": describe(),
        "compute_dtype": compute_dtype(experiment.precision),
        "depth": dict(dataset.depth),
    }


def write_environment(directory: Path, environment: dict[str, Any], step: int) -> None:
    """Writes where a run began, or, below ``"resumed"``, where it went on after ``step``."""
    path = directory / "environment.json"
    if path.exists():
        first = json.loads(path.read_text(encoding="utf-8"))
        resumed = [*first.pop("resumed", []), {"step": step, **environment}]
        environment = {**first, "resumed": resumed}
    write_json(path, environment)


def check_depth(directory: Path, dataset: Dataset) -> None:
    """Raises ValueError where the dataset's depth is no longer the one the run began with."""
    path = directory / "environment.json"
    if not path.exists():
        return
    began = json.loads(path.read_text(encoding="utf-8")).get("depth")
    if began is not None and began != dict(dataset.depth):
        raise ValueError(
            f"The data have other depth than the run in {directory} began with: {began} then, "
            f"{dict(dataset.depth)} now. Prepare them as they were, or train a new run."
        )


def write_json(path: Path, content: Any) -> None:
    """Writes JSON text; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, json.dumps(content, indent=2) + "\n")


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _git_revision() -> str | None:
    """The commit of this checkout, with ``+changes`` if it has any; None for an installed copy."""
    root = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != root:
            return None
        return git("describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None
