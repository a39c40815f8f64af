"""A training in its directory: what is recorded beside the journal, and that it changes nothing."""

import dataclasses
import io
import re
import shutil
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import jax
import keras
import numpy as np
import pytest
from rich.console import Console
from tensorboardX.proto.event_pb2 import Event

from rdepth_keras import run
from rdepth_keras.adapt import CBST, METHODS, SEGMENTER, SourceOnly
from rdepth_keras.assembly import open_data
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import Choice, Economy, Optimizers
from rdepth_keras.infer import Inference
from rdepth_keras.network import Network
from rdepth_keras.optimizers import Schedule
from rdepth_keras.recipes import recipe
from rdepth_keras.run.checks import random_for_good
from rdepth_keras.run.directory import Run
from rdepth_keras.run.preparation import prepare
from rdepth_keras.run.training import changes
from rdepth_keras.train.devices import data_mesh
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.lock import lock
from rdepth_keras.train.loop import Cadence

QUIET = Console(file=io.StringIO())


def network(experiment, training):
    """One convolution; with all outputs for training, as `models.build` has it."""
    keras.utils.set_random_seed(experiment.training.seed)
    image = keras.Input((None, None, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 255)(image)
    logits = keras.layers.Conv2D(7, 3, padding="same", name="only")(scaled)
    return Network(keras.Model({"image": image}, {"logits": logits} if training else logits))


@pytest.fixture
def experiment(monkeypatch):
    place = "rdepth_keras.assembly.training.training_network"
    monkeypatch.setattr(place, lambda e, *_: network(e, True))
    for module in ("validation", "predictor", "transfer"):
        monkeypatch.setattr(
            f"rdepth_keras.run.{module}.inference_network", lambda e: network(e, False)
        )
    return recipe("demo").changed(
        data=Demo(train_tiles=2, val_tiles=2, test_tiles=2, tile_pixels=64),
        training={
            **{"steps": 12, "batch_size": 2, "crop": 32, "choice": Choice(validation_steps=6)},
            "inference": Inference(window_pixels=64),
        },
        resources={"cadence": Cadence(log_steps=1, checkpoint_steps=6)},
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


@pytest.mark.proof
def test_what_is_watched_and_that_watching_changes_nothing(experiment, tmp_path):
    said = io.StringIO()
    watched, plain = tmp_path / "watched", tmp_path / "plain"
    watch = run.Watch(tensorboard=True, profile=True)
    scores = run.start(experiment, Run(watched), Console(file=said, width=200), watch)
    assert scores == run.start(Run(watched).experiment, Run(plain), QUIET)

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

    def start(rate, directory):
        adamw = experiment.optimizers.of(SEGMENTER)
        adamw = dataclasses.replace(adamw, learning_rate=rate, schedule=Schedule(0.0))
        wild = experiment.changed(
            optimizers=Optimizers(adamw),
            training={"choice": Choice()},
            resources={"cadence": Cadence(log_steps=1, checkpoint_steps=1)},
        )
        with pytest.raises(FloatingPointError, match="finite at step") as error:
            run.start(wild, Run(directory), QUIET)
        return error

    error = start(9e37, tmp_path / "at once")  # loss and gradients are finite, the variables not
    assert "at step 1, or its squares are not, so it is not saved" in str(error.value)
    assert not any((tmp_path / "at once/checkpoints").iterdir())
    error = start(1e12, tmp_path / "run")
    named = re.search(r"at step (\d+), .*of step (\d+)\.", str(error.value))
    step, last = map(int, named.groups())
    assert last == step - 1
    kept = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert str(last) in kept and str(step) not in kept


@pytest.mark.proof
def test_a_best_checkpoint_never_lies_beyond_the_run(experiment, tmp_path):
    """Killed after the best was kept and before an ordinary checkpoint: the best is cut."""
    chosen = experiment.changed(
        training={"choice": Choice("best", validation_steps=3)},
        resources={"cadence": Cadence(log_steps=1, checkpoint_steps=100)},
    )
    directory = tmp_path / "run"
    run.start(chosen, Run(directory), QUIET)
    entries = Journal(directory / "journal.jsonl").read()
    scores = {entry["step"]: entry["validation"]["miou"] for entry in entries if len(entry) == 3}
    best = max(scores, key=lambda step: (scores[step], -step))
    with_best = Run(directory).best()
    assert with_best.latest_step() == best
    ordinary = Run(directory).checkpoints()
    assert best in ordinary.steps(), "what is best is an ordinary checkpoint, too"
    ordinary.cut(best - 1)
    (directory / "metrics.json").unlink()
    run.resume(Run(directory).experiment, Run(directory), QUIET)
    assert Run(directory).best().latest_step() == best
    again = Journal(directory / "journal.jsonl").read()
    assert [entry.get("validation") for entry in again] == [
        entry.get("validation") for entry in entries
    ]
    # Without its scores any later validation would count as better.
    (directory / "journal.jsonl").unlink()
    (directory / "metrics.json").unlink()
    with pytest.raises(ValueError, match=f"step {best} as its best, and its journal has no score"):
        run.resume(Run(directory).experiment, Run(directory), QUIET)


def test_a_batch_that_does_not_split_evenly(experiment, tmp_path):
    """Of the two devices of the tests one takes it all; the numbers are its own."""
    odd = experiment.changed(training={"batch_size": 3, "steps": 2, "choice": Choice()})
    said = io.StringIO()
    run.start(odd, Run(tmp_path / "run"), Console(file=said))
    assert "uses 1 of 2 devices" in said.getvalue()
    assert data_mesh(3).size == 1 and data_mesh(4).size == 2 and data_mesh().size == 2


def test_data_may_move_and_settings_may_not(experiment, tmp_path):
    trained = Run(tmp_path / "run")
    run.start(experiment, trained, QUIET)
    own = trained.experiment
    assert (
        changes(trained, own.changed(resources={"economy": Economy(workers=1, remat=True)})) == {}
    )
    seeded = own.changed(training={"seed": 1})
    assert changes(trained, seeded) == {"training.seed": (0, 1)}
    run.resume(own, trained, QUIET)
    assert [entry["step"] for entry in trained.environment["resumed"]] == [12]
    assert trained.environment["trained_on"] == {"train/rural": 2, "val/rural": 2}
    assert trained.environment["tile_pixels"] == 64
    assert trained.environment["pixel_metres"] is None
    assert trained.environment["seen"] == {}, "it started from no other run"


def test_a_start_that_was_killed_at_once_is_no_dead_end(experiment, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.experiment.json.0a.partial").write_text("{")
    assert run.start(experiment, Run(tmp_path / "run"), QUIET)


def test_killed_between_the_first_checkpoint_and_its_checksums_it_begins_again(
    experiment, tmp_path, monkeypatch
):
    """Nothing whole was saved, so nothing is lost; and a checkpoint of another network is told."""
    experiment = experiment.changed(training={"steps": 6, "choice": Choice()})
    own, said = Run(tmp_path / "run"), io.StringIO()
    before = run.start(experiment, own, QUIET)
    (own.directory / "checkpoints-checksums/6.json").unlink()
    after = run.resume(experiment, own, Console(file=said, width=300))
    assert said.getvalue().count("step 6 is damaged: it was not finished") == 1
    assert "resumed" not in said.getvalue() and after["iou"] == before["iou"]
    assert [entry["step"] for entry in own.journal.read()] == list(range(1, 7))

    def other(_, *rest):
        image = keras.Input((None, None, 3), name="image")
        logits = keras.layers.Conv2D(7, 3, padding="same", name="other")(image)
        return Network(keras.Model({"image": image}, {"logits": logits}))

    monkeypatch.setattr("rdepth_keras.assembly.training.training_network", other)
    with pytest.raises(ValueError, match=r"step 6 in .*run is not of the network and optimizer"):
        run.resume(experiment, own, QUIET)


def test_what_does_not_fit_is_one_short_line(experiment, tmp_path, monkeypatch, caplog):
    """Orbax has pages to say of it, and logs a trace beside."""
    experiment = experiment.changed(training={"steps": 2, "choice": Choice()})
    own = Run(tmp_path / "run")
    run.start(experiment, own, QUIET)

    def wider(_, *rest):
        image = keras.Input((None, None, 3), name="image")
        logits = keras.layers.Conv2D(7, 5, padding="same", name="only")(image)
        return Network(keras.Model({"image": image}, {"logits": logits}))

    monkeypatch.setattr("rdepth_keras.assembly.training.training_network", wider)
    with pytest.raises(ValueError, match="is not of the network and optimizer") as error:
        run.resume(experiment, own, QUIET)
    assert "params/segmenter/only/kernel is (3, 3, 3, 7), expected is (5, 5" in str(error.value)
    assert len(str(error.value)) < 450 and not caplog.records


def test_a_validation_that_would_never_come_is_refused(experiment, tmp_path):
    late = experiment.changed(training={"choice": Choice(validation_steps=13)})
    with pytest.raises(ValueError, match="--validation-steps 13 is beyond the 12 steps"):
        run.start(late, Run(tmp_path / "run"), QUIET)
    assert not (tmp_path / "run").exists()


def test_rounds_that_would_never_come_are_refused(experiment, tmp_path):
    late = experiment.changed(method=CBST(start=0.95))
    with pytest.raises(ValueError, match="within the 12 steps of the run there would be none"):
        run.start(late, Run(tmp_path / "run"), QUIET)
    assert not (tmp_path / "run").exists()


class Refusing(SourceOnly):
    """Its loss refuses to be traced, as for a network whose features are not the ones it needs."""

    def terms(self, outputs, label, key):
        raise ValueError("these features are too small")


def test_what_a_loss_refuses_leaves_no_run(experiment, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "refusing", Refusing)
    with pytest.raises(ValueError, match="these features are too small"):
        run.start(experiment.changed(method=Refusing()), Run(tmp_path / "run"), QUIET)
    assert not (tmp_path / "run").exists()


def test_the_step_is_traced_once(experiment, tmp_path, monkeypatch):
    """What is traced before the run begins is what its first step is compiled from."""
    traced, plain = [], SourceOnly.terms
    monkeypatch.setattr(SourceOnly, "terms", lambda *a: traced.append(a) or plain(*a))
    short = experiment.changed(training={"steps": 2, "choice": Choice()})
    run.start(short, Run(tmp_path / "run"), QUIET)
    assert len(traced) == 1


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({}, "frozen from random weights, and so random for good: image_encoder and depth_"),
        ({"depth_weights": "imagenet"}, "random for good: image_encoder. Give --weights or --from"),
        ({"weights": "imagenet"}, ""),
        ({"start_from": "elsewhere"}, ""),
    ],
)
def test_frozen_encoders_that_stay_random_are_told(training, said):
    found = recipe("demo_rdepth_frozen").changed(training=training)
    told = random_for_good(found)
    assert said in told and bool(said) == bool(told)


def test_weights_that_are_a_run_lead_to_from(experiment, tmp_path):
    Run(tmp_path / "first").begin(experiment)
    given = experiment.changed(training={"weights": str(tmp_path / "first")})
    with pytest.raises(ValueError, match=r"is the directory of a run, .* --from .*first\."):
        run.start(given, Run(tmp_path / "run"), QUIET)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_run_is_refused(experiment, tmp_path):
    short = experiment.changed(training={"steps": 2, "choice": Choice()})
    one, other = Run(tmp_path / "one"), Run(tmp_path / "other")
    for own, seed in ((one, 0), (other, 1)):
        run.start(short.changed(training={"seed": seed}), own, QUIET)
    for name in ("checkpoints", "checkpoints-checksums"):
        shutil.rmtree(one.directory / name)
        shutil.copytree(other.directory / name, one.directory / name)
    for attempt in (
        lambda: run.resume(one.experiment, one, QUIET),
        lambda: run.prepare_trial(one, "val"),
    ):
        with pytest.raises(ValueError, match="step 2 in .*one.* is of another run"):
            attempt()


@pytest.fixture
def ended(experiment, tmp_path):
    """A run of four steps that has come to its end, and the same with eight."""
    own = Run(tmp_path / "run")
    short = experiment.changed(
        training={"steps": 4, "choice": Choice()},
        resources={"cadence": Cadence(log_steps=1, checkpoint_steps=2)},
    )
    run.start(short, own, QUIET)
    return own, own.experiment.changed(training={"steps": 8})


def test_a_refused_extension_leaves_the_run_as_it_was(ended):
    own, longer = ended
    settings = (own.directory / "experiment.json").read_bytes()
    (own.directory / "checkpoints-checksums/4.json").write_text("{")
    with pytest.raises(ValueError, match=r"after step 4, .* is of step 2: .* without --steps"):
        run.resume(longer, own, QUIET)
    assert (own.directory / "experiment.json").read_bytes() == settings and own.metrics
    assert own.checkpoints(lambda _: None).steps() == [2, 4], "nothing is deleted"
    shutil.rmtree(own.directory / "checkpoints")
    with pytest.raises(ValueError, match="is of step 0"):
        run.resume(longer, own, QUIET)
    assert (own.directory / "experiment.json").read_bytes() == settings and own.metrics


def test_begun_anew_an_extended_run_is_one_schedule(experiment, tmp_path):
    own, said = Run(tmp_path / "run"), io.StringIO()
    ends = {"steps": 2, "choice": Choice(), "extended_at": (1,)}
    run.start(experiment.changed(training=ends), own, Console(file=said, width=200))
    assert "2 steps at once; not the run that was extended after 1" in said.getvalue()
    assert own.experiment.training.extended_at == () and own.trained_steps == 2


@pytest.mark.proof
def test_an_extension_that_is_killed_is_one_all_the_same(ended, monkeypatch):
    """Before its first checkpoint: it is no run of eight steps, and goes on to the same end."""
    own, longer = ended
    twin = Run(own.directory.with_name("twin"))
    shutil.copytree(own.directory, twin.directory)
    run.resume(longer, twin, QUIET)

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("rdepth_keras.run.training.run_steps", killed)
        with pytest.raises(KeyboardInterrupt):
            run.resume(longer, own, QUIET)
    assert own.metrics is None and own.experiment.training.extended_at == (4,)
    result = run.evaluate(run.prepare_trial(own, "val"), QUIET)
    assert "checkpoint: last (step 4)" in run.headline(own, result)
    text = run.compare([own.directory], published=False, format="markdown")
    assert "not trained to its end: scored at step 4 of 8" in text
    with pytest.raises(ValueError, match="has other settings"):
        run.resume(own.experiment.changed(training={"steps": 12}), own, QUIET)
    run.resume(own.experiment, own, QUIET)
    losses = [[entry.get("loss") for entry in one.journal.read()] for one in (own, twin)]
    assert losses[0] == losses[1] and len(losses[0]) == 8
    tile = run.prepare_trial(own, "val").tiles[0]
    ours, theirs = (run.load_predictor(one)(tile) for one in (own, twin))
    np.testing.assert_array_equal(ours, theirs)
    assert own.metrics == twin.metrics


class Keeping(SourceOnly):
    """With a network that stays as it was built."""

    def networks(self, parts):
        return {SEGMENTER: parts.segmenter, "reference": parts.build("reference")}


def test_what_never_trains_is_the_same_when_a_run_goes_on(experiment, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "keeping", Keeping)
    short = {"steps": 2, "choice": Choice(), "weights": "published/weights"}
    monkeypatch.setattr("rdepth_keras.checkpoints.fingerprint", "digest of {}".format)
    own = Run(tmp_path / "run")
    run.start(experiment.changed(method=Keeping(), training=short), own, QUIET)
    assert own.environment["weights"] == {"weights": "digest of published/weights"}
    found = prepare(own.experiment, own, QUIET, run.Watch()).surroundings["fixed_networks"]
    assert list(found) == ["reference"] and found == own.environment["fixed_networks"]

    def other(experiment, *_):
        return network(experiment.changed(training={"seed": 1}), True)

    monkeypatch.setattr("rdepth_keras.assembly.training.training_network", other)
    with pytest.raises(ValueError, match="network reference, .* the weights published/weights"):
        run.resume(own.experiment, own, QUIET)


def test_a_full_disk_is_told_before_the_first_step(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**19))
    with pytest.raises(OSError, match=r"needs 1\.\d MiB, but .* has 0\.5 MiB free.*another --out"):
        run.start(experiment, Run(tmp_path / "deep" / "run"), QUIET)
    assert not list(tmp_path.iterdir())


def test_what_is_asked_before_the_first_step(experiment, tmp_path, monkeypatch):
    """A run among the tiles, and tiles that are scored and trained on."""
    with monkeypatch.context() as patch:
        patch.setattr(Demo, "folders", lambda self, place: [tmp_path])
        with pytest.raises(ValueError, match="lies among the tiles"):
            run.start(experiment, Run(tmp_path / "run"), QUIET)

    asked = []

    def ask(trained, data, split, domain):
        asked.append(f"{split}/{domain}")
        if len(asked) == 2 or "train/urban (without labels)" in trained:
            raise ValueError("all were asked of")
        return ""

    monkeypatch.setattr("rdepth_keras.run.preparation.trained_on_too", ask)
    with pytest.raises(ValueError, match="all were asked of"):
        run.start(experiment, Run(tmp_path / "run"), QUIET)
    assert asked == ["val/urban", "val/rural"]  # the target's, and what is validated on
    monkeypatch.setattr(SourceOnly, "uses_target", property(lambda _: True))
    with pytest.raises(ValueError, match="all were asked of"):
        run.start(experiment, Run(tmp_path / "run"), QUIET)
    assert asked[2:] == ["val/urban"], "also what is seen without labels"
    assert not (tmp_path / "run").exists()


def test_what_is_scored_and_random_numbers_are_asked_about_first(experiment, tmp_path, monkeypatch):
    data = open_data(experiment)
    odd = dataclasses.replace(data, oddities=lambda tiles: [f"{len(tiles)} tiles are there twice"])
    out = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr("rdepth_keras.run.preparation.open_data", lambda _: odd)
        run.start(experiment, Run(tmp_path / "run"), Console(file=out))
    scored = len(data.tiles("val", experiment.data.target))
    assert f"WARNING: {scored} tiles are there twice" in out.getvalue()
    with jax.default_prng_impl("rbg"), pytest.raises(ValueError, match="PRNG_IMPL=rbg.*Unset"):
        run.start(experiment, Run(tmp_path / "other"), QUIET)
    assert not (tmp_path / "other").exists()
    with jax.threefry_partitionable(False), pytest.raises(ValueError, match="other random numbers"):
        run.resume(experiment, Run(tmp_path / "run"), QUIET)


def test_a_validation_on_what_trains_is_told(experiment, tmp_path):
    choice, out = Choice(validation_steps=1), io.StringIO()
    short = {"steps": 1, "choice": choice}
    run.start(experiment.changed(training=short), Run(tmp_path / "run"), Console(file=out))
    assert "WARNING: val/rural is trained on, so that validations on it" in out.getvalue()
    assert "step 1, val rural, which is trained on" in out.getvalue()
    out, best = io.StringIO(), Choice("best", validation_steps=1)
    run.start(
        experiment.changed(training={**short, "choice": best}),
        Run(tmp_path / "best"),
        Console(file=out),
    )
    assert "is trained on" not in out.getvalue() and "step 1, val rural" in out.getvalue()


def test_a_log_says_that_the_first_step_takes_longest(experiment, tmp_path):
    out = io.StringIO()
    run.start(experiment, Run(tmp_path / "run"), Console(file=out))
    assert out.getvalue().count("Compiling the step") == 1
    run.resume(experiment, Run(tmp_path / "run"), Console(file=out))
    assert out.getvalue().count("Compiling the step") == 1, "there was none to make"


def test_two_trainings_never_share_a_directory(experiment, tmp_path):
    with lock(tmp_path), pytest.raises(RuntimeError, match="is in use: process .* choose another"):
        run.start(experiment, Run(tmp_path), QUIET)
    assert not Run(tmp_path).begun
    Run(tmp_path).begin(experiment)
    for go in (run.start, run.resume):  # before what takes long, and what else is wrong
        with lock(tmp_path), pytest.raises(RuntimeError, match="is in use"):
            go(experiment.changed(training={"steps": 1}), Run(tmp_path), QUIET)


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
        run.start(experiment, Run(tmp_path / "run"), QUIET, watch)
    assert not (tmp_path / "run").exists()


def test_a_profile_needs_steps(experiment, tmp_path):
    few = experiment.changed(training={"steps": 5, "choice": Choice()})
    with pytest.raises(ValueError, match="steps after 5; there are 5 to come"):
        run.start(few, Run(tmp_path / "run"), QUIET, run.Watch(profile=True))
    assert not (tmp_path / "run").exists()


def test_a_profile_of_a_run_that_ends_early_is_whole(experiment, tmp_path):
    short = experiment.changed(training={"steps": 7, "choice": Choice()})
    run.start(short, Run(tmp_path / "run"), QUIET, run.Watch(profile=True))
    assert list((tmp_path / "run" / "profile").rglob("*.xplane.pb"))
    run.start(short, Run(tmp_path / "again"), QUIET, run.Watch(profile=True))
