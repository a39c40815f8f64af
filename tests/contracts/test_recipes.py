"""One battery for all recipes: they resolve, survive JSON, name sources and networks."""

import json
import re

import pytest

from rdepth_keras.data.datasets import DATASETS
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import (
    Choice,
    Economy,
    Resources,
    Sampling,
    differences,
    from_json,
    in_words,
    to_json,
)
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS
from rdepth_keras.optimizers import AdamW
from rdepth_keras.recipes import RECIPES, default_recipe, recipe
from rdepth_keras.recipes.deviation import changes
from rdepth_keras.train.loop import Cadence


@pytest.mark.parametrize("name", RECIPES)
def test_resolves_and_survives_json(name):
    experiment = recipe(name)
    assert experiment.recipe == name
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


def test_the_papers_numbers():
    """recipe.md: AdamW 1e-4, decay 0.05, 40 000 steps of 4 crops of 512, windows 512/512."""
    experiment = recipe("rdepth_b_s")
    training = experiment.training
    assert (training.steps, training.batch_size, training.crop) == (40_000, 4, 512)
    assert experiment.optimizers.segmenter.schedule.warmup_fraction * training.steps == 1500
    assert training.inference == Inference(window_pixels=512)
    assert experiment.network.drop_path == 0.4 and experiment.network.channels == 512


def test_domains_and_training_splits():
    experiment = recipe("demo")
    assert (experiment.data.source, experiment.data.target) == ("rural", "urban")
    assert experiment.training_splits == ("train", "val")
    reference = experiment.changed(data=Demo("u2u"))
    assert reference.training_splits == ("train",), "Val is scored, so it must not train"
    best = experiment.changed(training={"choice": Choice("best", 10)})
    assert best.training_splits == ("train",) and best.validation_domain == "rural"
    leaky = experiment.changed(training={"choice": Choice("best_by_target_labels", 10)})
    assert leaky.validation_domain == "urban" and leaky.training_splits == ("train", "val")


def test_differences_are_named():
    one = recipe("demo")
    other = one.changed(training={"steps": 7}, optimizers={"segmenter": AdamW(beta1=0.8)})
    found = differences(one, other)
    assert found["training.steps"] == (one.training.steps, 7)
    assert found["optimizers.segmenter.beta1"] == (0.9, 0.8)
    assert f"training.steps: {one.training.steps} -> 7" in in_words(found)
    assert differences(one, one) == {}


def test_another_kind_is_a_difference():
    found = differences(recipe("rdepth_b_s"), recipe("deeplabv3"))
    assert found["optimizers.segmenter.name"] == ("adamw", "sgd")
    assert found["optimizers.segmenter.momentum"] == (None, 0.9)


def test_what_changes_no_number_is_no_difference():
    """By construction: resources are the part that the comparison leaves out, whatever is in it."""
    one = recipe("demo")
    other = one.changed(resources=Resources("here", Economy("there", 7, 2, True), Cadence(3, 4, 5)))
    assert differences(one, other) and not differences(one.essence(), other.essence())
    seeded = one.changed(training={"seed": 5})
    assert differences(one.essence(), seeded.essence())
    assert one.essence(seed=0) == seeded.essence(seed=0)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        *(("training", {"steps": 0}), ("training", {"batch_size": 0}), ("training", {"crop": 31})),
        *(("training", {"seed": -1}), ("training", {"seed": 1 << 31})),
        ("training", {"choice": Choice(average_decay=1.0)}),
        ("training", {"choice": Choice(validation_steps=0)}),
        ("training", {"choice": Choice("best")}),
        ("training", {"choice": Choice("best", validation_steps=10**6)}),
        ("training", {"sampling": Sampling(rare_class_temperature=0.0)}),
    ],
)
def test_impossible_settings(part, change):
    value = next(iter(change.values()))
    name = next(iter(change)) if isinstance(value, int) else "(validation|average|rare|selection)"
    with pytest.raises(ValueError, match=name.replace("_", "[-_]")):
        recipe("demo").changed(**{part: change})


@pytest.mark.parametrize("name", ["workers", "accumulate"])
def test_impossible_economy(name):
    with pytest.raises(ValueError, match=f"--{name} must be at least 1; received 0"):
        Economy(**{name: 0})


def test_a_reference_is_not_chosen_by_what_it_is_scored_on():
    best = {"choice": Choice("best", validation_steps=9)}
    with pytest.raises(ValueError, match="very labels r2r is scored on"):
        recipe("demo").changed(data=Demo("r2r"), training=best)


@pytest.mark.parametrize("name", ["log_steps", "checkpoint_steps", "keep_checkpoints"])
def test_impossible_cadence(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1; received 0"):
        Cadence(**{name: 0})


def test_what_leaves_a_recipe_is_told():
    experiment = recipe("segformer").changed(
        data=Demo("r2u"), training={"seed": 3, "steps": 5}, resources={"data_dir": "here"}
    )
    assert changes(experiment) == ["training.steps: 40000 -> 5"]
    assert changes(recipe("demo")) == []
    assert changes(experiment.changed(recipe="gone")) == []


@pytest.mark.parametrize(
    "mutate",
    [
        lambda tree: tree.update(unknown=1),
        lambda tree: tree.pop("recipe"),
        lambda tree: tree["method"].update(name="magic"),
        lambda tree: tree["data"].update(name="moon"),
        lambda tree: tree["network"].pop("name"),
        lambda tree: tree["optimizers"]["segmenter"].update(learning_rate="fast"),
        lambda tree: tree["training"].update(steps=6.5),
        lambda tree: tree["training"].update(steps=True),
        lambda tree: tree["training"].update(seed=-1),
        lambda tree: tree["training"]["inference"].update(window_pixels=0),
    ],
)
def test_a_damaged_experiment_is_refused(mutate):
    tree = json.loads(to_json(recipe("demo")))
    mutate(tree)
    with pytest.raises(ValueError, match="Not an experiment of this version"):
        from_json(json.dumps(tree))


@pytest.mark.parametrize("text", ["{", "[]", "null", "3", '"x"', "[" * 100_000])
def test_what_is_no_experiment_at_all(text):
    with pytest.raises(ValueError, match="Not an experiment"):
        from_json(text)


def test_an_older_layout_is_told_in_a_line():
    with pytest.raises(ValueError, match="older version's layout"):
        from_json('{"recipe": "demo", "segmenter": {}, "steps": 240}')
