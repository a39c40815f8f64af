"""SIGINT, SIGTERM and a lost terminal end a run after its state is saved."""

import signal
import threading
from contextlib import contextmanager


class Interrupted(Exception):
    """A signal ended the run after its state was saved; ``signal_number`` says which."""

    def __init__(self, signal_number: int, step: int):
        super().__init__(f"Stopped by {signal.Signals(signal_number).name} at step {step}")
        self.signal_number = signal_number


@contextmanager
def signals():
    """Collects SIGINT, SIGTERM and SIGHUP instead of dying of them; a second SIGINT is let through.

    A SIGHUP that is to be ignored, as under ``nohup``, stays so.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number, _):
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    kinds = [signal.SIGINT, signal.SIGTERM]
    kinds += [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    before = {kind: signal.signal(kind, note) for kind in kinds}
    try:
        yield received
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
