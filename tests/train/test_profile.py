"""A trace covers the steps it says, or those a short run took."""

import jax
import jax.numpy as jnp
import pytest

from rdepth_keras.train.profile import PROFILED, tracer


@pytest.fixture
def calls(monkeypatch):
    found = []
    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: found.append(("start", folder)))
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: found.append(("stop", None)))
    return found


def trace(folder, steps, calls):
    """The numbers of the steps before which the trace began and ended."""
    places = {}
    with tracer(folder) as before_step:
        for done in range(steps):
            before_step(done, jnp.zeros(1))
            for name, _ in calls:
                places.setdefault(name, done)
    return places


def test_the_steps_that_are_traced(calls, tmp_path):
    assert trace(tmp_path, 20, calls) == {"start": PROFILED.start, "stop": PROFILED.stop}
    assert calls == [("start", str(tmp_path)), ("stop", None)]


def test_a_run_that_ends_in_between_keeps_its_trace(calls, tmp_path):
    assert trace(tmp_path, PROFILED.start + 2, calls) == {"start": PROFILED.start}
    assert [name for name, _ in calls] == ["start", "stop"]


def test_a_failure_in_between_ends_the_trace(calls, tmp_path):
    def fail():
        with tracer(tmp_path) as before_step:
            before_step(PROFILED.start, None)
            raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"):
        fail()
    assert [name for name, _ in calls] == ["start", "stop"]


def test_without_a_folder_nothing_is_traced(calls):
    assert trace(None, 20, calls) == {} and calls == []
