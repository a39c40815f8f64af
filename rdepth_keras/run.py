"""A run: an experiment in a directory. Here the floors below meet; scripts only parse and print.

A run directory holds ``experiment.json`` (all settings, enough to run it again),
``environment.json`` (versions, device, data), ``journal.jsonl``, ``checkpoints/``,
``metrics.json`` and ``evaluations/<split>_<domain>.json``.
"""

import json
import platform
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import keras
import numpy as np
from rich.console import Console
from rich.progress import track

import rdepth_keras
from rdepth_keras import models
from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Label, Tile, Tiles
from rdepth_keras.data.demo import DemoTiles
from rdepth_keras.data.loveda import open_loveda
from rdepth_keras.data.pipeline import in_order, training_batches
from rdepth_keras.evaluate.evaluator import Evaluation, evaluate_tiles
from rdepth_keras.experiment import Experiment, differences, from_json, to_json
from rdepth_keras.infer import Inference, tile_predictor
from rdepth_keras.labels import LOVEDA
from rdepth_keras.models.network import Network
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import compute_dtype, describe
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import run_steps, training_progress
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

LIBRARIES = ("keras", "jax", "jaxlib", "optax", "numpy", "grain", "tensorflow-datasets")


@dataclass(frozen=True)
class Dataset:
    """Where tiles come from.

    Attributes:
        depth: what made the depth, e.g. its source and licence.
        tiles: (split, domain) -> tiles; raises ValueError where there are none.
    """

    depth: Mapping[str, str]
    tiles: Callable[[str, str], Tiles]


def open_dataset(experiment: Experiment) -> Dataset:
    """The experiment's dataset; raises with the remedy where it is not prepared."""
    if experiment.dataset == "demo":
        demo = experiment.demo
        counts = {"train": demo.train_tiles, "val": demo.val_tiles, "test": demo.test_tiles}
        return Dataset(
            {"source": "procedural heights"},
            lambda split, domain: DemoTiles(
                domain, split, seed=demo.seed, count=counts[split], size=demo.tile_pixels
            ),
        )
    prepared = open_loveda(experiment.data_dir, experiment.config)
    return Dataset({"config": prepared.config, **prepared.depth}, prepared.tiles)


def source_tiles(experiment: Experiment, dataset: Dataset, notify: Callable[[str], None]):
    """The labelled tiles of the source domain; says which splits it leaves out, and why."""
    found = []
    for split in experiment.training_splits:
        try:
            tiles = dataset.tiles(split, experiment.source)
        except ValueError as error:
            if split == "train":
                raise
            notify(f"{split}/{experiment.source} is not used for training: {error}")
            continue
        if tiles.labelled:
            found.append(tiles)
        else:
            notify(f"{split}/{experiment.source} is not used for training: it has no labels")
    if not found:
        raise ValueError(
            f"There are no labelled tiles of the {experiment.source} domain in "
            f"{', '.join(experiment.training_splits)}; prepare them with their masks_png folder."
        )
    return found


def build_segmenter(experiment: Experiment, *, taps: bool, weights: bool) -> Network:
    """The experiment's network, from its weights or random ones of its seed."""
    keras.utils.set_random_seed(experiment.seed)
    arguments = asdict(experiment.segmenter)
    # Keras keeps a copy of its own of every variable: on the host, not in the GPU's memory.
    with jax.default_device(jax.devices("cpu")[0]):
        return Network(
            models.build(
                arguments.pop("name"),
                classes=len(LOVEDA),
                weights=experiment.weights if weights and experiment.weights != "none" else None,
                taps=taps,
                dtype=compute_dtype(experiment.precision),
                **arguments,
            )
        )


def start(experiment: Experiment, directory: Path, console: Console) -> dict[str, Any] | None:
    """Trains a new run in ``directory`` and evaluates it; returns the scores (see :func:`finish`).

    Raises:
        FileExistsError: if the directory already holds something.
    """
    if directory.exists() and any(directory.iterdir()):
        raise FileExistsError(
            f"{directory} already holds a run or other files. Choose another --out, or go on with "
            f"it: --resume --out {directory}"
        )
    return _train(experiment, directory, console)


def resume(experiment: Experiment, directory: Path, console: Console) -> dict[str, Any] | None:
    """Goes on with the run in ``directory`` from its last checkpoint, and evaluates it.

    Raises:
        FileNotFoundError: if the directory holds no run.
        ValueError: if the experiment is not the run's own, naming each difference.
    """
    changed = differences(read_experiment(directory), experiment)
    if changed:
        raise ValueError(
            f"The run in {directory} has other settings; leave these away to resume it, or start "
            f"a new run: {'; '.join(changed)}"
        )
    return _train(experiment, directory, console)


def read_experiment(directory: Path) -> Experiment:
    """The experiment of the run in ``directory``."""
    path = directory / "experiment.json"
    if not path.exists():
        raise FileNotFoundError(f"{directory} holds no run: there is no experiment.json in it.")
    return from_json(path.read_text(encoding="utf-8"))


def evaluate(
    directory: Path, split: str, domain: str | None, console: Console
) -> dict[str, Any]:
    """Scores the run's last checkpoint on a split and writes ``evaluations/…json`` into the run.

    ``domain`` None is the target domain. Returns what it wrote.
    """
    experiment = read_experiment(directory)
    domain = domain or experiment.target
    tiles = open_dataset(experiment).tiles(split, domain)
    if not tiles.labelled:
        raise ValueError(f"{split}/{domain} has no labels to score against.")
    predict = load_predictor(directory)
    evaluation = _score(predict, tiles, f"{split}/{domain}", console)
    result = {
        **evaluation.scores(LOVEDA),
        "commonest_class_miou": evaluation.commonest_class_miou(),
        "tiles": len(evaluation.ids),
        "split": split,
        "domain": domain,
        "direction": experiment.direction,
        "recipe": experiment.recipe,
        "inference": asdict(experiment.inference),
    }
    write_json(directory / "evaluations" / f"{split}_{domain}.json", result)
    return result


def load_predictor(
    directory: Path, inference: Inference | None = None
) -> Callable[[Tile], np.ndarray]:
    """Tile -> mean scores (H, W, K), from the last checkpoint of the run in ``directory``."""
    experiment = read_experiment(directory)
    network = build_segmenter(experiment, taps=False, weights=False)
    params, buffers = network.init()
    checkpoints = Checkpoints(directory / "checkpoints")
    params, buffers = checkpoints.restore_variables({SEGMENTER: params}, {SEGMENTER: buffers})
    checkpoints.close()
    return tile_predictor(
        network, params[SEGMENTER], buffers[SEGMENTER], inference or experiment.inference
    )


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


def _train(experiment: Experiment, directory: Path, console: Console) -> dict[str, Any] | None:
    dataset = open_dataset(experiment)
    tiles = source_tiles(experiment, dataset, console.print)
    segmenter = build_segmenter(experiment, taps=True, weights=True)
    networks = {SEGMENTER: segmenter, **experiment.method.networks()}
    optimizers = {
        name: experiment.optimizer.build(network.init()[0], experiment.steps)
        for name, network in networks.items()
    }
    state = initial_state(networks, experiment.method, optimizers, experiment.seed)
    batches = training_batches(
        tiles,
        experiment.augmentation.transforms(experiment.crop),
        batch_size=experiment.batch_size,
        seed=experiment.seed,
    )

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "experiment.json").write_text(to_json(experiment), encoding="utf-8")
    write_json(directory / "environment.json", environment(dataset, experiment))
    journal = Journal(directory / "journal.jsonl")
    checkpoints = Checkpoints(directory / "checkpoints", experiment.cadence.keep_checkpoints)
    if checkpoints.latest_step is not None:
        state, places = checkpoints.restore(state)
        batches.set_state(places["source"])
        console.print(f"resumed at step {int(state.step)}")
    journal.cut(int(state.step))
    with training_progress(console) as progress:
        run_steps(
            state,
            training_step(networks, experiment.method, optimizers, experiment.seed),
            {"source": batches},
            steps=experiment.steps,
            cadence=experiment.cadence,
            checkpoints=checkpoints,
            journal=journal,
            progress=progress,
        )
    checkpoints.close()
    return finish(experiment, dataset, directory, console)


def finish(
    experiment: Experiment, dataset: Dataset, directory: Path, console: Console
) -> dict[str, Any] | None:
    """Scores a finished run on the target's validation split and writes ``metrics.json``.

    None where that split is missing or has no labels, which is said.
    """
    try:
        labelled = dataset.tiles("val", experiment.target).labelled
    except ValueError as error:
        console.print(f"Not evaluated: {error}")
        return None
    if not labelled:
        console.print(f"Not evaluated: val/{experiment.target} has no labels.")
        return None
    result = evaluate(directory, "val", None, console)
    write_json(directory / "metrics.json", result)
    return result


def _score(predict, tiles: Tiles, title: str, console: Console) -> Evaluation:
    def classify(tile: Tile) -> Label:
        return predict(tile).argmax(-1).astype(np.uint8)

    return evaluate_tiles(classify, _tracked(tiles, title, console), len(LOVEDA))


def _tracked(tiles: Tiles, title: str, console: Console) -> Iterator[Tile]:
    disable = not console.is_terminal
    yield from track(in_order(tiles), title, len(tiles), console=console, disable=disable)


def _git_revision() -> str | None:
    """The commit of this checkout, with ``+changes`` where it has any; None for an installed copy."""
    root = Path(__file__).parent.parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != root:
            return None
        return git("describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None
