"""One battery for all recipes: they resolve, survive JSON, name sources and networks."""

import json
import re

import pytest

from rdepth_keras.data.datasets import DATASETS
from rdepth_keras.experiment import (
    from_json,
    to_json,
)
from rdepth_keras.models import MODELS
from rdepth_keras.recipes import RECIPES, default_recipe, recipe


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("direction", ["r2u", "u2r"])
def test_resolves_and_survives_json(name, direction):
    experiment = recipe(name, direction)
    assert (experiment.recipe, experiment.data.direction) == (name, direction)
    assert from_json(to_json(experiment)) == experiment
    json.loads(to_json(experiment))


@pytest.mark.parametrize("kind", DATASETS)
@pytest.mark.parametrize("model", MODELS)
def test_every_dataset_and_network_can_be_an_experiments(kind, model):
    experiment = recipe("demo").changed(data=DATASETS[kind]("u2r"), network=MODELS[model])
    again = from_json(to_json(experiment))
    assert again == experiment and type(again.network) is type(MODELS[model])
    assert type(again.data) is DATASETS[kind]


@pytest.mark.parametrize("name", RECIPES)
def test_the_docstring_names_source_and_command(name):
    text = RECIPES[name].__doc__
    assert "Source:" in text and re.search(r"Command: python scripts/train.py .*", text)


@pytest.mark.parametrize("name", RECIPES)
def test_a_name_of_both_is_one_network(name):
    if name in MODELS:
        assert recipe(name).network == MODELS[name]


@pytest.mark.parametrize(
    ("direction", "dataset", "name"),
    [
        *(("r2u", "loveda_rdepth", "rdepth_b_b"), ("u2r", "loveda_rdepth", "rdepth_b_s")),
        *(("r2r", None, "rdepth_b_b"), ("u2u", None, "rdepth_b_s")),
        *(("r2u", "demo", "demo"), ("u2r", "demo", "demo")),
    ],
)
def test_a_direction_alone_picks_the_published_row(direction, dataset, name):
    assert default_recipe(direction, dataset) == name


def test_unknown_recipes_list_the_known_ones():
    with pytest.raises(ValueError, match=r"'nope'; known are: .*rdepth_b_s.*demo"):
        recipe("nope")
    with pytest.raises(ValueError, match=r"'x2y'; known are: r2u, u2r, r2r, u2u"):
        recipe("demo", "x2y")
