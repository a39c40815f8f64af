"""Sweeps: the plan, the spread, and going on."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from rdepth_keras.experiment import to_json
from rdepth_keras.run import sweep
from rdepth_keras.run.sweep import check, plan, settings, summarise, train

# Stands in for scripts/train.py: writes what a run leaves, and can be told to dawdle.
STAND_IN = """
import json, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
given = sys.argv[1:]
out = given.index("--out")
directory = pathlib.Path(given[out + 1])
del given[out : out + 2]
directory.mkdir(parents=True, exist_ok=True)
(directory / "experiment.json").write_text("{}")
with (directory / "calls").open("a") as file:
    file.write(" ".join(given) + "\\n")
if "--dawdle" in given and "--resume" not in given:
    time.sleep(60)
if "--fail" in sys.argv:
    sys.exit(3)
(directory / "metrics.json").write_text(json.dumps({"miou": 0.5, "iou": {"road": 0.5}}))
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "train.py"
    path.write_text(STAND_IN)
    return path


def calls(cell):
    return (cell.directory / "calls").read_text().splitlines()


def test_plan(tmp_path):
    cells = plan(["a", "b"], ["r2u", "u2r"], [0, 1], tmp_path)
    assert len(cells) == len({cell.directory for cell in cells}) == 8
    assert cells[0].directory == tmp_path / "a-r2u-seed0"


def test_a_finished_run_is_not_trained_again(tmp_path, script):
    (cell,) = plan(["a"], ["r2u"], [3], tmp_path / "out")
    assert train(cell, script, ["--steps", "5"], None) == "finished"
    assert train(cell, script, ["--steps", "5"], None) == "finished before"
    assert calls(cell) == ["--recipe a --direction r2u --seed 3 --steps 5"]


def test_a_run_over_its_cap_is_resumed(tmp_path, script):
    (cell,) = plan(["a"], ["r2u"], [0], tmp_path / "out")
    assert train(cell, script, ["--dawdle"], 3.0) == "stopped at its cap"
    assert train(cell, script, ["--dawdle"], 30.0) == "finished"
    first, second = calls(cell)
    assert second == f"{first} --resume", "data that were moved must be told again"


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGHUP])
def test_asked_to_stop_it_starts_no_further_run(asked, tmp_path, script, request):
    """SIGHUP is a lost terminal; under nohup it is ignored, here it is not."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, before))
    (cell,) = plan(["a"], ["r2u"], [0], tmp_path / "out")

    def ask():
        while not (cell.directory / "calls").exists():
            time.sleep(0.02)
        os.kill(os.getpid(), asked)

    asking = threading.Thread(target=ask)
    asking.start()
    with pytest.raises(SystemExit) as stop:
        train(cell, script, ["--dawdle"], 50.0)
    asking.join()
    assert stop.value.code == 128 + asked and not cell.finished


def test_a_failure_is_told(tmp_path, script):
    (cell,) = plan(["a"], ["r2u"], [0], tmp_path / "out")
    assert train(cell, script, ["--fail"], None) == "failed with exit code 3"


@pytest.mark.proof
def test_runs_with_other_settings_are_not_taken_for_these(tmp_path):
    """Against the real script: what it would train, and what the directory holds."""
    script = Path(__file__).resolve().parents[2] / "scripts" / "train.py"
    (cell,) = plan(["demo"], ["u2r"], [3], tmp_path / "out")
    asked = settings(cell, script, ["--steps", "7"])
    training = asked.training
    assert (asked.recipe, asked.data.direction) == ("demo", "u2r")
    assert (training.seed, training.steps) == (3, 7)
    cell.directory.mkdir(parents=True)
    (cell.directory / "experiment.json").write_text(to_json(asked))
    check([cell], script, ["--steps", "7", "--workers", "1"])
    with pytest.raises(ValueError, match="other settings; .*: training.steps: 7 -> 450"):
        check([cell], script, [])


def test_a_run_without_labels_to_be_scored_on_is_finished(tmp_path, script):
    (cell,) = plan(["a"], ["r2u"], [0], tmp_path)
    cell.directory.mkdir()
    (cell.directory / "metrics.json").write_text('{"not_evaluated": "no labels"}')
    assert train(cell, script, [], None) == "finished before"
    assert summarise([cell]) == {}


def test_mean_and_sample_deviation(tmp_path, monkeypatch):
    cells = plan(["a"], ["r2u"], [0, 1, 2, 3], tmp_path)
    scores = [
        {"miou": miou, "iou": {"road": road, "water": None}}
        for miou, road in zip((0.2, 0.4, 0.6), (None, 0.1, 0.3), strict=True)
    ]
    metrics = property(lambda cell: dict(enumerate(scores)).get(cell.seed))
    monkeypatch.setattr(sweep.Cell, "metrics", metrics)
    monkeypatch.setattr(sweep, "check_means", lambda _: None)  # no run is behind them
    row = summarise(cells)["a r2u"]
    assert row["seeds"] == 3
    assert row["miou"] == pytest.approx((0.4, 0.2))
    assert row["iou"]["road"] == pytest.approx((0.2, 0.02**0.5))
    assert row["iou"]["water"] is None
    assert summarise(cells[:1])["a r2u"]["miou"] == (0.2, None)
    assert summarise([]) == {}


def test_the_script_names_unknown_recipes_first(monkeypatch, capsys, tmp_path):
    import importlib.util

    path = Path(__file__).resolve().parents[2] / "scripts" / "sweep.py"
    specification = importlib.util.spec_from_file_location("sweep_script", path)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "sweep_script", module)
    specification.loader.exec_module(module)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["sweep.py", "--recipes", "demo", "nope", "--out", str(out)])
    with pytest.raises(SystemExit) as stop:
        module.command.guarded(module.main)
    assert stop.value.code == 2 and "known are" in capsys.readouterr().err
    assert not out.exists()


def test_a_page_may_lie_where_the_runs_will(call, monkeypatch, tmp_path, capsys):
    """And nowhere else that is not there, of which no folder is made."""
    started = []
    monkeypatch.setattr(sweep, "train", lambda cell, *_: started.append(cell) or "stopped")
    flags = ["--recipes", "demo", "--directions", "r2u", "--seeds", "0", "--out", tmp_path / "out"]
    for page in ("other/board.md", "out/deeper/board.md"):
        assert call("sweep", *flags, "--page", tmp_path / page) == 2
        assert "there is no folder" in capsys.readouterr().err and not list(tmp_path.iterdir())
    call("sweep", *flags, "--page", tmp_path / "out" / "board.md")
    assert "No run of the sweep has been scored" in capsys.readouterr().err and len(started) == 1
