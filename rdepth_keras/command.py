"""What the scripts share: typed arguments in, one-line errors and exit codes out."""

import codecs
import errno
import io
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import tyro
from rich.console import Console

from rdepth_keras import startup
from rdepth_keras.atomic import check_local
from rdepth_keras.data.folder.classes import load_classes
from rdepth_keras.labels import ClassTable

Arguments = TypeVar("Arguments")
Value = TypeVar("Value")
MENDED = (
    *(ValueError, LookupError, OSError, ImportError, RuntimeError),
    *(FloatingPointError, OverflowError),
)
_NO_MEMORY = ("RESOURCE_EXHAUSTED", "(-4:Insufficient memory)")  # of JAX, of OpenCV
_STYLE = (
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.AvoidSubcommands,
    tyro.conf.SuppressFixed,
)
_CONSTRUCTORS = tyro.constructors.ConstructorRegistry()


@dataclass(frozen=True)
class Window:
    """What decides the default distance of windows; 0 is the run's own."""

    window_pixels: int | None = 0


@dataclass(frozen=True)
class RunAndWindow:
    """The arguments that decide the default inference of a script that takes a run."""

    run: Path | None = None
    inference: Window = Window()


def _read_as(kind: type, metavar: str, read: Callable[[str], Any], show: Callable[[Any], str]):
    """On the command line a ``kind`` is one word."""

    def rule(info):
        if info.type is not kind:
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar=metavar,
            instance_from_str=lambda given: read(given[0]),
            is_instance=lambda value: isinstance(value, kind),
            str_from_instance=lambda value: [show(value)],
        )

    _CONSTRUCTORS.primitive_rule(rule)


_read_as(
    ClassTable,
    "FILE",
    lambda file: load_classes(Path(file).expanduser()),
    lambda t: ", ".join(t.names) or "none",
)


def _local(path: str) -> Path:
    """A path on this machine; a shell leaves the ~ of ``--out=~/runs`` as it is."""
    check_local(path)
    return Path(path).expanduser()


_read_as(Path, "PATH", _local, str)


def peek(kind: type[Arguments]) -> Arguments:
    """What the command line says of a ``kind``; arguments it does not know are left alone."""
    return parse(kind, add_help=False, return_unknown_args=True)[0]  # pyright: ignore


def parse(kind: type[Arguments], **options) -> Arguments:
    """The command line as a ``kind``; wrong use ends with one line and exit code 2."""
    said = io.StringIO()
    try:
        with redirect_stderr(said), _CONSTRUCTORS:
            return tyro.cli(kind, config=_STYLE, **options)
    except SystemExit as stop:
        if stop.code:
            line = _unframed(said.getvalue())
            spread = "Unrecognized" in line and any(Path(word).is_file() for word in sys.argv[1:])
            hint = "; a pattern of several files goes in quotes, as 'tiles/*.png'"
            fail(f"{line}{hint if spread else ''}")
        raise
    except BrokenPipeError:  # ``--help | head``: what was asked for has been read
        _silence()
        sys.exit(0)


def _unframed(box: str) -> str:
    """One line of an error that tyro frames in a titled box, ruled between sentences."""
    inside = (line.strip("│ ") for line in box.splitlines() if not line.startswith(("╭", "╰")))
    return ". ".join(
        " ".join(part.split()).rstrip(".") for part in re.split("─{2,}", " ".join(inside))
    )


def choose(flag: str, name: str, known: Mapping[str, Value]) -> Value:
    """What a name stands for; ValueError, naming the flag, lists the known ones."""
    if name not in known:
        raise ValueError(f"{flag} {name!r} is unknown; known are: {', '.join(known)}.")
    return known[name]


def check_folder(flag: str, path: Path | None) -> None:
    """Raises OSError, naming the flag, where a file could not be written in the end."""
    if path is not None and not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{flag} {path}: there is no folder {path.parent}; create it.")
    if path is not None and path.is_dir():
        raise IsADirectoryError(f"{flag} {path} is a folder; name the file to write.")


def check_directory(flag: str, path: Path | None) -> None:
    """Raises OSError, naming the flag, where a file lies in the way of a folder."""
    for place in () if path is None else (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise NotADirectoryError(
                f"{flag} {path}: expected is a folder, but {place} is a file; name another."
            )


def _silence() -> None:
    """From here on what is printed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(Console):
    """Where nobody reads any more (``| head``, a log that died), work goes on, and that is told."""

    def on_broken_pipe(self) -> None:
        _silence()
        print("Nobody reads the output any more; the work goes on without it.", file=sys.stderr)


def console() -> Console:
    """Where results are printed; wide enough for a table of scores where it is no terminal."""
    terminal = _Console()
    return terminal if terminal.is_terminal else _Console(width=120)


def fail(message: object, code: int = 2) -> NoReturn:
    """Prints the message as one line on the error stream and leaves; 2 is wrong use."""
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(code)


def guarded(main: Callable[[], int | None]) -> NoReturn:
    """Runs a script's main function; errors a user can mend become one line, exit code 2.

    What is not finite is one line, too, and exit code 1, and Ctrl-C exit code 130. With
    ``RDEPTH_TRACEBACK=1`` in the environment every error shows where it came from.
    """
    try:
        startup.release()
        _make_printable()
        code = main()
    except KeyboardInterrupt:
        fail("stopped; what was finished stays", code=130)
    except Exception as error:
        message = in_words(error)
        if message is None or os.environ.get("RDEPTH_TRACEBACK") == "1":
            raise
        fail(message, code=1 if isinstance(error, FloatingPointError) else 2)
    sys.exit(code or 0)


def in_words(error: Exception) -> str | None:
    """What to tell a user of an error, or None for one that only a programmer can mend."""
    said = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    said = said or type(error).__name__
    if isinstance(error, RecursionError):
        return f"{said}: a file is nested too deeply to be read"
    if "Too many open files" in said:  # RESOURCE_EXHAUSTED, too
        return f"{said.rstrip('.')}. Raise the limit: ulimit -n 4096"
    if isinstance(error, MemoryError) or any(sign in said for sign in _NO_MEMORY):
        said = said.rstrip(".")
        return f"out of memory: {said}. Use a smaller --crop or --batch-size, or --accumulate"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
        return f"{said}: a disk is full, or what the standard output is written to"
    if isinstance(error, BrokenPipeError):
        return "nobody reads the output any more, and so it was not gone on with"
    if isinstance(error, AssertionError) and _raised_in(error) == "jax._src.xla_bridge":
        asked = os.environ.get("JAX_PLATFORMS", "")
        return f"JAX finds no device of JAX_PLATFORMS={asked}; unset it, or set it to cpu"
    return said if isinstance(error, MENDED) else None


def _raised_in(error: Exception) -> str:
    """Name of the module that an error comes from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_globals.get("__name__", "")


def _make_printable() -> None:
    """Where the locale is ASCII, a table's ± or a name's ü is written as \\xb1, and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            narrow = codecs.lookup(stream.encoding).name != "utf-8"
            if narrow or stream.errors == "strict":
                stream.reconfigure(errors="backslashreplace")
