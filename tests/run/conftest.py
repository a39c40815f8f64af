"""Runs as training leaves them, but of a toy network with random weights: nothing is trained here,
and little is compiled."""

from pathlib import Path

import jax.numpy as jnp
import keras
import pytest

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import Choice, Experiment, from_json, to_json
from rdepth_keras.infer import Inference
from rdepth_keras.network import Network
from rdepth_keras.optimizers import AdamW
from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run, _settings
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.state import initial_state


def toy_network(experiment: Experiment) -> Network:
    """Two convolutions over image and depth; stands in for the experiment's own network."""
    keras.utils.set_random_seed(experiment.training.seed)
    image = keras.Input((None, None, 3), name="image")
    depth = keras.Input((None, None, 1), name="depth")
    both = keras.layers.Concatenate()([keras.layers.Rescaling(1 / 255)(image), depth])
    features = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="first")(both)
    logits = keras.layers.Conv2D(7, 1, name="last")(3 * features)
    return Network(keras.Model({"image": image, "depth": depth}, logits))


def tiny_experiment(seed: int) -> Experiment:
    return recipe("demo").changed(
        data=Demo("r2u", train_tiles=2, val_tiles=3, test_tiles=2, tile_pixels=64),
        training={
            "seed": seed,
            "choice": Choice(),
            "inference": Inference(window_pixels=64),
        },
    )


def note(directory: Path, experiment: Experiment, **environment) -> None:
    """Writes, also in the place of links, what a run is and began with; it bears no identity."""
    text = to_json(experiment)
    for name in ("experiment", "environment"):
        (directory / f"{name}.json").unlink(missing_ok=True)
    (directory / "experiment.json").write_text(text)
    Run(directory)._note({"settings": [_settings(from_json(text))], **environment})


def make_run(directory: Path, experiment: Experiment) -> Path:
    directory.mkdir(parents=True)
    note(directory, experiment, depth={"source": "procedural heights"})
    (directory / "journal.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.5}\n')
    networks = {SEGMENTER: toy_network(experiment)}
    state = initial_state(networks, experiment.method, {SEGMENTER: AdamW(stage_decay=1.0)}, seed=0)
    checkpoints = Checkpoints(directory / "checkpoints")
    checkpoints.save(state._replace(step=jnp.ones((), jnp.int32)), {})
    checkpoints.close()
    return directory


@pytest.fixture(scope="session")
def saved_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    return [make_run(folder / f"seed{seed}", tiny_experiment(seed)) for seed in (0, 1)]


@pytest.fixture
def random_runs(saved_runs, monkeypatch):
    """The directories of two runs that differ in their seed, read-only."""
    monkeypatch.setattr("rdepth_keras.run.predictor.inference_network", toy_network)
    return saved_runs


@pytest.fixture
def noted():
    """(directory, experiment, **environment): writes both into a run."""
    return note


@pytest.fixture
def copied(random_runs, tmp_path):
    """The same, to write into; the checkpoints stay where they are."""
    for run in random_runs:
        (tmp_path / run.name).mkdir()
        for path in run.iterdir():
            (tmp_path / run.name / path.name).symlink_to(path)
    return [tmp_path / run.name for run in random_runs]
