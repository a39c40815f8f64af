"""What surrounds a training."""

import pytest

from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.labels import LOVEDA
from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run
from rdepth_keras.run.surroundings import settled
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
