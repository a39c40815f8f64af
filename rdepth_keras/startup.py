"""What a script needs before its imports; scripts import this module before any other.

- **Ctrl-C is one line** from the first import on. What they import takes seconds, and
  :func:`rdepth_keras.command.guarded` only watches what comes after it. An exception would not do:
  raised in a callback of another library it is shown and lost.
- A Keras backend that is not installed is one line, too; it ends the import of Keras with a trace.
- **Arrays lie in huge pages**, as NumPy's own do: a training step on a CPU spends up to a fifth of
  its time on pages of 4 KiB. glibc asks for huge ones only where a variable says so when a process
  begins, so the script begins once more. ``GLIBC_TUNABLES=glibc.malloc.hugetlb=0`` keeps it from
  that.

Only a script that runs by itself is changed so; for any other importer nothing is.
"""

import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_TUNABLE = "glibc.malloc.hugetlb"


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"error: stopped before anything was done\n")
    os._exit(128 + number)  # nothing is open yet


def _importer() -> str:
    """Name of the module that imports this one."""
    frame = sys._getframe(1)
    while frame.f_back and (frame.f_globals is globals() or _is_machinery(frame)):
        frame = frame.f_back
    return frame.f_globals.get("__name__", "")


def _is_machinery(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def _check_backend() -> None:
    """Leaves with exit code 2 where the backend that Keras is to take cannot be imported."""
    name = os.environ.get("KERAS_BACKEND", "jax")
    if find_spec(name) is None:
        print(
            f"error: KERAS_BACKEND={name}, but there is no {name} to import. Training and "
            "evaluation need Keras on JAX: unset the variable, or set it to jax",
            file=sys.stderr,
        )
        sys.exit(2)


def _take_huge_pages() -> None:
    """Begins the script once more, with huge pages, where Linux gives them to those who ask."""
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    asks = _PAGES.is_file() and "[madvise]" in _PAGES.read_text()
    # Not a notebook's or a debugger's script, which would begin once more themselves.
    alone = sys.argv[0] in sys.orig_argv and sys.gettrace() is None
    if asks and alone and _TUNABLE not in tunables:
        os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_TUNABLE}=1")))
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def release() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _importer() == "__main__":
    _take_huge_pages()
    signal.signal(signal.SIGINT, _leave)
    _check_backend()
