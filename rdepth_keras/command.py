"""What the scripts share: typed arguments in, one-line errors and exit codes out."""

import io
import re
import sys
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import NoReturn, TypeVar

import tyro
from rich.console import Console

from rdepth_keras.data.folder.classes import load_classes
from rdepth_keras.labels import ClassTable

Arguments = TypeVar("Arguments")
Value = TypeVar("Value")
_STYLE = (tyro.conf.FlagCreatePairsOff, tyro.conf.AvoidSubcommands)
_CONSTRUCTORS = tyro.constructors.ConstructorRegistry()


@_CONSTRUCTORS.primitive_rule
def _class_table(info):
    """On the command line a class table is a class file."""
    if info.type is not ClassTable:
        return None
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="FILE",
        instance_from_str=lambda given: load_classes(Path(given[0])),
        is_instance=lambda value: isinstance(value, ClassTable),
        str_from_instance=lambda table: [", ".join(table.names) or "none"],
    )


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
            # tyro frames its errors in boxes; elsewhere an error is one line.
            fail(re.sub("[╭─╮│├┤╰╯]+", " ", said.getvalue()))
        raise


def choose(flag: str, name: str, known: Mapping[str, Value]) -> Value:
    """What a name stands for; ValueError, naming the flag, lists the known ones."""
    if name not in known:
        raise ValueError(f"{flag} {name!r} is unknown; known are: {', '.join(known)}.")
    return known[name]


def console() -> Console:
    """Where results are printed; wide enough for a table of scores where it is no terminal."""
    terminal = Console()
    return terminal if terminal.is_terminal else Console(width=120)


def fail(message: object, code: int = 2) -> NoReturn:
    """Prints the message as one line on the error stream and leaves; 2 is wrong use."""
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(code)


def guarded(main: Callable[[], int | None]) -> NoReturn:
    """Runs a script's main function; errors a user can mend become one line, exit code 2.

    Ctrl-C is one line, too, and exit code 130.
    """
    try:
        code = main()
    except (ValueError, LookupError, OSError, ImportError, RuntimeError) as error:
        fail(error.args[0] if isinstance(error, KeyError) else error)
    except FloatingPointError as error:
        fail(error, code=1)
    except KeyboardInterrupt:
        fail("stopped; what was finished stays, and the same command goes on", code=130)
    sys.exit(code or 0)
