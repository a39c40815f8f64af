"""A user's own two domains with three classes, from a folder to scores and a picture."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.data import png
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.run.ancestry import PICTURES, pictures_before
from rdepth_keras.run.directory import Run

CLASSES = """\
classes:
  - {name: ground, value: 10, color: [90, 90, 90]}
  - {name: roof, value: 20, color: [200, 0, 0]}
  - {name: tree, value: 30, color: [0, 150, 0]}
ignored: [0]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Tiles of 64x48 pixels: A to train on, B to be scored on, in a folder with a class file."""
    root = tmp_path_factory.mktemp("own")
    (root / "classes.yaml").write_text(CLASSES)
    rng = np.random.default_rng(0)
    for split, domain, count in (("train", "A", 3), ("val", "A", 1), ("val", "B", 2)):
        for number in range(count):
            mask = np.repeat(np.repeat(rng.choice([0, 10, 20, 30], (8, 6)), 8, 0), 8, 1)
            noise = rng.integers(0, 60, (*mask.shape, 3))
            files = {
                "images": (mask[..., None] * 6 + noise).astype(np.uint8),
                "masks": mask.astype(np.uint8),
                "depths": mask.astype(np.uint8),
            }
            for kind, pixels in files.items():
                path = root / split / domain / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png.encode(pixels))
    return root


@pytest.fixture(autouse=True)
def tiniest(monkeypatch):
    encoder = partial(convnext, depths=(1, 1, 1, 1), widths=(4, 4, 4, 4))
    monkeypatch.setitem(models.ENCODERS, "tiniest", encoder)


def settings(data: Path) -> tuple[object, ...]:
    return (
        *("--recipe", "demo", "--dataset", "folder", "--data-dir", data),
        *("--classes", data / "classes.yaml", "--source-domain", "A", "--target-domain", "B"),
        *("--steps", "2", "--batch-size", "2", "--crop", "32", "--network.channels", "8"),
        *("--network.image-encoder", "tiniest"),
        *("--network.depth-encoder", "None", "--network.decoder", "segformer"),
        *("--network.auxiliary-channels", "None"),
        *("--inference.window-pixels", "None", "--validation-steps", "2"),
    )


@pytest.mark.proof
def test_from_a_folder_to_scores_and_a_picture(data, tmp_path, call, capsys):
    run, classes = tmp_path / "run", tmp_path / "classes.yaml"
    classes.write_text(CLASSES)
    options = ("--cache", tmp_path / "cache", "--rare-class-temperature", "0.1", "--workers", "1")
    options += ("--classes", classes)
    code = call("train", *settings(data), *options, "--out", run)
    said = capsys.readouterr()
    assert code == 0, said.err
    assert said.out.count("Writing the cache") == 2  # the source's Train and Val
    scores = json.loads((run / "metrics.json").read_text())
    assert list(scores["iou"]) == ["ground", "roof", "tree"]
    assert scores["domain"] == "B" and scores["depth"] is None
    assert json.loads((run / "environment.json").read_text())["tile_pixels"] == 64

    classes.unlink()  # the run has a copy of its own
    paths = ("--color", data / "val/B/images/0.png", tmp_path / "out.png")
    assert call("predict", "--run", run, *paths) == 0
    label = png.decode((tmp_path / "out.png").read_bytes())
    assert label.shape == (64, 48) and label.max() < 3
    colors = png.decode((tmp_path / "out_color.png").read_bytes())
    expected = np.array([(90, 90, 90), (200, 0, 0), (0, 150, 0)], np.uint8)[label]
    np.testing.assert_array_equal(colors, expected)


@pytest.mark.proof
def test_the_size_of_pixels_on_the_ground_is_noted_and_compared(data, tmp_path, call, capsys):
    own, run = shutil.copytree(data, tmp_path / "own"), tmp_path / "run"
    for index, image in enumerate(sorted(own.glob("*/A/images/*.png"))):
        image.with_suffix(".pgw").write_text(f"0.25 0 0 -0.25 {5e5 + 1000 * index} 5e6")
    assert call("train", *settings(own), "--out", run) == 0
    assert json.loads((run / "environment.json").read_text())["pixel_metres"] == 0.25
    shutil.copy(data / "val/B/images/0.png", tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("10 0 0 -10 5e5 5e6")
    assert call("predict", "--run", run, tmp_path / "a.png", tmp_path / "out.png") == 0
    assert "pixels of 10 m on the ground" in capsys.readouterr().out


@pytest.mark.proof
def test_a_class_that_no_training_tile_shows_is_told_in_the_row(data, tmp_path, call, capsys):
    own, run = shutil.copytree(data, tmp_path / "own"), tmp_path / "run"
    for mask in own.glob("*/A/masks/*.png"):
        values = png.decode(mask.read_bytes())
        mask.write_bytes(png.encode(np.where(values == 30, 10, values).astype(np.uint8)))
    assert call("train", *settings(own), "--out", run) == 0
    before, _, row = capsys.readouterr().out.partition("A to B, target validation")
    said = "no training tile shows tree: nothing is learned of it."
    assert said in " ".join(before.split()) and said in " ".join(row.split())


@pytest.mark.proof
def test_a_run_that_starts_from_one_trained_on_the_scored_tiles_says_so(data, tmp_path, call):
    """Whatever root and domain they were in."""
    pool = tmp_path / "pool"
    shutil.copytree(data / "val/B", pool / "train/A")
    shutil.copytree(data / "val/A", pool / "val/B")
    shutil.copy(data / "classes.yaml", pool)
    validated = ("--validation-steps", "None")
    assert call("train", *settings(pool)[:-2], *validated, "--out", tmp_path / "first") == 0
    own = Run(tmp_path / "own")
    flags = ("--from", tmp_path / "first", "--out", own)
    assert call("train", *settings(data)[:-2], *validated, *flags) == 0
    assert own.metrics is not None and own.metrics["trained_before"] == 2
    first = Run(tmp_path / "first")
    assert pictures_before(own) == set(first.environment[PICTURES].split())
    assert len(own.environment[PICTURES].split()) == 4 and not pictures_before(first)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--classes", "nothing.yaml"), "There is no class file"),
        (("--source-domain", "C"), "no train/C; there are: train/A, val/A, val/B"),
        (("--data-dir", "."), "If they were moved, name their place with --data-dir."),
        (("--dataset", "demo"), "--classes"),
        (("--workers", "0"), "--workers must be at least 1"),
        (("--rare-class-temperature", "0"), "above 0"),
    ],
)
def test_wrong_use(arguments, expected, data, tmp_path, call, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call("train", *settings(data), *arguments) == 2
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_bad_files_never_drop_a_split(data, tmp_path, call, monkeypatch, capsys):
    """The first mask is cut off, another image has a twin: both are named, nothing is trained."""
    monkeypatch.chdir(tmp_path)
    mask, twin = data / "train/A/masks/0.png", data / "val/A/images/0.jpg"
    whole = mask.read_bytes()
    mask.write_bytes(whole[: len(whole) // 2])
    assert call("train", *settings(data)) == 2
    cut = capsys.readouterr().err
    mask.write_bytes(whole)
    twin.write_bytes(b"")
    assert call("train", *settings(data)) == 2
    doubled = capsys.readouterr().err
    twin.unlink()
    assert "train/A/masks/0.png" in cut and "val/A/images/0.jpg" in doubled
    assert cut.count("\n") == doubled.count("\n") == 1 and not list(tmp_path.iterdir())


def test_depth_is_missing(data, tmp_path, call, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    away = data / "train/A/away"
    (data / "train/A/depths").rename(away)
    try:
        options = (*settings(data), "--network.depth-encoder", "atto")
        assert call("train", *options) == 2
    finally:
        away.rename(data / "train/A/depths")
    error = capsys.readouterr().err
    assert "--network.depth-encoder None" in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
