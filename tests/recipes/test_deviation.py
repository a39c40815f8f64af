"""Where an experiment leaves its recipe."""

from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.recipes import recipe
from rdepth_keras.recipes.deviation import changes, deviation, side_taken


def test_what_leaves_a_recipe_is_told():
    experiment = recipe("segformer").changed(
        data=Demo("r2u"), training={"seed": 3, "steps": 5}, resources={"data_dir": "here"}
    )
    assert changes(experiment) == ["training.steps: 40000 -> 5"]
    assert changes(recipe("demo")) == []
    assert changes(experiment.changed(recipe="gone")) == []


def test_whose_settings_named_domains_took_is_told():
    """Two runs of one recipe on one folder would else differ and not say so."""
    own = {"source_domain": "a", "target_domain": "b"}
    said = {
        way: side_taken(recipe("adaptsegnet", way).changed(data=Folder(way, **own)))
        for way in ("r2u", "u2r", "r2r")
    }
    assert said["r2u"].startswith("settings of --direction r2u, not u2r: optimizers.")
    assert "warmup_fraction: 0.05 -> 0.0" in said["r2u"]
    assert "warmup_fraction: 0.0 -> 0.05" in said["u2r"]
    assert said["r2r"] == said["r2u"].replace("r2u, not u2r", "r2r, not u2u")
    experiment = recipe("adaptsegnet", "u2r").changed(data=Folder("u2r", **own))
    assert deviation(experiment) == said["u2r"]
    shorter = deviation(experiment.changed(training={"steps": 5}))
    assert shorter == f"not as in the recipe adaptsegnet: training.steps: 10000 -> 5; {said['u2r']}"
    for same in (recipe("adaptsegnet", "u2r"), recipe("segformer").changed(data=Folder(**own))):
        assert side_taken(same) == ""
    assert side_taken(experiment.changed(recipe="gone")) == ""
