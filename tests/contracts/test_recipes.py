"""One battery for all recipes: they resolve, survive JSON, name sources and networks."""

import json
import re
from dataclasses import replace

import pytest

from rdepth_keras import models
from rdepth_keras.experiment import differences, from_json, to_json
from rdepth_keras.infer import Inference
from rdepth_keras.recipes import RECIPES, changes, default_recipe, recipe
from rdepth_keras.train.loop import Cadence


@pytest.mark.parametrize("name", RECIPES)
def test_resolves_and_survives_json(name):
    experiment = recipe(name)
    assert experiment.recipe == name
    assert from_json(to_json(experiment)) == experiment
    json.loads(to_json(experiment))


@pytest.mark.parametrize("name", RECIPES)
def test_the_docstring_names_source_and_command(name):
    text = RECIPES[name].__doc__
    assert "Source:" in text and re.search(r"Command: python scripts/train.py .*", text)


@pytest.mark.parametrize("name", RECIPES)
def test_its_network_exists(name):
    segmenter = recipe(name).segmenter
    assert segmenter.image_encoder in models.ENCODERS
    assert segmenter.depth_encoder is None or segmenter.depth_encoder in models.ENCODERS
    assert segmenter.fusion in models.FUSIONS and segmenter.decoder in models.DECODERS


@pytest.mark.parametrize(
    ("direction", "dataset", "name"),
    [
        ("r2u", "loveda_rdepth", "rdepth_b_b"),
        ("u2r", "loveda_rdepth", "rdepth_b_s"),
        ("r2u", "demo", "demo"),
    ],
)
def test_a_direction_alone_picks_the_published_row(direction, dataset, name):
    assert default_recipe(direction, dataset) == name


def test_unknown_recipes_list_the_known_ones():
    with pytest.raises(ValueError, match=r"'nope'; known are: .*rdepth_b_s.*demo"):
        recipe("nope")


def test_the_papers_numbers():
    """recipe.md: AdamW 1e-4, decay 0.05, 40 000 steps of 4 crops of 512, windows 512/512."""
    experiment = recipe("rdepth_b_s")
    assert (experiment.steps, experiment.batch_size, experiment.crop) == (40_000, 4, 512)
    assert experiment.optimizer.schedule.warmup_fraction * experiment.steps == 1500
    assert experiment.inference == Inference(window_pixels=512)
    assert experiment.segmenter.drop_path == 0.4 and experiment.segmenter.channels == 512


def test_domains_and_training_splits():
    experiment = recipe("demo")
    assert (experiment.source, experiment.target) == ("rural", "urban")
    assert experiment.training_splits == ("train", "val")
    reference = replace(experiment, direction="u2u")
    assert reference.training_splits == ("train",), "Val is scored, so it must not train"
    cadence = replace(experiment.cadence, validation_steps=10)
    best = replace(experiment, selection="best", cadence=cadence)
    assert best.training_splits == ("train",) and best.validation_domain == "rural"
    leaky = replace(best, selection="best_by_target_labels")
    assert leaky.validation_domain == "urban" and leaky.training_splits == ("train", "val")


def test_differences_are_named():
    one = recipe("demo")
    other = replace(one, steps=7, optimizer=replace(one.optimizer, beta1=0.8))
    assert differences(one, other) == ["optimizer.beta1: 0.9 -> 0.8", "steps: 240 -> 7"]
    assert differences(one, one) == []


@pytest.mark.parametrize(
    "change",
    [
        *({"steps": 0}, {"batch_size": 0}, {"crop": 31}, {"accumulate": 0}, {"average_decay": 1.0}),
        *({"selection": "best"}, {"selection": "best", "cadence": Cadence(validation_steps=241)}),
        {"selection": "best", "cadence": Cadence(validation_steps=9), "direction": "r2r"},
    ],
)
def test_impossible_settings(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(recipe("demo"), **change)


@pytest.mark.parametrize(
    "name", ["log_steps", "checkpoint_steps", "keep_checkpoints", "validation_steps"]
)
def test_impossible_cadence(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1; received 0"):
        Cadence(**{name: 0})


def test_what_leaves_a_recipe_is_told():
    experiment = replace(recipe("segformer"), seed=3, direction="r2u", data_dir="here", steps=5)
    assert changes(experiment) == ["steps: 40000 -> 5"]
    assert changes(recipe("demo")) == []


@pytest.mark.parametrize(
    "mutate",
    [
        lambda tree: tree.update(unknown=1),
        lambda tree: tree.pop("recipe"),
        lambda tree: tree["method"].update(name="magic"),
        lambda tree: tree["optimizer"].update(learning_rate="fast"),
    ],
)
def test_a_damaged_experiment_is_refused(mutate):
    tree = json.loads(to_json(recipe("demo")))
    mutate(tree)
    with pytest.raises(ValueError, match="Not an experiment of this version"):
        from_json(json.dumps(tree))
    with pytest.raises(ValueError, match="Not an experiment"):
        from_json("{")
