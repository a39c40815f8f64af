"""The scripts that evaluate, submit and reproduce, over finished runs: output and exit codes."""

import importlib.util
import json
import shutil
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from rdepth_keras import run
from rdepth_keras.data import png
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.infer import Inference

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def call(monkeypatch, capsys):
    """(script, arguments) -> exit code, standard output, error output; in this process."""

    def run_script(script, *arguments):
        path = ROOT / "scripts" / f"{script}.py"
        specification = importlib.util.spec_from_file_location(script, path)
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, script, module)
        specification.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [path.name, *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            module.command.guarded(module.main)
        said = capsys.readouterr()
        return stop.value.code, said.out, said.err

    return run_script


def test_scores_reports_ablates_and_compares(copied, call):
    one, other = copied
    code, said, _ = call("evaluate", "--run", one, "--report", "--exhibits", 1)
    assert code == 0 and "mIoU" in said and "kappa" in said and "val_urban.html" in said
    code, said, _ = call("evaluate", "--run", other, "--inference.views", "flips")
    assert code == 0 and (other / "evaluations/val_urban-views=flips.json").exists()
    code, said, _ = call("evaluate", "--run", one, "--ablate", "depth")
    assert code == 0 and "shuffled" in said and "mIoU" in said
    code, said, _ = call("evaluate", "--compare", one, other, "--published")
    assert code == 0 and said.count("### ") == 1 + 4 and "hidden test" in said
    assert "seed1 views=flips minus seed0" in said
    code, said, _ = call("evaluate", "--compare", one, "--format", "latex")
    assert code == 0 and r"\begin{tabular}" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--report", "--exhibits", "-1"), "--exhibits must be at least 0"),
     (("--format", "csv"), "--format has no effect without --compare"),
     (("--compare", "b"), "one after the other"), (("--published",), "one after the other"),
     (("--report", "--ablate", "depth"), "two evaluations"),
     (("--inference.blend", "tapered"), "--inference.blend tapered fades overlapping windows"),
     (("--data-dir", "."), "has no effect: tiles of Demo are made")],
)  # fmt: skip
def test_no_flag_is_passed_over(copied, call, arguments, said):
    code, _, error = call("evaluate", "--run", copied[0], *arguments)
    assert code == 2 and said in error and error.count("\n") == 1


def test_a_whole_tile_has_no_stride(copied, noted, call):
    """Also where the run's windows overlap and fade: nothing more needs to be said."""
    own = run.Run(copied[0])
    overlap = Inference(window_pixels=64, stride_pixels=32, blend="tapered")
    noted(copied[0], own.experiment.changed(training={"inference": overlap}))
    code, _, error = call("evaluate", "--run", copied[0], "--inference.window-pixels", "None")
    assert code == 0, error
    (result,) = own.evaluations.read().values()
    whole = {"window_pixels": None, "stride_pixels": None, "blend": "uniform"}
    assert whole.items() <= result["inference"].items()


def test_ctrl_c_is_one_line(copied, call, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("rdepth_keras.run.evaluation.load_ensemble", interrupted)
    code, _, error = call("evaluate", "--run", copied[0])
    assert code == 130 and error.startswith("error: stopped;") and error.count("\n") == 1


def test_an_ensemble_from_the_command_line(copied, noted, call):
    one, other = copied
    code, _, _ = call("evaluate", "--run", one, "--ensemble", other)
    (found,) = (one / "evaluations").glob("val_urban-with=seed1.*.json")
    assert code == 0 and json.loads(found.read_text())["seeds"] == [0, 1]
    experiment = run.Run(one).experiment.changed(data=Demo("u2u", 2, 3, 2, 64))
    noted(other, experiment, depth={"source": "procedural heights"})
    code, _, error = call("evaluate", "--run", one, "--ensemble", other)
    assert code == 2 and "source rural" in error and "urban" in error


def test_a_submission_is_written_and_checked(copied, call, tmp_path):
    out = tmp_path / "urban.zip"
    code, said, _ = call("submit", "--run", copied[0], "--domain", "urban", "--out", out)
    assert code == 0 and "2 urban tiles of 64x64, those of the run's data" in said
    code, said, _ = call("submit", "--check", out, "--domain", "urban")
    assert code == 1 and "fault: missing tiles: 5167.png" in said
    code, said, _ = call("submit", "--check", out, "--domain", "urban", "--run", copied[0])
    assert code == 0


@pytest.mark.proof
def test_a_constant_submission_is_valid_with_a_warning(call, tmp_path):
    data = png.encode(np.full((1024, 1024), 4, np.uint8))
    with zipfile.ZipFile(tmp_path / "rural.zip", "w") as archive:
        for number in range(4191, 5167):
            archive.writestr(f"{number}.png", data)
    code, said, _ = call("submit", "--check", tmp_path / "rural.zip", "--domain", "rural")
    assert code == 0 and "warning: every tile is class 4" in said and "976 rural tiles" in said


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("evaluate", (), "--run DIR"),
        ("evaluate", ("--run", "nowhere"), "holds no run"),
        ("evaluate", ("--compare", "nowhere"), "holds no run"),
        ("evaluate", ("--run", "a", "--compare", "b"), "holds no run"),
        ("evaluate", ("--compare", "b", "--report"), "--run DIR"),
        ("evaluate", ("--run", "a", "--exhibits", "-1"), "holds no run"),
        ("evaluate", ("--compare", "b", "--inference.views", "flips"), "--inference has no effect"),
        ("evaluate", ("--published", "--split", "test"), "--split has no effect without --run"),
        ("evaluate", ("--compare", "b", "--exhibits", "3"), "--exhibits has no effect without"),
        ("evaluate", ("--exhibits", "3", "--format", "csv"), "--exhibits has no effect without"),
        ("submit", ("--domain", "urban", "--check", "a.zip", "--views", "flips"), "--views"),
        ("submit", ("--domain", "urban"), "either --run DIR and --out"),
        ("submit", ("--domain", "urban", "--out", "a.zip"), "--run DIR"),
        ("submit", ("--domain", "urban", "--check", "nowhere.zip"), "no such file"),
        ("submit", ("--domain", "urban", "--check", ROOT), "is a folder; name the zip"),
        ("submit", ("--domain", "urban", "--run", "a", "--out", f"{__file__}/a.zip"), "--out"),
        ("reproduce", ("--rows", "none_such", "--direction", "u2r"), "none_such"),
        ("reproduce", ("--rows", "demo", "--direction", "u2r", "--seeds", "0"), "one seed"),
        ("submit", ("--domain", "sea", "--check", "a.zip"), "--domain"),
        ("sweep", ("--recipes", "demo", "--out", "nowhere", "--cap-hours", "nan"), "--cap-hours"),
        ("sweep", ("--recipes", "--seeds", "0"), "no recipe"),
        ("sweep", ("--recipes", "demo", "--seeds", "-1"), "--seeds must be in 0"),
        ("sweep", ("--recipes", "demo", "--out", __file__), "--out"),
        ("reproduce", ("--rows", "demo", "--direction", "r2u", "--out", __file__), "--out"),
        ("train", ("--dataset", "demo", "--out", __file__), "--out"),
        ("evaluate", ("--run", __file__), "is a file; expected is the folder of a run"),
    ],
)
def test_wrong_use_is_one_line(call, script, arguments, said):
    code, _, error = call(script, *arguments)
    assert code == 2 and said in error and error.count("\n") == 1


@pytest.fixture
def trained_at_once(monkeypatch, random_runs):
    """Training that copies a finished run; what it was asked for is noted."""
    asked = []

    def train(cell, script, options, cap_seconds):
        asked.append((cell.recipe, cell.seed, tuple(options)))
        if cell.metrics is None:
            shutil.copytree(random_runs[cell.seed], cell.directory)
            run.evaluate(run.prepare_trial(cell.run, "val"), Console(quiet=True))
            scores = cell.directory / "evaluations/val_urban.json"
            shutil.copy(scores, cell.directory / "metrics.json")
        return "finished"

    def settings(cell, script, options):
        return run.Run(random_runs[cell.seed]).experiment

    monkeypatch.setattr("rdepth_keras.run.sweep.train", train)
    monkeypatch.setattr("rdepth_keras.run.sweep.settings", settings)
    return asked


def test_rows_are_reproduced_and_nothing_is_done_twice(trained_at_once, call, tmp_path):
    options = ("--rows", "demo", "--direction", "r2u", "--seeds", 2, "--out", tmp_path / "out")
    code, said, _ = call("reproduce", *options, "--skip-preflight", "--", "--steps", 4)
    assert code == 0 and trained_at_once == [("demo", seed, ("--steps", "4")) for seed in (0, 1)]
    assert "demo (2 seeds)" in said and "hidden test" in said
    assert (tmp_path / "out/comparison.md").read_text().partition("\n\n")[2] in said
    zips = sorted((tmp_path / "out").glob("*/submission_urban.zip"))
    before = [path.stat().st_mtime_ns for path in zips]
    code, _, _ = call("reproduce", *options)  # all finished: no preflight either
    assert code == 0 and [path.stat().st_mtime_ns for path in zips] == before and len(zips) == 2
    zips[0].write_bytes(b"garbage")
    code, said, error = call("reproduce", *options)
    assert code == 1 and f"{zips[0]} was there before, and is none: move it away" in error
    assert str(zips[0]) not in said and zips[0].read_bytes() == b"garbage"
    (tmp_path / "out/comparison.md").write_text("my notes")
    code, _, error = call("reproduce", *options)
    assert code == 2 and "comparison.md is no table of this script" in error


def test_a_training_that_stops_stops_the_reproduction(trained_at_once, call, tmp_path, monkeypatch):
    monkeypatch.setattr("rdepth_keras.run.sweep.train", lambda *_: "failed with exit code 137")
    options = ("--rows", "demo", "--direction", "r2u", "--out", tmp_path, "--skip-preflight")
    code, said, error = call("reproduce", *options)
    assert code == 1 and "exit code 137" in said and "same command" in error


def test_a_failed_preflight_stops_it(trained_at_once, call, tmp_path, monkeypatch):
    bad = SimpleNamespace(returncode=1)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: bad)
    code, _, _ = call("reproduce", "--rows", "demo", "--direction", "r2u", "--out", tmp_path)
    assert code == 1 and not trained_at_once


def test_pictures_that_are_read_are_never_replaced(copied, call, tmp_path, monkeypatch):
    """Neither by the map, nor by the coloured one, nor by that of another picture."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "depth", "b_color"):
        (folder / f"{name}.png").write_bytes(png.encode(pixels))
    a, depth = folder / "a.png", folder / "depth.png"
    for arguments in (
        (a, a, "--depth", depth),
        (a, depth, "--depth", depth),
        (folder / "b_color.png", folder / "b.png", "--color", "--depth", depth),
        (folder, folder),
    ):
        code, said, error = call("predict", "--run", copied[0], *arguments)
        assert code == 2 and not said and "is the file that is read" in error
    (folder / "b.png").write_bytes(png.encode(pixels))
    (tmp_path / "maps").mkdir()
    code, _, error = call("predict", "--run", copied[0], "--color", folder, tmp_path / "maps")
    assert code == 2 and "maps/b_color.png, one of them in colours: rename" in error
    code, said, error = call("predict", "--run", copied[0], a, tmp_path / "c.png", "--depth", depth)
    assert code == 0 and (tmp_path / "c.png").exists(), error
    again = ("--run", copied[0], a, tmp_path / "c.png", "--depth", depth)
    code, said, error = call("predict", *again)
    assert code == 2 and not said and "c.png would be replaced" in error
    (tmp_path / "c_color.png").write_bytes(b"of another map")
    code, said, error = call("predict", *again, "--overwrite")
    assert code == 2 and not said and "c_color.png would stay beside a new map" in error
    (tmp_path / "c_color.png").unlink()
    assert call("predict", *again, "--overwrite")[0] == 0
    late = tmp_path / "d.png"
    label = np.zeros(pixels.shape[:2], np.uint8)
    other = png.encode(label + 1)

    def beside_another(image, depth):
        late.write_bytes(other)
        return label

    monkeypatch.setattr("rdepth_keras.run.load_picture_predictor", lambda *_, **__: beside_another)
    code, _, error = call("predict", "--run", copied[0], a, late, "--depth", depth)
    assert code == 2 and "d.png is there already" in error
    assert late.read_bytes() == other
    assert all(np.array_equal(png.decode(path.read_bytes()), pixels) for path in folder.iterdir())
