"""Ctrl-C is one line from the first import on; scripts import this module before any other.

So is a Keras backend that is not installed, which ends the import of Keras with a trace.

What they import takes seconds, and :func:`rdepth_keras.command.guarded` only watches what comes
after it. An exception would not do: raised in a callback of another library it is shown and lost.
Only a script that runs by itself is ended so; for any other importer nothing changes.
"""

import os
import signal
import sys
from importlib.util import find_spec
from types import FrameType


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


def release() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _importer() == "__main__":
    signal.signal(signal.SIGINT, _leave)
    _check_backend()
