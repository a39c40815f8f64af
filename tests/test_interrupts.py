"""Ctrl-C while a script is still importing."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def run(tmp_path, line):
    """A script whose second import does what ``line`` says."""
    (tmp_path / "heavy.py").write_text(line)
    (tmp_path / "script.py").write_text("import rdepth_keras.interrupts\nimport heavy\n")
    command = [sys.executable, str(tmp_path / "script.py")]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_ctrl_c_during_imports_is_one_line(tmp_path):
    done = run(tmp_path, "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n")
    assert done.returncode == -signal.SIGINT
    assert done.stderr == "error: stopped before anything was done\n"


def test_any_other_error_keeps_its_trace(tmp_path):
    done = run(tmp_path, "raise TypeError('broken installation')\n")
    assert done.returncode == 1 and "Traceback" in done.stderr and "heavy.py" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_imports_it_first(script):
    body = ast.parse(script.read_text(encoding="utf-8")).body
    first = next(node for node in body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import rdepth_keras.interrupts"
