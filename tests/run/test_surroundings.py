"""What surrounds a training."""

from pathlib import Path

import pytest

from rdepth_keras import run
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.labels import LOVEDA
from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run
from rdepth_keras.run.surroundings import VERSIONS, code_digest, settled, versions
from rdepth_keras.run.training import changes


def test_nothing_is_left_open(tmp_path, monkeypatch):
    """Places become absolute."""
    monkeypatch.chdir(tmp_path)
    data = Folder("u2r", LOVEDA, "A", "B")
    experiment = recipe("demo").changed(data=data, resources={"data_dir": "here"})
    found = settled(experiment)
    assert found.resources.data_dir == str(tmp_path / "here")
    assert found.essence() == experiment.essence()


def test_weights_that_lie_here_are_found_from_elsewhere(tmp_path, monkeypatch):
    """A name stays one, and a run that noted a relative path is the same run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.safetensors").touch()
    (tmp_path / "imagenet").mkdir()
    given = {"weights": "a.safetensors", "depth_weights": "timm/convnext_atto.d2_in1k"}
    experiment = recipe("demo").changed(training=given)
    found = settled(experiment).training
    assert found.weights == str(tmp_path / "a.safetensors")
    assert found.depth_weights == "timm/convnext_atto.d2_in1k"
    named = experiment.changed(training={"weights": "imagenet", "depth_weights": "none"})
    assert settled(named) == named
    own = Run(tmp_path / "run")
    own.begin(experiment)
    assert changes(own, settled(experiment)) == {}


def test_tiles_that_are_made_lie_nowhere():
    made = recipe("demo").changed(data=Demo("u2r"))
    assert settled(made) == made
    with pytest.raises(ValueError, match=r"--data-dir .*here has no effect: .* away \(None\)"):
        settled(made.changed(resources={"data_dir": "here"}))


def test_versions_tell_one_state_of_the_code_from_another(tmp_path):
    """Of a copy without git as well; what is no module decides nothing."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/twin.py").write_text("MEAN = 1")
    first = code_digest(tmp_path)
    (tmp_path / "README.md").write_text("words")
    assert code_digest(tmp_path) == first
    (tmp_path / "models/twin.py").rename(tmp_path / "models/other.py")
    moved = code_digest(tmp_path)
    (tmp_path / "models/other.py").write_text("MEAN = 2")
    assert len({first, moved, code_digest(tmp_path)}) == 3
    assert versions().keys() == set(VERSIONS)
    assert versions()["code"] == code_digest(Path(run.__file__).parents[1])
