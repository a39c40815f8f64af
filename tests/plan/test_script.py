"""scripts/plan.py: its flags, and its words where it cannot compile."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from rdepth_keras.plan import apart
from rdepth_keras.plan.apart import Compiled

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def plan(monkeypatch):
    """Arguments -> exit code."""

    def run(*arguments: object) -> int:
        place = ROOT / "scripts" / "plan.py"
        specification = importlib.util.spec_from_file_location("plan_script", place)
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, "plan_script", module)
        specification.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", ["plan.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            module.command.guarded(module.main)
        return stop.value.code

    return run


def test_the_flags_of_the_readme_exist(plan, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert plan("--help") == 0
    known, lines = capsys.readouterr().out, re.findall(r"scripts/plan\.py[^\n`]*", README)
    assert any("--devices" in line for line in lines)
    for flag in ["--top", "--remat", "--accumulate", *re.findall(r"--[\w.-]+", " ".join(lines))]:
        assert re.search(rf"{re.escape(flag)}\b", known), flag


def test_without_the_extra_it_is_one_line(plan, capsys, monkeypatch):
    monkeypatch.setattr(apart, "PLUGINS", ("no_such_plugin",))
    assert plan("--recipe", "demo") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "pip install -e '.[cuda12]'" in said


def test_an_unknown_gpu_is_refused(plan, capsys):
    assert plan("--recipe", "demo", "--device", "h300") == 2
    assert "h200" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--json", "--program"])
def test_a_folder_that_is_missing_is_told_before_minutes_are_spent(plan, tmp_path, capsys, flag):
    assert plan("--recipe", "demo", flag, tmp_path / "nowhere/out") == 2
    assert f"{flag} {tmp_path / 'nowhere/out'}: there is no folder" in capsys.readouterr().err


@pytest.fixture
def compiler(monkeypatch, program):
    """A compiler by whom a step needs 6 GiB for each tile of a part."""

    def compile_apart(experiment, device, count=1):
        economy, batch = experiment.resources.economy, experiment.training.batch_size
        peak = (6 << 30) * batch // economy.accumulate // (2 if economy.remat else 1)
        return Compiled(9, 1 << 30, 5 << 30, peak, 1.0, 2.0, program)

    monkeypatch.setattr(apart, "check_installed", lambda: None)
    monkeypatch.setattr(apart, "compile_apart", compile_apart)


def test_what_fits_is_said(plan, compiler, capsys, tmp_path):
    own = ("--recipe", "demo", "--json", tmp_path / "plan.json", "--program", tmp_path / "step.hlo")
    assert plan(*own, "--devices", 3, "--top", 2) == 0
    said = capsys.readouterr().out
    assert "splits evenly over 2 devices, not 3" in said
    assert "It fits the 105.30 GiB" in said and "all-reduce" in said
    assert "image_encoder forward/stage1/norm, element-wise" in said
    found = json.loads((tmp_path / "plan.json").read_text())
    assert found["devices"] == 2 and found["kernels"] == 11 and found["fits"]
    assert found["parameters"] > 1e6 and found["attempts"] == []
    assert found["experiment"]["training"]["precision"] == "mixed_bfloat16"
    assert (tmp_path / "step.hlo").read_text().startswith("HloModule")


def test_what_would_fit_is_looked_for(plan, compiler, capsys, tmp_path):
    """24 GiB for a batch of 4, where JAX takes 17.7 GiB."""
    path = tmp_path / "plan.json"
    assert plan("--recipe", "demo", "--device", "rtx4090", "--json", path) == 0
    said = capsys.readouterr().out
    assert "It does not fit the 17.73 GiB" in said
    found = json.loads(path.read_text())
    assert [(one["flags"], one["peak_bytes"] >> 30) for one in found["attempts"]] == [
        *(("--remat", 12), ("--accumulate 2", 12), ("--batch-size 2", 12), ("--batch-size 3", 18))
    ]
    assert re.search(r"--batch-size 2 +12.00 GiB, fits", said)
    assert "Nothing" not in said
    assert re.search(r"--batch-size 3 +18.00 GiB, does not fit", said)


def test_where_nothing_fits_that_is_said(plan, compiler, capsys, monkeypatch):
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.01")
    assert plan("--recipe", "demo", "--device", "rtx4090") == 0
    assert "Nothing of it fits" in capsys.readouterr().out
