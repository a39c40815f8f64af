"""What surrounds a training: where its data lie, and versions, device and files for the record."""

import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

import rdepth_keras
from rdepth_keras import checkpoints
from rdepth_keras.data.dataset import Opened
from rdepth_keras.experiment import Experiment
from rdepth_keras.train.devices import compute_dtype, describe

LIBRARIES = ("keras", "jax", "jaxlib", "optax", "numpy", "grain", "tensorflow-datasets")
VERSIONS = ("git_revision", "code", "rdepth_keras", *LIBRARIES)
DRAWS = ("jax_default_prng_impl", "jax_threefry_partitionable", "jax_random_seed_offset")
WEIGHTS = ("weights", "depth_weights")  # settings of where a training starts
NAMED = (None, "none", "imagenet")  # values of these that are no place
Files = Mapping[str, Mapping[str, str]]  # ``split/domain`` -> kind of file -> digest


def placed(experiment: Experiment, place: str | None) -> Experiment:
    """The experiment with its data there; ValueError where they are made, and lie nowhere."""
    if place is not None and experiment.data.is_made:
        raise ValueError(
            f"--data-dir {place} has no effect: tiles of {type(experiment.data).__name__} are made "
            "when asked for. Leave it away (None)."
        )
    return experiment.changed(resources={"data_dir": place})


def settled(experiment: Experiment) -> Experiment:
    """The experiment with what was left open filled in, so that a run never changes its data.

    Places become absolute, so that a run's data and weights are found from another folder.
    """
    place = experiment.resources.data_dir
    if place is not None:
        place = str(Path(place).expanduser().resolve())
    return placed(located(experiment), place).changed(data=experiment.data.settled(place))


def located(experiment: Experiment) -> Experiment:
    """The experiment with absolute places of weights that lie here; names stay names."""
    found = {name: getattr(experiment.training, name) for name in WEIGHTS}
    for name, weights in found.items():
        if weights not in NAMED:
            place = Path(weights).expanduser()
            found[name] = str(place.resolve()) if place.exists() else weights
    return experiment.changed(training=found)


def surroundings(
    experiment: Experiment, data: Opened, trained_on: Mapping[str, int], files: Files
) -> dict[str, Any]:
    """Versions, device and data of a training: what the experiment itself does not say."""
    return {
        **versions(),
        "random_numbers": random_numbers(),
        "python": platform.python_version(),
        "device": describe(),
        "compute_dtype": compute_dtype(experiment.training.precision),
        "depth": dict(data.depth),
        "weights": weights_fingerprints(experiment),
        "trained_on": dict(trained_on),
        "files": {name: dict(kinds) for name, kinds in files.items()},
    }


def versions() -> dict[str, str | None]:
    """Of this project and of the libraries that decide numbers."""
    own = {"git_revision": _git_revision(), "code": _own_code()}
    own["rdepth_keras"] = rdepth_keras.__version__
    return own | {library: version(library) for library in LIBRARIES}


def random_numbers() -> dict[str, Any]:
    """Settings of JAX, by name, that decide what is drawn from one key."""
    return {name: getattr(jax.config, name) for name in DRAWS}


def code_digest(package: Path) -> str:
    """16 hex digits that depend on the name and content of every module of a package.

    Two states of a checkout with changes have one revision, and a copy without git has none.
    """
    found = blake2b(digest_size=8)
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def weights_fingerprints(experiment: Experiment) -> dict[str, str]:
    """Digests of the checkpoints that are named by a place or a hub name; raises as their load."""
    sources = {name: getattr(experiment.training, name) for name in WEIGHTS}
    return {
        name: checkpoints.fingerprint(source)
        for name, source in sources.items()
        if source not in NAMED
    }


# Both once a process: what is edited while it trains is not what it runs.
@cache
def _own_code() -> str:
    return code_digest(Path(rdepth_keras.__file__).parent)


@cache
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
