"""The thread on real LoveDA tiles: prepare, train, evaluate, predict."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def prepared(loveda, tmp_path_factory) -> Path:
    """The tiles, linked into a folder of their own, with a made-up depth, and prepared."""
    manual, data = tmp_path_factory.mktemp("manual"), tmp_path_factory.mktemp("data")
    for picture in sorted(loveda.glob("*/*/images_png/*.png")):
        for kind in ("images_png", "masks_png"):
            source = picture.parents[1] / kind / picture.name
            if source.exists():
                link = manual / source.relative_to(loveda)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(source)
        depth = cv2.GaussianBlur(cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE), (0, 0), 6)
        out = manual / picture.parents[1].relative_to(loveda) / "depths_png" / picture.name
        out.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(out), depth)
    command = [sys.executable, ROOT / "scripts/prepare.py", ROOT / "datasets/loveda_rdepth"]
    flags = ["--config", "depths_png", "--manual_dir", manual, "--data_dir", data]
    done = subprocess.run([*command, *flags], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return data


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "real"
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "scripts/train.py", "--direction", "r2u"),
            # Relative to where it starts; what follows starts elsewhere.
            *("--data-dir", prepared.name, "--weights", "none", "--out", directory),
            *("--steps", "30", "--batch-size", "4", "--crop", "64"),
            *("--network.image-encoder", "atto", "--network.depth-encoder", "None"),
            *("--network.channels", "16", "--network.drop-path", "0"),
            *("--optimizer.learning-rate", "1e-3", "--optimizer.stage-decay", "1"),
        ],
        capture_output=True,
        text=True,
        cwd=prepared.parent,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return directory, done.stdout


@pytest.mark.proof
def test_trains_on_what_has_labels_and_says_what_has_not(trained):
    directory, said = trained
    assert "Not used for training: the val split of rural has no labels" in said
    assert "Not evaluated: the val split of urban has no labels" in said
    lines = [json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()]
    assert lines[-1]["loss"] < 0.97 * lines[0]["loss"]
    experiment = json.loads((directory / "experiment.json").read_text())
    assert experiment["data"]["config"] == "depths_png" and experiment["recipe"] == "rdepth_b_b"


@pytest.mark.proof
def test_evaluates_the_labelled_tiles(trained, call):
    directory, _ = trained
    options = ("--run", directory, "--split", "train", "--domain", "rural")
    assert call("evaluate", *options) == 0
    result = json.loads((directory / "evaluations/train_rural.json").read_text())
    assert result["tiles"] == 3
    assert result["iou"]["barren"] in (None, 0.0), "barren is in none of the three"


@pytest.mark.proof
def test_predicts_an_urban_tile(trained, loveda, tmp_path, call):
    directory, _ = trained
    picture = loveda / "Train/Urban/images_png/1410.png"
    assert call("predict", "--run", directory, "--color", picture, tmp_path / "1410.png") == 0
    classes = cv2.imread(str(tmp_path / "1410.png"), cv2.IMREAD_UNCHANGED)
    assert classes.shape == (1024, 1024) and classes.dtype == np.uint8 and classes.max() <= 6


def test_another_config_is_named(prepared, call, capsys, tmp_path):
    options = ("--data-dir", prepared, "--config", "checkpoint", "--out", tmp_path / "run")
    assert call("train", "--direction", "r2u", *options) == 2
    assert "prepared there: depths_png" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
