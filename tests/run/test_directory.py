"""A run directory through its one reader and writer."""

import json

import numpy as np
import pytest

from rdepth_keras.atomic import write_text
from rdepth_keras.data.dataset import Opened
from rdepth_keras.evaluate.counts import Counts
from rdepth_keras.experiment import Choice, Economy, Sampling, to_json
from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run
from rdepth_keras.run.surroundings import surroundings

HEIGHTS = {"source": "procedural heights"}


def opened(depth):
    return Opened(depth, lambda *_: pytest.fail("no tile is read"))


@pytest.fixture
def begun(tmp_path):
    run = Run(tmp_path / "deep" / "run")
    run.begin(recipe("demo"))
    return run


def test_what_was_begun_is_read_back(begun):
    assert begun.begun and begun.occupied and begun.experiment == recipe("demo")
    assert begun.environment == {} and begun.metrics is None and begun.journal.read() == []
    assert begun.name == "run" and str(begun) == str(begun.directory)
    begun.finish({"miou": 0.5})
    assert Run(begun.directory).metrics == {"miou": 0.5}


def test_data_that_were_moved(tmp_path, begun):
    own, moved = Run(tmp_path), Run(tmp_path, data_dir="/elsewhere")
    own.begin(recipe("rdepth_b_s"))
    assert moved.experiment.resources.data_dir == "/elsewhere"
    assert own.experiment.resources.data_dir is None
    assert moved.experiment.essence() == own.experiment.essence()
    with pytest.raises(ValueError, match="--data-dir /elsewhere has no effect: tiles of Demo are"):
        _ = Run(begun.directory, data_dir="/elsewhere").experiment


def test_what_a_start_killed_at_once_leaves_is_no_run(tmp_path):
    run = Run(tmp_path)
    assert not run.occupied and not Run(tmp_path / "nowhere").occupied
    (tmp_path / ".experiment.json.0a1b.partial").write_text("{")
    (tmp_path / ".lock").write_text("{}")
    assert not run.occupied and not run.begun
    (tmp_path / "notes.txt").write_text("mine")
    assert run.occupied and not run.begun


def test_damaged_files_are_named(begun):
    (begun.directory / "metrics.json").write_text('{"miou": ')
    with pytest.raises(ValueError, match=r"metrics\.json is damaged"):
        _ = begun.metrics
    for content in ('["x"]', '"x"', "7", "null"):
        (begun.directory / "environment.json").write_text(content)
        with pytest.raises(ValueError, match=r"environment\.json is damaged: it holds no object"):
            _ = begun.environment
    (begun.directory / "experiment.json").write_text("[]")
    with pytest.raises(ValueError, match=r"experiment\.json: Not an experiment of this version"):
        _ = begun.experiment
    with pytest.raises(FileNotFoundError, match="holds no run"):
        _ = Run(begun.directory / "nothing").experiment
    with pytest.raises(NotADirectoryError, match="is a file; expected is the folder of a run"):
        _ = Run(begun.directory / "experiment.json").experiment
    for name in ("experiment", "metrics"):
        (begun.directory / f"{name}.json").unlink()
        (begun.directory / f"{name}.json").mkdir()
        with pytest.raises(IsADirectoryError, match=rf"{name}\.json is a folder; expected is the"):
            _ = getattr(begun, name)


@pytest.mark.parametrize(
    "change",
    [
        {"seen": {}},
        {"run": 7},
        {"settings": []},
        {"digest": None},
        {"resumed": [3]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_environment_that_was_changed_is_refused(begun, change):
    """Else a run from another's weights could say that it never saw the target."""
    begun.note_environment({"seen": {"Demo urban": "labelled Train"}}, 0)
    path = begun.directory / "environment.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))  # the same, ordered otherwise
    assert begun.environment["seen"] == {"Demo urban": "labelled Train"}
    path.write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=r"environment\.json is not as it was written: .* Put it"):
        _ = begun.environment


def test_a_run_is_itself_however_often_it_is_resumed(begun, tmp_path):
    assert begun.identity == ""
    for step in (0, 0, 7):
        begun.note_environment({"device": "a"}, step)
    other = Run(tmp_path / "other")
    other.begin(recipe("demo"))
    other.note_environment({"device": "a"}, 0)
    assert len(begun.identity) == 16 and begun.identity == begun.environment["run"]
    assert other.identity != begun.identity


@pytest.mark.parametrize(
    "training", [{"choice": Choice(average_decay=0.5)}, {"seed": 7}, {"steps": 7}]
)
def test_settings_that_were_changed_are_refused(begun, training):
    begun.note_environment({}, 0)
    own, path = begun.experiment, begun.directory / "experiment.json"
    path.write_text(
        to_json(own.changed(resources={"data_dir": "/elsewhere", "economy": Economy(workers=7)}))
    )
    assert begun.experiment.essence() == own.essence()
    path.write_text(to_json(own.changed(training=training)))
    with pytest.raises(ValueError, match=r"experiment\.json holds other settings than .* Put it"):
        _ = begun.experiment
    path.write_text(to_json(own))
    assert begun.experiment == own


def test_a_kill_between_settings_and_their_digest_does_no_harm(begun, monkeypatch):
    """An extension is one of the two, and then alone; 1 is read as 1.0."""
    begun.note_environment({}, 0)
    first = begun.experiment
    longer = first.changed(training={"steps": 1000, "sampling": Sampling(1)})
    with monkeypatch.context() as patch:
        patch.setattr("rdepth_keras.run.directory.write_text", killed_at("experiment.json"))
        with pytest.raises(KeyboardInterrupt):
            begun.begin(longer)
    assert begun.experiment == first
    begun.begin(longer)
    assert begun.experiment == longer
    begun.note_environment({}, 500)
    assert begun.experiment == longer
    (begun.directory / "experiment.json").write_text(to_json(first))
    with pytest.raises(ValueError, match="other settings"):
        _ = begun.experiment


def killed_at(name):
    def write(path, text):
        if path.name == name:
            raise KeyboardInterrupt
        write_text(path, text)

    return write


def test_more_steps_take_the_end_away(begun):
    begun.finish({"miou": 0.5})
    begun.begin(begun.experiment)
    assert begun.metrics == {"miou": 0.5}
    begun.begin(begun.experiment.changed(training={"steps": 1000}))
    assert begun.metrics is None and begun.experiment.training.steps == 1000


def test_where_it_began_and_was_resumed(begun):
    facts = surroundings(recipe("demo"), opened(HEIGHTS), {"train/rural": 3}, {})
    begun.note_environment(facts, 0)
    begun.note_environment({**facts, "device": "another"}, 7)
    known = begun.environment
    assert known["device"] != "another" and known["trained_on"] == {"train/rural": 3}
    assert [(entry["step"], entry["device"]) for entry in known["resumed"]] == [(7, "another")]


def test_other_data_than_it_began_with_are_refused(begun):
    begun.check_data(opened({"source": "anything"}))  # nothing is known yet
    begun.note_environment(surroundings(recipe("demo"), opened(HEIGHTS), {"train/rural": 3}, {}), 0)
    begun.check_data(opened(HEIGHTS), {"train/rural": 3})
    with pytest.raises(ValueError, match=r"other depth .*procedural heights.*lidar"):
        begun.check_data(opened({"source": "lidar"}))
    begun.check_data(opened(HEIGHTS | {"origin": "told by later versions"}))
    with pytest.raises(ValueError, match=r"other tiles .*3.*2"):
        begun.check_data(opened(HEIGHTS), {"train/rural": 2})


def test_evaluations_by_name(begun):
    with pytest.raises(FileNotFoundError, match=r"evaluate\.py --run"):
        begun.evaluations.read()
    counts = Counts((1, 2), np.ones((2, 7, 7), np.int64))
    name = "val_urban-scales=0.75+1.0"  # a dot is no ending
    begun.evaluations.write(name, {"miou": 0.25}, counts)
    assert begun.evaluations.read() == {name: {"miou": 0.25}}
    np.testing.assert_array_equal(begun.evaluations.counts(name).confusions, counts.confusions)
    assert begun.evaluations.write_page(name, "<html>").name == f"{name}.html"


@pytest.fixture
def evaluated(begun):
    """A run with an identity, an evaluation, and its file."""
    begun.note_environment({}, 0)
    result = {"miou": 0.25, "split": "val", "seeds": [0], "inference": {"scales": (1.0,)}}
    begun.evaluations.write("val_urban", result, Counts((1,), np.ones((1, 7, 7), np.int64)))
    assert begun.evaluations.read()["val_urban"] == json.loads(json.dumps(result))
    return begun, begun.directory / "evaluations/val_urban.json"


@pytest.mark.parametrize(
    "change",
    [{"split": "train"}, {"seeds": [1]}, {"inference": {"scales": [0.5]}}, {"dataset": "LoveDA"}],
)
def test_an_evaluation_that_was_changed_is_refused(evaluated, change):
    run, path = evaluated
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items()))))  # the same, ordered otherwise
    assert run.evaluations.read()
    path.write_text(json.dumps(content | change))
    with pytest.raises(ValueError, match=r"val_urban\.json is not what .* Evaluate the run again"):
        run.evaluations.read()


def test_an_evaluation_of_another_run_is_refused(evaluated, tmp_path):
    """Also where it was made not to say so."""
    run, path = evaluated
    other = Run(tmp_path / "other")
    other.begin(recipe("demo"))
    other.note_environment({}, 0)
    other.evaluations.write("val_urban", {"miou": 1.0}, run.evaluations.counts("val_urban"))
    for file in (other.directory / "evaluations").iterdir():
        path.with_name(file.name).write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match=rf"of another run, {other.identity}, and not of this one"):
        run.evaluations.read()
    path.write_text(json.dumps({"miou": 1.0}))
    with pytest.raises(ValueError, match="another run, which it does not name, and not of this"):
        run.evaluations.read()


def test_where_the_identity_was_lost_a_named_evaluation_is_refused(evaluated):
    run, _ = evaluated
    (run.directory / "environment.json").unlink()
    with pytest.raises(ValueError, match=r"is of the run \w+, but .* environment\.json back"):
        run.evaluations.read()


def test_a_picture_of_examples(begun):
    path = begun.write_examples(np.zeros((4, 5, 3), np.uint8))
    assert path.name == "examples.png" and path.read_bytes().startswith(b"\x89PNG")
    assert not [path for path in begun.directory.iterdir() if path.name.endswith(".partial")]
