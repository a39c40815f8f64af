"""Data that were exchanged under a run are told: when it goes on, and when it is scored."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from rdepth_keras.adapt import SourceOnly
from rdepth_keras.assembly import open_data
from rdepth_keras.data import png
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.labels import ClassTable
from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run
from rdepth_keras.run.files import (
    changed_files,
    check_training_files,
    labelled_pictures,
    noted_files,
    other_versions,
    others,
    picture_marks,
)
from rdepth_keras.run.surroundings import versions, weights_fingerprints

TABLE = ClassTable(("ground", "roof"), (0, 10), ((1, 1, 1), (2, 2, 2)), (99,))
PLACES = ("train/A", "val/A", "train/B", "val/B")


@pytest.fixture
def own(tmp_path):
    """A run on a folder, and its data as they were when it began."""
    rng = np.random.default_rng(0)
    for place in PLACES:
        for kind, shape in (("images", (32, 32, 3)), ("masks", (32, 32)), ("depths", (32, 32))):
            pixels = rng.integers(0, 256, shape, np.uint8)
            write(tmp_path / place / kind / "1.png", pixels if kind != "masks" else pixels * 0)
    run = Run(tmp_path / "run")
    run.begin(
        recipe("demo").changed(
            data=Folder("r2u", TABLE, "A", "B"), resources={"data_dir": str(tmp_path)}
        )
    )
    run.note_environment({"files": noted_files(run.experiment, open_data(run.experiment))}, 0)
    return run


class Adapting(SourceOnly):
    """Reads the target's tiles without their labels."""

    @property
    def uses_target(self) -> bool:
        return True


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png.encode(pixels))


def invert(path):
    path.write_bytes(png.encode(255 - png.decode(path.read_bytes())))


def now(run):
    return changed_files(run, open_data(run.experiment))


def check(run):
    files = noted_files(run.experiment, open_data(run.experiment))
    return check_training_files(run, run.experiment, files)


def test_what_is_noted(own):
    files = own.environment["files"]
    assert list(files) == ["train/A", "val/A", "val/B"]
    assert all(list(kinds) == ["images", "masks", "depths"] for kinds in files.values())
    assert now(own) == {} and check(own) == []
    json.dumps(files)


@pytest.mark.parametrize("kind", ["images", "depths"])
def test_other_training_files_are_refused(own, kind):
    invert(own.directory.parent / f"train/A/{kind}/1.png")
    assert now(own) == {"train/A": f"{kind} of train/A"}
    with pytest.raises(ValueError, match=rf"began: {kind} of train/A\. Put the files back .* new"):
        check(own)


def test_pictures_are_known_under_any_name(own):
    """Those that train with labels alone; tiles that are no files have no marks."""
    root, experiment = own.directory.parent, own.experiment.changed(method=Adapting())
    marks = labelled_pictures(experiment, open_data(experiment))
    assert len(marks) == len(set(marks)) == 2
    (root / "val/B/images/1.png").write_bytes((root / "train/A/images/1.png").read_bytes())
    for kind in ("images", "masks", "depths"):
        (root / f"val/B/{kind}/1.png").rename(root / f"val/B/{kind}/other.png")
    assert picture_marks(open_data(experiment).tiles("val", "B")) == marks[:1]
    invert(root / "val/B/images/other.png")
    assert picture_marks(open_data(experiment).tiles("val", "B"))[0] not in marks
    assert list(picture_marks([])) == []


def test_other_files_that_are_only_scored_are_told(own):
    write(own.directory.parent / "val/B/masks/1.png", np.full((32, 32), 10, np.uint8))
    assert check(own) == ["The data have changed since the run began: masks of val/B"]
    write(own.directory.parent / "train/B/masks/1.png", np.full((32, 32), 10, np.uint8))
    assert list(now(own)) == ["val/B"], "nobody looked at it"


def test_a_run_that_is_run_again_on_other_data_says_so(own):
    assert others(own, own.experiment) == []
    invert(own.directory.parent / "train/A/images/1.png")
    (said,) = others(own, own.experiment)
    assert said == f"WARNING: not the data that {own} began with: images of train/A"


def test_a_run_that_is_run_again_by_others_says_so(own, tmp_path):
    """By other versions, in another precision, from an exchanged file of weights."""
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"these")
    experiment = own.experiment.changed(training={"weights": str(weights)})
    noted = {**versions(), "compute_dtype": "float32", "weights": weights_fingerprints(experiment)}
    own.begin(experiment)
    own.note_environment(own.environment | noted, 0)
    assert others(own, experiment) == [] == other_versions(own, experiment)
    own.note_environment(own.environment | {"jax": "0.0", "compute_dtype": "bfloat16"}, 0)
    (said,) = other_versions(own, experiment)
    assert said.startswith(f"WARNING: not as {own} began: jax 0.0 then, ")
    assert said.endswith("compute_dtype bfloat16 then, float32 now")
    weights.write_bytes(b"those")
    exchanged, also = others(own, experiment)
    assert "not the weights that" in exchanged and also == said
    assert other_versions(Run(tmp_path / "none"), experiment) == []


def test_a_run_is_known_by_its_code_and_by_what_it_went_on_with(own):
    """Another revision of the same code is no other version; an older run has a revision alone."""
    own.note_environment(versions() | {"git_revision": "0f", "code": versions()["code"]}, 0)
    assert other_versions(own, own.experiment) == []
    own.note_environment(versions() | {"git_revision": "0f", "code": "0c"}, 0)
    (said,) = other_versions(own, own.experiment)
    assert "git_revision 0f then, " in said and "code 0c then, " in said
    own.note_environment(versions(), 3)
    assert other_versions(own, own.experiment) == []
    older = {name: value for name, value in versions().items() if name != "code"}
    own._note({"settings": own.environment["settings"], **older, "git_revision": "0f"})
    assert "began: git_revision 0f then, " in other_versions(own, own.experiment)[0]


def test_a_run_that_starts_from_another_state_says_so(own, tmp_path, monkeypatch):
    steps = iter((7, 7, 9))
    latest = property(lambda _: SimpleNamespace(latest_step=lambda: next(steps)))
    monkeypatch.setattr(Run, "chosen", lambda self, *_: latest.fget(self))
    before = Run(tmp_path / "before")
    before.begin(own.experiment)
    before.note_environment({}, 0)
    own.note_environment(own.environment | {"started_from": {"run": before.identity, "step": 7}}, 0)
    experiment = own.experiment.changed(training={"start_from": str(before)})
    assert others(own, own.experiment) == [] == others(own, experiment)
    other = {"started_from": {"run": "0a", "step": 7}}
    own.note_environment(own.environment | other, 0)
    for step in (7, 9):
        (said,) = others(own, experiment)
        assert said.startswith(f"WARNING: starts from step {step} of the run {before.identity} in")
        assert said.endswith("then it was step 7 of the run 0a")


def test_of_what_is_gone_nothing_is_told_and_what_is_damaged_is(own):
    root = own.directory.parent
    shutil.rmtree(root / "val/A")
    assert now(own) == {}
    (root / "train/A/depths/1.png").unlink()
    (said,) = now(own).values()
    assert said.startswith("train/A (") and "lacks the maps of" in said


def test_a_run_that_noted_nothing(own):
    own.note_environment({"device": "any"}, 0)
    invert(own.directory.parent / "train/A/images/1.png")
    assert now(own) == {} and check(own) == []


def test_a_target_without_labels_may_get_some(own):
    """Its images are read in training, its masks by nobody."""
    experiment = own.experiment.changed(method=Adapting())
    files = noted_files(experiment, open_data(experiment))
    name = "train/B (without labels)"
    assert list(files[name]) == ["images", "depths"]
    own.note_environment({"files": files}, 0)
    write(own.directory.parent / "train/B/masks/1.png", np.full((32, 32), 10, np.uint8))
    assert now(own) == {}
    invert(own.directory.parent / "train/B/images/1.png")
    assert now(own) == {name: f"images of {name}"}
    with pytest.raises(ValueError, match=r"images of train/B \(without labels\)"):
        check_training_files(own, experiment, noted_files(experiment, open_data(experiment)))
