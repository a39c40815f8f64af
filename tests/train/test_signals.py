"""Signals are collected while a run saves; the handlers before come back."""

import os
import signal
import threading

import pytest

from rdepth_keras.train.signals import Interrupted, signals

KINDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def with_a_terminal():
    """These tests may themselves run under ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_noted_and_nothing_dies(kind):
    with signals() as received:
        assert received == []
        os.kill(os.getpid(), kind)
        assert received == [kind]


def test_a_lost_terminal_is_passed_over_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals() as received:
            os.kill(os.getpid(), signal.SIGHUP)
        assert received == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_ctrl_c_is_not_held_back():
    with signals() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM, signal.SIGTERM]


def test_the_handlers_come_back_even_after_a_failure():
    before = [signal.getsignal(kind) for kind in KINDS]

    def fail():
        with signals():
            assert [signal.getsignal(kind) for kind in KINDS] != before
            raise RuntimeError("disk")

    with pytest.raises(RuntimeError, match="disk"):
        fail()
    assert [signal.getsignal(kind) for kind in KINDS] == before


def test_other_threads_leave_signals_alone():
    before, seen = signal.getsignal(signal.SIGTERM), []

    def work():
        with signals() as received:
            seen.append((received, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [([], before)]


def test_what_stopped_the_run():
    stop = Interrupted(signal.SIGTERM, 40)
    assert str(stop) == "Stopped by SIGTERM at step 40" and stop.signal_number == 15
