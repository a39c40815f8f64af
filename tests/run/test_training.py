"""A training in its directory: what is recorded beside the journal, and that it changes nothing."""

import dataclasses
import io
import struct
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
from rdepth_keras.models.network import Network
from rdepth_keras.recipes import recipe
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


def test_a_profile_of_a_run_that_ends_early_is_whole(experiment, tmp_path):
    short = dataclasses.replace(experiment, steps=7)
    run.start(short, tmp_path / "run", Console(file=io.StringIO()), run.Watch(profile=True))
    assert list((tmp_path / "run" / "profile").rglob("*.xplane.pb"))
    run.start(short, tmp_path / "again", Console(file=io.StringIO()), run.Watch(profile=True))
