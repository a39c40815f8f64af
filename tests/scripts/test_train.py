"""The whole thread on the demo data, and wrong use: one line, exit code 2, nothing lost."""

import contextlib
import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.recipes import recipe
from rdepth_keras.run import Run

ROOT = Path(__file__).resolve().parents[2]
TINY = (
    *("--dataset", "demo", "--steps", "4", "--batch-size", "2", "--crop", "32"),
    *("--network.decoder", "segformer", "--network.channels", "8"),
    *("--network.image-encoder", "tiniest", "--network.depth-encoder", "None"),
    *("--train-tiles", "4", "--val-tiles", "2", "--tile-pixels", "64"),
    *("--checkpoint-steps", "2", "--log-steps", "1"),
)


@pytest.fixture(autouse=True, scope="module")
def tiniest():
    """The encoder of tests/train/tiny.py, which is the script with that encoder."""
    models.ENCODERS["tiniest"] = partial(convnext, depths=(1, 1, 1, 1), widths=(8, 8, 8, 8))
    yield
    del models.ENCODERS["tiniest"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    command = [sys.executable, ROOT / "tests/train/tiny.py", *TINY, "--direction", "r2u"]
    done = subprocess.run([*command, "--out", directory], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return directory, done.stdout


def test_trains_and_prints_the_table(trained):
    directory, said = trained
    assert "mIoU" in said and "commonest class everywhere" in said and str(directory) in said
    metrics = json.loads((directory / "metrics.json").read_text())
    evaluated = json.loads((directory / "evaluations/val_urban.json").read_text())
    environment = json.loads((directory / "environment.json").read_text())
    assert {"run": environment["run"], **metrics} == evaluated
    assert (metrics["split"], metrics["domain"], metrics["direction"]) == ("val", "urban", "r2u")
    assert next(iter(metrics["iou"])) == "background" and 0 <= metrics["miou"] <= 1
    lines = [json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert environment["depth"]["source"] == "procedural heights"


@pytest.mark.proof
def test_a_supervised_row_trains_from_random_weights(call, tmp_path, monkeypatch):
    toy = partial(ResNet, (1, 1, 1, 1), width=4, deep_stem=True, output_stride=8)
    monkeypatch.setitem(models.ENCODERS, "toy", toy)
    given = ("--recipe", "deeplabv3", "--weights", "none", "--network.image-encoder", "toy")
    assert call("train", *TINY, *given, "--steps", "2", "--out", tmp_path / "run") == 0
    lines = [json.loads(line) for line in (tmp_path / "run/journal.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["recipe"] == "deeplabv3" and 0 <= metrics["miou"] <= 1


def test_evaluates_another_split(trained, call, capsys):
    directory, _ = trained
    options = ("--run", directory, "--split", "train", "--domain", "rural")
    assert call("evaluate", *options) == 0
    result = json.loads((directory / "evaluations/train_rural.json").read_text())
    assert result["tiles"] == 4 and "mIoU" in capsys.readouterr().out


def test_predicts_a_picture_of_any_size(trained, tmp_path, call):
    directory, _ = trained
    picture = tmp_path / "picture.png"
    cv2.imwrite(str(picture), np.random.default_rng(0).integers(0, 255, (70, 93, 3), np.uint8))
    out = tmp_path / "classes.png"
    options = ("--run", directory, "--color", picture, out)
    assert call("predict", *options) == 0
    classes = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert classes.shape == (70, 93) and classes.max() <= 6
    assert cv2.imread(str(tmp_path / "classes_color.png")).shape == (70, 93, 3)


def test_depth_for_a_run_of_the_image_alone_is_refused(trained, tmp_path, call, capsys):
    directory, _ = trained
    for flags in (("--depth", "d.png"), ("--depth-checkpoint", "depth_anything_v1_large")):
        assert call("predict", "--run", directory, *flags, "a.png", tmp_path / "b.png") == 2
        assert f"looks at the image alone; leave {flags[0]} away" in capsys.readouterr().err


@pytest.mark.parametrize("side", ["None", "100"])
def test_the_distance_of_windows_follows_their_side(side, tmp_path, call, capsys):
    """The run's own windows overlap by half; nothing is said of a distance that nobody gave."""
    Run(tmp_path / "run").begin(recipe("demo"))
    flags = ("--run", tmp_path / "run", "--inference.window-pixels", side)
    assert call("predict", *flags, tmp_path / "a.png", tmp_path / "b.png") == 2
    assert "a.png: no such file" in capsys.readouterr().err


def test_predicts_a_folder_into_one_that_is_not_there_yet(trained, tmp_path, call):
    directory, _ = trained
    (tmp_path / "pictures").mkdir()
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(0, 255, (40, 50, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"pictures/{name}.png"), pixels)
    assert call("predict", "--run", directory, tmp_path / "pictures", tmp_path / "new/maps") == 0
    assert sorted(path.name for path in (tmp_path / "new/maps").iterdir()) == ["a.png", "b.png"]


def test_a_finished_run_resumes_to_the_same_scores(trained, call):
    directory, _ = trained
    before = (directory / "metrics.json").read_text()
    assert call("train", "--resume", "--out", directory) == 0
    assert (directory / "metrics.json").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--recipe", "nope"), "known are: rdepth_b_s"),
        (("--recipie", "demo"), "--recipie"),
        (("--direction", "x2y"), "r2u"),
        (("--steps", "many"), "--steps"),
        (("--dataset", "demo", "--steps", "0"), "--steps must be at least 1"),
        (("--dataset", "demo", "--seed", "-1"), "--seed must be in 0"),
        (("--dataset", "demo", "--crop", "100000"), "--crop must be 32 to 8192"),
        (("--dataset", "demo", "--optimizer.schedule.warmup-fraction", "3"), "warmup"),
        (("--dataset", "demo", "--inference.stride-pixels", "999"), "stride"),
        (("--dataset", "demo", "--model", "huge"), "known are: twin"),
        (("--dataset", "moon"), "known are: loveda_rdepth"),
        (("--dataset", "demo", "--batch-size", "3", "--accumulate", "2"), "split evenly"),
        (("--dataset", "demo", "--network.image-encoder", "huge"), "known are atto"),
        pytest.param(  # builds the network first
            ("--dataset", "demo", "--network.image-encoder", "resnet14", "--accumulate", "2"),
            "A ResNet cannot take its batch in parts",
            marks=pytest.mark.proof,
        ),
        (("--resume",), "--out"),
        (("--resume", "--out", "EMPTY"), "holds no run"),
        (("--direction", "r2u", "--data-dir", "EMPTY"), "scripts/prepare.py"),
        (("--selection", "best"), "--validation-steps N"),
        (("--dataset", "demo", "--hosts.count", "2", "--hosts.index", "0"), "--hosts.coordinator"),
    ],
)
def test_wrong_use(arguments, expected, tmp_path, call, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    assert call("train", *arguments) == 2
    error = capsys.readouterr().err
    assert expected in error and error.count("\n") == 1 and error.startswith("error: ")
    assert [path.name for path in tmp_path.rglob("*")] == ["EMPTY"], "nothing is left behind"


def test_a_directory_that_holds_a_run_is_left_alone(trained, call, capsys):
    directory, _ = trained
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    assert call("train", *TINY, "--out", directory) == 2
    assert "--resume" in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


def test_resuming_with_other_settings_names_them(trained, call, capsys):
    directory, _ = trained
    options = ("--resume", "--out", directory, "--steps", "9", "--optimizer.beta1", "0.8")
    assert call("train", *options) == 2
    error = capsys.readouterr().err
    assert "training.steps: 4 -> 9" in error
    assert "optimizers.segmenter.beta1: 0.9 -> 0.8" in error


@pytest.mark.proof
def test_ctrl_c_saves_and_says_how_to_go_on(call, tmp_path, monkeypatch, capsys):
    stopped = contextlib.nullcontext([signal.SIGINT])
    monkeypatch.setattr("rdepth_keras.train.loop.signals", lambda: stopped)
    monkeypatch.setitem(
        models.ENCODERS, "tiniest", partial(convnext, depths=(1, 1, 1, 1), widths=(4, 4, 4, 4))
    )
    directory = tmp_path / "run"
    options = ("--network.image-encoder", "tiniest", "--out", directory)
    assert call("train", *TINY, *options) == 130
    again = f"Go on with: python scripts/train.py --resume --out {directory}"
    assert f"Stopped by SIGINT at step 1; saved. {again}" in capsys.readouterr().out
    assert (directory / "checkpoints/1").is_dir()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rdepth_keras.run.preparation.assemble", interrupted)
    assert call("train", "--resume", "--out", directory) == 130
    assert "Go on with: python scripts/train.py --resume" in capsys.readouterr().out
    assert call("train", *TINY, "--out", tmp_path / "other") == 130
    assert "Nothing was written yet." in capsys.readouterr().out
    assert not (tmp_path / "other").exists()


def test_a_rerun_has_the_runs_settings(trained, call, tmp_path, capsys):
    directory, _ = trained
    assert call("train", "--rerun", directory, "--print-config") == 0
    printed = json.loads(capsys.readouterr().out)
    printed.pop("learning_rates")
    assert printed == json.loads((directory / "experiment.json").read_text())
    for other in (("--recipe", "convnext_b"), ("--resume",)):
        assert call("train", "--rerun", directory, *other, "--print-config") == 2
        assert "leave --recipe, --resume and --from away" in capsys.readouterr().err
    assert call("train", "--resume", "--out", directory, "--from", "x", "--print-config") == 2
    assert "leave --from away" in capsys.readouterr().err


def test_a_run_from_another_resumes_with_the_same_flags(call, tmp_path, capsys):
    """As a sweep's does, whose flags are those of the beginning."""
    first, second = Run(tmp_path / "first"), Run(tmp_path / "second")
    first.begin(recipe("demo"))
    flags = ("--recipe", "demo", "--from", first, "--print-config")
    assert call("train", *flags) == 0
    printed = capsys.readouterr().out
    begun = {"weights": "none", "start_from": str(first.directory)}
    second.begin(recipe("demo").changed(training=begun))
    resumed = ("--resume", "--out", second)
    assert call("train", *flags, *resumed) == 0
    assert capsys.readouterr().out == printed
    assert call("train", *resumed, "--from", tmp_path / "third", "--print-config") == 2
    assert "leave --from away" in capsys.readouterr().err


def test_list_and_print(call, capsys):
    assert call("train", "--list-recipes") == 0
    assert "rdepth_xl_b" in capsys.readouterr().out
    assert call("train", "--list-recipes", "--rezipe", "x") == 2
    assert "--rezipe" in capsys.readouterr().err
    assert call("train", "--direction", "u2r", "--print-config") == 0
    assert json.loads(capsys.readouterr().out)["recipe"] == "rdepth_b_s"


@pytest.mark.parametrize("script", ["evaluate", "predict"])
def test_no_run(script, tmp_path, call, capsys):
    extra = ("in.png", "out.png") if script == "predict" else ()
    assert call(script, "--run", tmp_path, *extra) == 2
    assert capsys.readouterr().err.count("\n") == 1
