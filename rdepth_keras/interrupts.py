"""Ctrl-C is one line from the first import on; scripts import this module before any other.

What they import takes seconds, and :func:`rdepth_keras.command.guarded` only watches what comes
after it. Importing the module changes how the interpreter ends, so nothing else imports it.
"""

import sys
from types import TracebackType

_before = sys.excepthook


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("error: stopped before anything was done", file=sys.stderr)
    else:
        _before(kind, error, trace)


sys.excepthook = _tell
