"""What is refused before a training: a target that is nowhere, masks that cannot be scored."""

import dataclasses
import shutil
from dataclasses import replace

import jax
import numpy as np
import pytest

from rdepth_keras.assembly import Sources, training_sources
from rdepth_keras.data import png
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.data.pipeline import Unlabelled
from rdepth_keras.data.transforms import RandomScale
from rdepth_keras.experiment import Choice
from rdepth_keras.labels import ClassTable
from rdepth_keras.models import MODELS
from rdepth_keras.recipes import recipe
from rdepth_keras.run.checks import (
    check_apart,
    check_masks,
    check_random_numbers,
    check_scored,
    early_average,
    loveda_ids,
    padded,
)
from rdepth_keras.run.directory import Run
from rdepth_keras.run.files import trained_on_too
from rdepth_keras.run.surroundings import random_numbers

TABLE = ClassTable(("ground", "roof"), (0, 1), ((1, 1, 1), (2, 2, 2)), (255,))


def opened(root, target):
    """An experiment of the image alone, and its data."""
    data = Folder(classes=TABLE, source_domain="North", target_domain=target)
    experiment = recipe("demo").changed(data=data, network=MODELS["convnext_b"])
    return experiment, data.open(root, with_depth=False)


def check(root, target, notify=print):
    check_scored(*opened(root, target), notify)


@pytest.fixture
def root(tmp_path):
    """North in train and val; East, without labels, in test alone."""
    for place, kinds in (
        *(("train/North", ("images", "masks")), ("val/North", ("images", "masks"))),
        ("test/East", ("images",)),
    ):
        for kind in kinds:
            (tmp_path / place / kind).mkdir(parents=True)
            for name in "ab":
                pixels = np.zeros((32, 32, 3) if kind == "images" else (32, 32), np.uint8)
                (tmp_path / place / kind / f"{name}.png").write_bytes(png.encode(pixels))
    return tmp_path


def test_a_target_that_is_nowhere_is_refused_and_one_without_labels_is_not(root):
    check(root, "North")
    check(root, "East")
    with pytest.raises(ValueError, match="'South' is in no split.*there are: .*train/North"):
        check(root, "South")
    (root / "test/East/images/a.png").rename(root / "test/East/images/b.txt.gz")
    check(root, "East")


@pytest.mark.parametrize("place", ["train/North/images/run", "val", "test/East/x"])
def test_a_run_or_a_cache_among_the_tiles_is_refused(root, place):
    """The dataset could not be read any more, by any command."""
    experiment, _ = opened(root, "East")
    experiment = experiment.changed(resources={"data_dir": str(root)})
    check_apart(experiment, root / "runs" / "one")
    with pytest.raises(ValueError, match=r"--out .* lies among the tiles"):
        check_apart(experiment, root / place)
    economy = dataclasses.replace(experiment.resources.economy, cache=str(root / place))
    experiment = experiment.changed(resources={"economy": economy})
    with pytest.raises(ValueError, match=r"--cache .* lies among the tiles"):
        check_apart(experiment, root / "runs")


def test_a_run_goes_on_with_the_random_numbers_that_it_began_with(tmp_path):
    own = Run(tmp_path)
    check_random_numbers(own)
    own.begin(recipe("demo"))
    own.note_environment({"random_numbers": random_numbers()}, 0)
    check_random_numbers(own)
    told = r"_partitionable was True, and is False\. Set JAX_THREEFRY_PARTITIONABLE=True, or"
    with jax.threefry_partitionable(False), pytest.raises(ValueError, match=told):
        check_random_numbers(own)
    own.note_environment({"device": "of an older version"}, 0)
    with jax.threefry_partitionable(False):
        check_random_numbers(own)


def test_scored_tiles_that_are_trained_on_are_told(root):
    trained = ["train/North"]
    data = opened(root, "North")[1]
    assert trained_on_too(trained, data, "train", "North") == ""
    assert trained_on_too(trained, data, "test", "East") == ""  # nothing is scored there
    for split in ("train", "val"):
        for number, name in enumerate("ab"):
            pixels = np.full((32, 32, 3), 9 * number + (split == "val"), np.uint8)
            (root / f"{split}/North/images/{name}.png").write_bytes(png.encode(pixels))
    (root / "val/North").rename(root / "val/West")
    data = opened(root, "West")[1]
    assert trained_on_too(trained, data, "val", "West") == ""
    picture = (root / "train/North/images/b.png").read_bytes()
    (root / "val/West/images/a.png").write_bytes(picture)
    assert "1 of the 2 tiles of val/West are trained on" in trained_on_too(
        trained, data, "val", "West"
    )
    (said, unlabelled) = (
        trained_on_too([*trained, *more], data, "val", "West")
        for more in ((), ("train/North (without labels)", "val/West (without labels)"))
    )
    told = "1 of the 2 tiles of val/West are trained on as well, byte for byte, without labels: a.p"
    assert unlabelled.startswith(f"{said}; {told}") and told not in said
    shutil.rmtree(root / "train/North/masks")
    assert told in trained_on_too(["train/North (without labels)"], data, "val", "West")
    shutil.rmtree(root / "train/North")
    assert "nobody knows whether some of its tiles are in train/North" in trained_on_too(
        trained, opened(root, "West")[1], "val", "West"
    )


def test_every_mask_that_the_end_is_scored_on_is_read_before(root):
    for name in "ab":
        mask = np.full((32, 32), 99, np.uint8)
        (root / f"val/North/masks/{name}.png").write_bytes(png.encode(mask))
    with pytest.raises(ValueError, match=r"2 files are bad: .*a\.png, .*b\.png: .*\[99\]"):
        check(root, "North")


def test_every_mask_that_a_checkpoint_is_chosen_by_is_read_before(root):
    mask = np.full((32, 32), 99, np.uint8)
    (root / "val/North/masks/a.png").write_bytes(png.encode(mask))
    experiment, data = opened(root, "East")
    check_scored(experiment, data)
    choice = Choice("best", validation_steps=5)
    with pytest.raises(ValueError, match=r"1 file is bad: .*val/North/masks/a\.png.*\[99\]"):
        check_scored(experiment.changed(training={"choice": choice}), data)


def test_every_mask_that_trains_is_read_before(root, monkeypatch):
    """And how many are read is said, where they are many; an image is not read."""
    experiment, data = opened(root, "North")
    sources, said = training_sources(experiment, data), []
    check_masks(data, sources, said.append)
    assert not said
    monkeypatch.setattr("rdepth_keras.run.checks.MANY", 2)
    check_masks(data, sources, said.append)
    check(root, "North", said.append)
    assert said == [
        "Looking at the masks of 2 training tiles",
        "Looking at every pixel of val/North, 2 tiles",
    ]
    mask = np.full((32, 32), 99, np.uint8)
    (root / "train/North/masks/a.png").write_bytes(png.encode(mask))
    with pytest.raises(ValueError, match=r"1 masks are bad: .*train/North/masks/a\.png: .*\[99\]"):
        check_masks(data, sources, said.append)
    demo = Demo()
    made = recipe("demo").changed(data=demo)
    check_masks(demo.open(None), training_sources(made, demo.open(None)), pytest.fail)


def test_the_targets_masks_are_decoded_too(root):
    data = opened(root, "North")[1]
    (root / "train/North/masks/a.png").write_bytes(png.encode(np.full((32, 32), 99, np.uint8)))
    target = Unlabelled(data.tiles("train", "North"))
    with pytest.raises(ValueError, match="1 masks are bad"):
        check_masks(data, Sources({}, target), print)


def test_an_average_that_is_still_the_beginning_is_told():
    experiment = recipe("demo").changed(training={"steps": 100})
    assert early_average(experiment) == ""
    for decay, told in ((0.9, ""), (0.97, ""), (0.99, "37%"), (0.999, "90%")):
        said = early_average(experiment.changed(training={"choice": Choice(average_decay=decay)}))
        assert told in said and bool(said) == bool(told)
        assert not said or "--average-decay below 0.97048" in said


def test_loveda_class_numbers_on_other_classes_are_told():
    seven = ClassTable(tuple("abcdefg"), tuple(range(7)), ((0, 0, 0),) * 7, (255,))
    for name, told in (
        ("dca", "background 0"),
        ("daformer", "feature_classes (1, 2, 3, 4, 5, 6)"),
        ("st_dasegnet_segformer", "class_weights (1."),
        ("cbst", ""),
        ("rdepth_b_s", ""),
    ):
        experiment = recipe(name)
        assert loveda_ids(experiment) == ""
        said = loveda_ids(experiment.changed(data=Folder(experiment.data.direction, seven)))
        assert bool(said) == bool(told) and told in said and (not told or "0 a, 1 b" in said)
    own = recipe("dca").changed(data=Folder(classes=seven))
    assert loveda_ids(own.changed(method=replace(own.method, background=None))) == ""
    assert loveda_ids(own.changed(method=replace(own.method, background=2))) == ""
    assert loveda_ids(own.changed(recipe="mine")) == ""


def test_a_target_that_is_not_scored_is_told(root):
    shutil.rmtree(root / "val/North")
    said = []
    check(root, "North", said.append)
    (line,) = said
    assert line.startswith("Nothing will be scored in the end: ") and "val/North" in line


def test_crops_that_are_larger_than_every_tile_are_told():
    experiment = recipe("demo").changed(training={"crop": 64})
    assert padded(experiment, 64) == ""
    said = padded(experiment, 32)
    assert "48 at most (32, enlarged up to 1.5 times): at least 44% of each" in said
    assert "--crop of 48 or less" in said
    scale = RandomScale(0.5, 2.0)
    augmentation = dataclasses.replace(experiment.training.augmentation, scale=scale)
    assert padded(experiment.changed(training={"augmentation": augmentation}), 32) == ""
