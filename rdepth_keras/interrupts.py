"""Ctrl-C is one line from the first import on; scripts import this module before any other.

What they import takes seconds, and :func:`rdepth_keras.command.guarded` only watches what comes
after it. An exception would not do: raised in a callback of another library it is shown and lost.
Only a script that runs by itself is ended so; for any other importer nothing changes.
"""

import os
import signal
import sys
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


def release() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _importer() == "__main__":
    signal.signal(signal.SIGINT, _leave)
