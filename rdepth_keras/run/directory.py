"""What a run directory holds beside checkpoints and journal."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rdepth_keras
from rdepth_keras.experiment import Experiment, from_json
from rdepth_keras.run.dataset import Dataset
from rdepth_keras.train.devices import compute_dtype, describe

LIBRARIES = ("keras", "jax", "jaxlib", "optax", "numpy", "grain", "tensorflow-datasets")


def read_experiment(directory: Path) -> Experiment:
    """The experiment of the run in ``directory``; raises FileNotFoundError where there is none."""
    path = directory / "experiment.json"
    if not path.exists():
        raise FileNotFoundError(f"{directory} holds no run: there is no experiment.json in it.")
    return from_json(path.read_text(encoding="utf-8"))


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


def write_json(path: Path, content: Any) -> None:
    """Writes JSON text under a temporary name, then renames it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
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
