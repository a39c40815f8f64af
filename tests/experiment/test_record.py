"""An experiment as plain values, and what differs between two."""

import json

import pytest

from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.experiment import differences, from_json, in_words, to_json
from rdepth_keras.labels import ClassTable
from rdepth_keras.optimizers import AdamW
from rdepth_keras.recipes import recipe


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
        lambda tree: tree["training"].pop("steps"),  # would be another number, silently
        lambda tree: tree.pop("resources"),
        lambda tree: tree["training"]["augmentation"]["flips"].update(axes=[["1"], [0]]),
    ],
)
def test_a_damaged_experiment_is_refused(mutate):
    tree = json.loads(to_json(recipe("demo")))
    mutate(tree)
    with pytest.raises(ValueError, match="Not an experiment of this version"):
        from_json(json.dumps(tree))


@pytest.mark.parametrize(
    ("mutate", "said"),
    [
        (lambda tree: tree["training"].update(steps=6.5), "expected is int, received 6.5"),
        (lambda tree: tree["training"].update(seed=-1), "--seed must be in 0"),
        (lambda tree: tree["network"].update(fusion="glue"), "known are add, concat"),
        (lambda tree: tree["training"].pop("steps"), "training.steps: None -> "),
        (lambda tree: tree["resources"].update(speed=9), "extra fields found (speed)"),
    ],
)
def test_the_reason_is_told(mutate, said):
    tree = json.loads(to_json(recipe("demo")))
    mutate(tree)
    with pytest.raises(ValueError, match="Not an experiment") as refused:
        from_json(json.dumps(tree))
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("names", ["abc", [1, 2, 3], ["a", "a", "b"], ["a", "", "b"]])
def test_class_names_are_distinct_words(names):
    table = ClassTable(("a", "b", "c"), (0, 1, 2), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    tree = json.loads(to_json(recipe("demo").changed(data=Folder("r2u", table, "x", "y"))))
    assert from_json(json.dumps(tree)).data.classes == table
    tree["data"]["classes"]["names"] = names
    with pytest.raises(ValueError, match="Not an experiment of this version"):
        from_json(json.dumps(tree))


@pytest.mark.parametrize("text", ["{", "[]", "null", "3", '"x"', "[" * 100_000])
def test_what_is_no_experiment_at_all(text):
    with pytest.raises(ValueError, match="Not an experiment"):
        from_json(text)


def test_an_older_layout_is_told_in_a_line():
    with pytest.raises(ValueError, match="older version's layout"):
        from_json('{"recipe": "demo", "segmenter": {}, "steps": 240}')
