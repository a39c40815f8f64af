"""Wrong use and errors: one line, an exit code, and where they came from for those who ask."""

import errno
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdepth_keras import command
from rdepth_keras.labels import ClassTable


@dataclass(frozen=True)
class Options:
    steps: int = 5
    out: Path | None = None


def leave(capsys, error):
    """Exit code and error output of a script that fails so."""

    def main():
        raise error

    with pytest.raises(SystemExit) as stop:
        command.guarded(main)
    said = capsys.readouterr()
    assert said.out == ""
    return stop.value.code, said.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValueError("bad\n  tile"), 2, "error: bad tile\n"),
        (KeyError("no such 'name'"), 2, "error: no such 'name'\n"),
        (KeyError(), 2, "error: KeyError\n"),
        (FileNotFoundError("a.png: no such file."), 2, "error: a.png: no such file.\n"),
        (ImportError("pip install x"), 2, "error: pip install x\n"),
        (OverflowError("too large"), 2, "error: too large\n"),
        (FloatingPointError("not finite at step 3"), 1, "error: not finite at step 3\n"),
        (KeyboardInterrupt(), 130, "error: stopped; what was finished stays"),
        (MemoryError("28 GiB."), 2, "error: out of memory: 28 GiB. Use a smaller --crop"),
        (MemoryError(), 2, "error: out of memory: MemoryError. Use a smaller --crop"),
        (RuntimeError("RESOURCE_EXHAUSTED: 9 GiB"), 2, "error: out of memory: RESOURCE_EXHAUSTED"),
        (OSError("Too many open files."), 2, "error: Too many open files. Raise the limit: ulimit"),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Too many open files"),
            2,
            "error: RESOURCE_EXHAUSTED: T",
        ),
        (RecursionError("maximum depth"), 2, "error: maximum depth: a file is nested too deeply"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_that_a_user_can_mend_are_one_line(capsys, error, code, said):
    left, line = leave(capsys, error)
    assert left == code and line.startswith(said) and line.count("\n") == 1


@pytest.mark.parametrize("error", [TypeError("x"), AssertionError("x"), AttributeError("x")])
def test_errors_of_a_programmer_keep_their_trace(capsys, error):
    def main():
        raise error

    with pytest.raises(type(error), match="x"):
        command.guarded(main)


def test_the_trace_of_any_error_for_those_who_ask(monkeypatch):
    monkeypatch.setenv("RDEPTH_TRACEBACK", "1")

    def main():
        raise ValueError("bad tile")

    with pytest.raises(ValueError, match="bad tile"):
        command.guarded(main)


def test_a_platform_that_is_not_there_is_told(capsys, monkeypatch):
    """JAX asserts that it has a backend, deep inside."""
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    inside = {"__name__": "jax._src.xla_bridge"}
    exec("def backends():\n    assert False", inside)
    with pytest.raises(SystemExit) as stop:
        command.guarded(inside["backends"])
    line = capsys.readouterr().err
    assert stop.value.code == 2 and line.count("\n") == 1 and "JAX_PLATFORMS=cuda" in line


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_poor_locale_loses_no_output(encoding, errors, monkeypatch):
    """The table of a night's training is not lost for its ±; Python's own choice is the second."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit) as stop:
        command.guarded(lambda: print("50.1 ± 0.2"))
    out.flush()
    assert stop.value.code == 0
    expected = {"ascii": rb"50.1 \xb1 0.2", "utf-8": "50.1 ± 0.2".encode()}
    assert out.buffer.getvalue().strip() == expected[encoding]


@pytest.mark.parametrize(("given", "code"), [(None, 0), (0, 0), (3, 3)])
def test_exit_codes(given, code):
    with pytest.raises(SystemExit) as stop:
        command.guarded(lambda: given)
    assert stop.value.code == code


def test_arguments(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script", "--steps", "7", "--unknown", "x"])
    assert command.peek(Options) == Options(steps=7)
    with pytest.raises(SystemExit) as stop:
        command.parse(Options)
    line = capsys.readouterr().err
    assert stop.value.code == 2 and line.count("\n") == 1 and "--unknown" in line
    monkeypatch.setattr(sys, "argv", ["script", "--steps", "6.5"])
    with pytest.raises(SystemExit):
        command.parse(Options)
    line = capsys.readouterr().err
    assert "6.5" in line and "--steps" in line and line.startswith("error: ")


def test_a_name_is_chosen_among_the_known_ones():
    assert command.choose("--kind", "a", {"a": 1, "b": 2}) == 1
    with pytest.raises(ValueError, match="--kind 'c' is unknown; known are: a, b"):
        command.choose("--kind", "c", {"a": 1, "b": 2})


def test_where_a_file_goes_is_looked_at_first(tmp_path):
    command.check_folder("--json", None)
    command.check_folder("--json", tmp_path / "new.json")
    command.check_folder("--json", Path("new.json"))
    with pytest.raises(FileNotFoundError, match="--json .*: there is no folder .*nowhere"):
        command.check_folder("--json", tmp_path / "nowhere/new.json")
    with pytest.raises(IsADirectoryError, match="--json .* is a folder"):
        command.check_folder("--json", tmp_path)


def test_no_file_is_taken_for_a_folder(tmp_path):
    command.check_directory("--out", None)
    command.check_directory("--out", tmp_path / "new" / "deep")
    command.check_directory("--out", tmp_path)
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(NotADirectoryError, match="--out .*: expected is a folder, but .*file"):
            command.check_directory("--out", path)


def test_tables_are_wide_where_there_is_no_terminal():
    assert command.console().width == 120


@dataclass(frozen=True)
class WithClasses:
    """A class table from a file."""

    classes: ClassTable


def test_a_home_that_the_shell_left_as_it_was(monkeypatch, tmp_path):
    """It does so in ``--out=~/runs``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["script", "--out=~/runs"])
    assert command.parse(Options).out == tmp_path / "runs"
    monkeypatch.setattr(sys, "argv", ["script", "--classes=~/classes.yaml"])
    (tmp_path / "classes.yaml").write_text(
        "classes: [{name: a, value: 0, color: [1, 2, 3]}, {name: b, value: 1, color: [4, 5, 6]}]\n"
        "ignored: []\n"
    )
    assert command.parse(WithClasses).classes.names == ("a", "b")


@pytest.mark.parametrize("place", ["", " "])
def test_an_empty_path_is_not_the_working_directory(place, monkeypatch, capsys):
    """A variable that is not set in a shell leaves one."""
    monkeypatch.setattr(sys, "argv", ["script", "--out", place])
    with pytest.raises(SystemExit) as stop:
        command.parse(Options)
    assert stop.value.code == 2 and "nothing came; is a variable" in capsys.readouterr().err


def test_files_that_a_shell_has_spread_out_are_recognised(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["script", "--steps", "7", __file__])
    with pytest.raises(SystemExit):
        command.parse(Options)
    assert "a pattern of several files goes in quotes" in capsys.readouterr().err


def read_one_line(program):
    """Exit code and error output of a program of which only the first line is read."""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    return process.returncode, said


def test_work_goes_on_where_nobody_reads_any_more():
    """As ``script | head -1``: the exit code is the work's own, and the error stream says why."""
    work = (
        "from rdepth_keras import command; import time\n"
        "def main():\n"
        "    console = command.console()\n"
        "    for number in range(5): console.print(number); time.sleep(0.1)\n"
        "    return 7\n"
        "command.guarded(main)"
    )
    code, said = read_one_line(work)
    assert code == 7
    assert said.count("Nobody reads the output any more") == 1


def test_help_that_is_not_read_to_its_end_is_no_error():
    """As ``script --help | head -1``."""
    helped = (
        "import sys; from rdepth_keras import command; from rdepth_keras.infer import Inference\n"
        "sys.argv = ['script', '--help']\n"
        "command.guarded(lambda: command.parse(Inference, description='x' * 200_000))"
    )
    assert read_one_line(helped) == (0, "")


def test_a_full_disk_without_a_name_may_be_the_output(capsys):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    code, said = leave(capsys, error)
    assert code == 2 and "or what the standard output is written to" in said
