"""Ctrl-C while a script is still importing."""

import ast
import importlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rdepth_keras import interrupts

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def run(tmp_path, *lines):
    """A script whose second import does what the lines say."""
    (tmp_path / "heavy.py").write_text("\n".join(["import gc, os, signal, sys", *lines]))
    (tmp_path / "script.py").write_text("import rdepth_keras.interrupts\nimport heavy\n")
    command = [sys.executable, str(tmp_path / "script.py")]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, env=environment)


PRESS = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize(
    "lines",
    [
        (PRESS,),
        # As JAX does: an exception raised here is shown, lost, and the import goes on.
        (f"gc.callbacks.append(lambda *_: {PRESS})", "gc.collect()", "print('went on')"),
        ("try:", f"    {PRESS}", "except BaseException:", "    print('went on')"),
    ],
)
def test_ctrl_c_during_imports_is_one_line(tmp_path, lines):
    done = run(tmp_path, *lines)
    assert done.returncode == 130 and done.stdout == ""
    assert done.stderr == "error: stopped before anything was done\n"


def test_after_the_imports_it_is_an_exception_again(tmp_path):
    release = "import rdepth_keras.interrupts as ours; ours.release()"
    done = run(
        tmp_path, release, "try:", f"    {PRESS}", "except KeyboardInterrupt:", "    sys.exit(7)"
    )
    assert done.returncode == 7 and done.stderr == ""


def test_any_other_error_keeps_its_trace(tmp_path):
    done = run(tmp_path, "raise TypeError('broken installation')")
    assert done.returncode == 1 and "Traceback" in done.stderr and "heavy.py" in done.stderr


def test_nothing_changes_for_other_importers():
    before = signal.getsignal(signal.SIGINT)
    importlib.reload(interrupts)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_imports_it_first(script):
    body = ast.parse(script.read_text(encoding="utf-8")).body
    first = next(node for node in body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import rdepth_keras.interrupts"
