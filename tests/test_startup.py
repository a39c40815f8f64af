"""Ctrl-C while a script is still importing, and the memory it gets."""

import ast
import importlib
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rdepth_keras import startup

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))


def run(tmp_path, *lines, before=(), after=(), **environment):
    """A script whose second import does what the lines say; arguments before and after it."""
    (tmp_path / "heavy.py").write_text("\n".join(["import gc, os, signal, sys", *lines]))
    (tmp_path / "script.py").write_text("import rdepth_keras.startup\nimport heavy\n")
    command = [sys.executable, *before, str(tmp_path / "script.py"), *after]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", **environment}
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
    release = "import rdepth_keras.startup as ours; ours.release()"
    done = run(
        tmp_path, release, "try:", f"    {PRESS}", "except KeyboardInterrupt:", "    sys.exit(7)"
    )
    assert done.returncode == 7 and done.stderr == ""


def test_any_other_error_keeps_its_trace(tmp_path):
    done = run(tmp_path, "raise TypeError('broken installation')")
    assert done.returncode == 1 and "Traceback" in done.stderr and "heavy.py" in done.stderr


def test_nothing_changes_for_other_importers():
    before = signal.getsignal(signal.SIGINT)
    importlib.reload(startup)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_imports_it_first(script):
    body = ast.parse(script.read_text(encoding="utf-8")).body
    first = next(node for node in body if isinstance(node, ast.Import | ast.ImportFrom))
    assert ast.unparse(first) == "import rdepth_keras.startup"


HUGE = "glibc.malloc.hugetlb"
asks = pytest.mark.skipif(
    not (startup._PAGES.is_file() and "[madvise]" in startup._PAGES.read_text()),
    reason="this kernel gives huge pages to everyone or to nobody",
)


@asks
def test_a_script_begins_once_more_with_huge_pages(tmp_path):
    """As it was called, in the same process: schedulers know it by its number."""
    done = run(
        tmp_path,
        "print(os.environ['GLIBC_TUNABLES'], sys.argv[1:], sys.warnoptions, os.getppid())",
        before=("-W", "error"),
        after=("--out", "a b"),
        GLIBC_TUNABLES="glibc.malloc.check=0",
    )
    said = f"glibc.malloc.check=0:{HUGE}=1 ['--out', 'a b'] ['error'] {os.getpid()}\n"
    assert (done.stdout, done.stderr, done.returncode) == (said, "", 0)


@asks
def test_its_memory_lies_in_them(tmp_path):
    """What malloc gives is advised so: the flag hg of its mapping."""
    library, version = platform.libc_ver()
    if library != "glibc" or [int(part) for part in version.split(".")] < [2, 35]:
        pytest.skip("glibc gives huge pages from 2.35 on")
    lines = (
        "import ctypes",
        "libc = ctypes.CDLL(None)",
        "libc.malloc.restype = ctypes.c_void_p",
        "place, inside = libc.malloc(ctypes.c_size_t(2**28)), False",
        "for line in open('/proc/self/smaps'):",
        "    word = line.split()[0]",
        "    if '-' in word:",
        "        start, end = (int(side, 16) for side in word.split('-'))",
        "        inside = start <= place < end",
        "    if inside and word == 'VmFlags:':",
        "        print('hg' in line.split())",
    )
    told = [run(tmp_path, *lines, GLIBC_TUNABLES=t).stdout for t in ("", f"{HUGE}=0")]
    assert told == ["True\n", "False\n"]


@pytest.mark.parametrize(("watched", "tunables"), [(False, f"{HUGE}=0"), (True, "")])
def test_it_does_not_where_it_was_told_or_is_watched(watched, tunables, tmp_path):
    """Its reports go beside the script: else they would lie in the package."""
    trace = ("-m", "trace", "--count", "--coverdir", str(tmp_path)) if watched else ()
    lines = "print(os.environ['GLIBC_TUNABLES'])"
    done = run(tmp_path, lines, before=trace, GLIBC_TUNABLES=tunables)
    assert done.stdout.splitlines()[0] == tunables
