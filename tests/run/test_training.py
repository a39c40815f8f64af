"""A training in its directory: what is recorded beside the journal, and that it changes nothing."""

import dataclasses
import io
import json
import re
import struct
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event

from rdepth_keras import run
from rdepth_keras.experiment import Demo
from rdepth_keras.infer import Inference
from rdepth_keras.network import Network
from rdepth_keras.optimizers import Schedule
from rdepth_keras.recipes import recipe
from rdepth_keras.run.training import changes
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import data_mesh
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import Cadence


def network(experiment, training):
    """One convolution; with all outputs for training, as `models.build` has it."""
    keras.utils.set_random_seed(experiment.seed)
    image = keras.Input((None, None, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 255)(image)
    logits = keras.layers.Conv2D(7, 3, padding="same", name="only")(scaled)
    return Network(keras.Model({"image": image}, {"logits": logits} if training else logits))


@pytest.fixture
def experiment(monkeypatch):
    monkeypatch.setattr("rdepth_keras.run.assembly.training_network", lambda e: network(e, True))
    for module in ("evaluation", "predictor"):
        monkeypatch.setattr(
            f"rdepth_keras.run.{module}.inference_network", lambda e: network(e, False)
        )
    return dataclasses.replace(
        recipe("demo"),
        steps=12,
        batch_size=2,
        crop=32,
        inference=Inference(window_pixels=64),
        cadence=Cadence(log_steps=1, checkpoint_steps=6, validation_steps=6),
        demo=Demo(train_tiles=2, val_tiles=2, test_tiles=2, tile_pixels=64),
    )


def events(folder: Path) -> list[Event]:
    """TFRecords: length, a checksum, the event, a checksum."""
    found = []
    for path in folder.iterdir():
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return found


def test_what_is_watched_and_that_watching_changes_nothing(experiment, tmp_path):
    said = io.StringIO()
    watched, plain = tmp_path / "watched", tmp_path / "plain"
    watch = run.Watch(tensorboard=True, profile=True)
    scores = run.start(experiment, watched, Console(file=said, width=200), watch)
    assert scores == run.start(run.read_experiment(watched), plain, Console(file=io.StringIO()))

    values = {}
    for event in events(watched / "tensorboard"):
        for value in event.summary.value:
            values.setdefault(value.tag, {})[event.step] = value
    assert sorted(values["loss"]) == list(range(1, 13))
    assert {"learning_rate", "gradient_norm", "time/images_per_second"} <= values.keys()
    assert sorted(values["validation/miou"]) == [6, 12]
    picture = np.frombuffer(values["rural"][12].image.encoded_image_string, np.uint8)
    assert cv2.imdecode(picture, cv2.IMREAD_COLOR).shape == (64, 3 * 64, 3)

    assert list((watched / "profile").rglob("*.xplane.pb"))
    tables = said.getvalue()
    assert tables.count("taken for") == 2 and "step 12, val rural" in tables
    assert "compiled and ran the first step in" in tables


def test_what_is_not_finite_stops_the_run(experiment, tmp_path):
    """The step, its tiles and the last good checkpoint are named; no bad one is written."""
    cadence = dataclasses.replace(experiment.cadence, checkpoint_steps=1, validation_steps=None)

    def start(rate, directory):
        wild = dataclasses.replace(experiment.optimizer, learning_rate=rate, schedule=Schedule(0.0))
        wild = dataclasses.replace(experiment, optimizer=wild, cadence=cadence)
        with pytest.raises(FloatingPointError, match="finite at step") as error:
            run.start(wild, directory, Console(file=io.StringIO()))
        return error

    error = start(9e37, tmp_path / "at once")  # loss and gradients are finite, the variables not
    assert "at step 1," in str(error.value) and "no checkpoint yet" in str(error.value)
    assert not any((tmp_path / "at once/checkpoints").iterdir())
    error = start(1e12, tmp_path / "run")
    named = re.search(r"at step (\d+), on the tiles \[.*\d.*\].*of step (\d+)\.$", str(error.value))
    step, last = map(int, named.groups())
    assert last == step - 1
    kept = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert str(last) in kept and str(step) not in kept


def test_a_best_checkpoint_never_lies_beyond_the_run(experiment, tmp_path):
    """Killed after the best was kept and before an ordinary checkpoint: the best is cut."""
    cadence = dataclasses.replace(experiment.cadence, checkpoint_steps=100, validation_steps=3)
    chosen = dataclasses.replace(experiment, cadence=cadence, selection="best")
    directory = tmp_path / "run"
    run.start(chosen, directory, Console(file=io.StringIO()))
    entries = Journal(directory / "journal.jsonl").read()
    scores = {entry["step"]: entry["validation"]["miou"] for entry in entries if len(entry) == 3}
    best = max(scores, key=lambda step: (scores[step], -step))
    with_best = Checkpoints(directory / "best")
    assert with_best.latest_step() == best
    ordinary = Checkpoints(directory / "checkpoints")
    assert best in ordinary.steps(), "what is best is an ordinary checkpoint, too"
    ordinary.cut(best - 1)
    (directory / "metrics.json").unlink()
    run.resume(run.read_experiment(directory), directory, Console(file=io.StringIO()))
    assert Checkpoints(directory / "best").latest_step() == best
    again = Journal(directory / "journal.jsonl").read()
    assert [entry.get("validation") for entry in again] == [
        entry.get("validation") for entry in entries
    ]


def test_a_batch_that_does_not_split_evenly(experiment, tmp_path):
    """Of the two devices of the tests one takes it all; the numbers are its own."""
    odd = dataclasses.replace(experiment, batch_size=3, steps=2)
    said = io.StringIO()
    run.start(odd, tmp_path / "run", Console(file=said))
    assert "uses 1 of 2 devices" in said.getvalue()
    assert data_mesh(3).size == 1 and data_mesh(4).size == 2 and data_mesh().size == 2


def test_data_may_move_and_settings_may_not(experiment, tmp_path):
    run.start(experiment, tmp_path / "run", Console(file=io.StringIO()))
    own = run.read_experiment(tmp_path / "run")
    assert changes(tmp_path / "run", dataclasses.replace(own, workers=1)) == []
    assert changes(tmp_path / "run", dataclasses.replace(own, seed=1)) == ["seed: 0 -> 1"]
    run.resume(own, tmp_path / "run", Console(file=io.StringIO()))
    known = json.loads((tmp_path / "run/environment.json").read_text())
    assert [entry["step"] for entry in known["resumed"]] == [12]


def test_a_start_that_was_killed_at_once_is_no_dead_end(experiment, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/experiment.partial").write_text("{")
    assert run.start(experiment, tmp_path / "run", Console(file=io.StringIO()))


@pytest.mark.parametrize("missing", ["tensorboardX", "labels"])
def test_what_is_missing_is_told_before_anything_is_written(
    experiment, tmp_path, monkeypatch, missing
):
    watch = run.Watch(tensorboard=missing == "tensorboardX")
    if missing == "labels":
        place = "rdepth_keras.run.validation.labelled_tiles"
        monkeypatch.setattr(place, lambda *_: "no labels.")
    else:
        monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises((ImportError, ValueError), match=r"pip install|nothing to validate on"):
        run.start(experiment, tmp_path / "run", Console(file=io.StringIO()), watch)
    assert not (tmp_path / "run").exists()


def test_a_profile_needs_steps(experiment, tmp_path):
    few = dataclasses.replace(experiment, steps=5)
    with pytest.raises(ValueError, match="steps after 5; there are 5 to come"):
        run.start(few, tmp_path / "run", Console(file=io.StringIO()), run.Watch(profile=True))
    assert not (tmp_path / "run").exists()


def test_a_profile_of_a_run_that_ends_early_is_whole(experiment, tmp_path):
    short = dataclasses.replace(experiment, steps=7)
    run.start(short, tmp_path / "run", Console(file=io.StringIO()), run.Watch(profile=True))
    assert list((tmp_path / "run" / "profile").rglob("*.xplane.pb"))
    run.start(short, tmp_path / "again", Console(file=io.StringIO()), run.Watch(profile=True))
