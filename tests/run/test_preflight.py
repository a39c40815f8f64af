"""The look before the first real run: what it measures, and that trouble is named, not raised."""

import shutil
from types import SimpleNamespace

import keras
import pytest

from rdepth_keras.adapt import CBST, METHODS
from rdepth_keras.assembly import training
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.experiment import Choice
from rdepth_keras.network import Network
from rdepth_keras.recipes import recipe
from rdepth_keras.run import preflight as module
from rdepth_keras.run.preflight import preflight, rehearse
from rdepth_keras.train.checkpoint import MARGIN_BYTES


def toy(experiment, taps=True):
    image = keras.Input((None, None, 3), name="image")
    depth = keras.Input((None, None, 1), name="depth")
    both = keras.layers.Concatenate()([keras.layers.Rescaling(1 / 255)(image), depth])
    logits = keras.layers.Conv2D(7, 4, strides=4, name="logits")(both)
    whole = keras.layers.UpSampling2D(4)(logits)
    outputs = {"logits": logits} if taps else whole
    return Network(keras.Model({"image": image, "depth": depth}, outputs))


@pytest.fixture
def experiment(monkeypatch):
    monkeypatch.setattr(training, "training_network", lambda e, *_: toy(e))
    demo = Demo(train_tiles=2, val_tiles=2, test_tiles=2, tile_pixels=64)
    small = {"crop": 32, "batch_size": 2, "steps": 1000}
    return recipe("demo").changed(data=demo, training=small)


def test_a_rehearsal_is_measured(experiment):
    found = rehearse(experiment.changed(training={"choice": Choice(average_decay=0.9)}))
    assert 0 < found.step_seconds < found.first_step_seconds
    variables = 4 * 4 * 4 * 7 + 7
    arrays = found.state_bytes - MARGIN_BYTES
    assert 4 * 4 * variables <= arrays < 4 * 4 * variables + 64, "weights, average, two moments"


def test_a_method_of_rounds_is_measured_after_its_first_round(experiment, monkeypatch):
    """Labelling and all: the tiles that are labelled, and the step that sees the target."""
    seen = []

    class Counted(CBST):
        def relabel(self, probabilities, step):
            seen.append((step, len(probabilities)))
            return super().relabel(probabilities, step)

    monkeypatch.setitem(METHODS, "counted", Counted)
    monkeypatch.setattr("rdepth_keras.run.training.inference_network", lambda e: toy(e, taps=False))
    demo = Demo(train_tiles=6, val_tiles=2, test_tiles=2, tile_pixels=64)
    found = rehearse(experiment.changed(data=demo, method=Counted(start=0.5, every=0.25)))
    assert seen == [(500, 4), (500, 4)], "once to compile, once to measure"
    assert (found.labelling.rounds, found.labelling.tiles) == (2, 6)
    expected = 1000 * found.step_seconds + 2 * 6 * found.labelling.tile_seconds
    assert found.labelling.tile_seconds > 0
    assert found.hours(1000) == pytest.approx(expected / 3600)
    said = module._describe(experiment, found)
    assert "s a step after a round" in said and "for 2 rounds of 6 tiles at " in said


def test_time_and_disk_follow_from_it(experiment, tmp_path, monkeypatch):
    measured = module.Rehearsal(3.6, 60.0, 1 << 30, 5 << 30)
    monkeypatch.setattr(module, "rehearse", lambda _: measured)
    heard = []
    found = preflight([experiment, experiment], 3, tmp_path / "new" / "runs", heard.append)
    assert found == heard and all(finding.good for finding in found[1:])
    said = {finding.name: finding.said for finding in found}
    assert "1.0 hours a run" in said["demo"] and "5.0 GiB of the device's memory" in said["demo"]
    assert said["time"].startswith("6.0 hours of training for 6 runs")
    assert said["disk"].startswith(
        f"{6 * (1 + experiment.resources.cadence.keep_checkpoints)}.0 GiB needed"
    )
    best = experiment.changed(training={"choice": Choice("best", validation_steps=500)})
    (said,) = [f.said for f in preflight([best], 1, tmp_path, heard.append) if f.name == "disk"]
    assert said.startswith(f"{3 + experiment.resources.cadence.keep_checkpoints}.0 GiB needed")
    full = SimpleNamespace(free=1 << 30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    found = preflight([experiment], 1, tmp_path, heard.append)
    assert [finding.name for finding in found if not finding.good] == ["disk"]
    assert "BAD  disk" in str(heard[-2])


def test_missing_data_are_named(experiment, tmp_path):
    lost = experiment.changed(data=LoveDA(), resources={"data_dir": str(tmp_path)})
    found = preflight([lost], 1, tmp_path, lambda _: None)
    bad = {finding.name: finding.said for finding in found if not finding.good}
    assert set(bad) == {"dataset", "demo", "disk", "time"} and "not prepared" in bad["dataset"]
    assert bad["time"] == "unknown, since 1 of 1 rows cannot be trained as it is"
    assert bad["disk"].startswith("unknown, since 1 of 1 rows ") and "GiB free" in bad["disk"]


def test_too_little_memory_is_named(experiment, tmp_path, monkeypatch):
    def full(_):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(module, "rehearse", full)
    found = preflight([experiment], 1, tmp_path, lambda _: None)
    assert any(not finding.good and "RESOURCE_EXHAUSTED" in finding.said for finding in found)
