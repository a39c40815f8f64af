"""Where an experiment leaves its recipe."""

from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.recipes import recipe
from rdepth_keras.recipes.deviation import changes


def test_what_leaves_a_recipe_is_told():
    experiment = recipe("segformer").changed(
        data=Demo("r2u"), training={"seed": 3, "steps": 5}, resources={"data_dir": "here"}
    )
    assert changes(experiment) == ["training.steps: 40000 -> 5"]
    assert changes(recipe("demo")) == []
    assert changes(experiment.changed(recipe="gone")) == []
