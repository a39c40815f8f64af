"""What surrounds a training."""

import pytest

from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.labels import LOVEDA
from rdepth_keras.recipes import recipe
from rdepth_keras.run.surroundings import settled


def test_nothing_is_left_open(tmp_path, monkeypatch):
    """Places become absolute."""
    monkeypatch.chdir(tmp_path)
    data = Folder("u2r", LOVEDA, "A", "B")
    experiment = recipe("demo").changed(data=data, resources={"data_dir": "here"})
    found = settled(experiment)
    assert found.resources.data_dir == str(tmp_path / "here")
    assert found.essence() == experiment.essence()


def test_tiles_that_are_made_lie_nowhere():
    made = recipe("demo").changed(data=Demo("u2r"))
    assert settled(made) == made
    with pytest.raises(ValueError, match=r"--data-dir .*here has no effect: .* away \(None\)"):
        settled(made.changed(resources={"data_dir": "here"}))
