"""The loop: what is logged, saved and validated when, and how it stops and goes on."""

import io
import json
import os
import runpy
import signal
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from rdepth_keras.adapt import SEGMENTER, SourceOnly
from rdepth_keras.optimizers import SGD, Schedule
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import data_mesh, replicated
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import Cadence, run_steps
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.signals import Interrupted
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
mini = SimpleNamespace(**runpy.run_path(str(CONTRACTS / "miniatures.py")))
OPTIMIZER = SGD(0.05, Schedule(0.0))
STEPS = 7


class Counted:
    """Batches by their number; ``broken`` is one with an image that is not finite."""

    def __init__(self, broken=None):
        self.number, self.broken = 0, broken

    def __next__(self):
        self.number += 1
        batch = mini.batch(self.number)
        batch["image"] = batch["image"].astype(np.float32)
        if self.number == self.broken:
            batch["image"] *= np.nan
        return {"id": np.arange(4) + 10 * self.number, **batch}

    def get_state(self):
        return {"number": self.number}

    def set_state(self, state):
        self.number = state["number"]


@pytest.fixture(scope="module")
def compiled():
    networks, mesh = {SEGMENTER: mini.segmenter()}, data_mesh(4)
    parts = networks, SourceOnly(), {SEGMENTER: OPTIMIZER}
    step = training_step(*parts, steps=STEPS, seed=0, placement=replicated(mesh))
    return SimpleNamespace(step=step, mesh=mesh, state=initial_state(*parts, seed=0))


def train(compiled, folder, batches=None, **options):
    checkpoints = Checkpoints(folder / "checkpoints", keep=10)
    state = jax.device_put(jax.tree.map(jnp.copy, compiled.state), replicated(compiled.mesh))
    batches = batches or Counted()
    if checkpoints.steps():
        state, places = checkpoints.restore(state)
        batches.set_state(places["source"])
    cadence = Cadence(log_steps=3, checkpoint_steps=4, keep_checkpoints=10)
    with TrainingProgress(Console(file=io.StringIO()), STEPS, 100) as progress:
        try:
            state = run_steps(
                state,
                compiled.step,
                {"source": batches},
                steps=STEPS,
                mesh=compiled.mesh,
                cadence=cadence,
                checkpoints=checkpoints,
                journal=Journal(folder / "journal.jsonl"),
                progress=progress,
                learning_rate=OPTIMIZER.rate(STEPS),
                **options,
            )
        finally:
            steps = checkpoints.steps()
            checkpoints.close()
    return jax.device_get(state), steps


@pytest.fixture(scope="module")
def whole(compiled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    state, steps = train(compiled, folder)
    return SimpleNamespace(folder=folder, state=state, steps=steps)


def test_lines_and_checkpoints_come_in_their_time(whole):
    assert int(whole.state.step) == STEPS and whole.steps == [4, 7]
    lines = (whole.folder / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in entries] == [1, 3, 6, 7]
    for entry in entries:
        assert {"loss", "decode", "gradient_norm", "learning_rate", "time"} < entry.keys()
        assert "finite" not in entry
        expected = 0.05 * (1 - (entry["step"] - 1) / STEPS)
        assert entry["learning_rate"] == pytest.approx(expected, rel=1e-5)
    assert entries[0]["time"].keys() == {"first_step_seconds"}
    assert entries[1]["time"].keys() == {"images_per_second"}


def test_validation_comes_in_its_time_and_may_save(compiled, tmp_path):
    seen = []

    def validate(state):
        seen.append(int(state.step))
        return int(state.step) == 2

    _, steps = train(compiled, tmp_path, validate=validate, validation_steps=2)
    assert seen == [2, 4, 6] and steps == [2, 4, 7]


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops_and_the_run_goes_on(compiled, whole, tmp_path, kind):
    batches = Counted()
    step = compiled.step

    def struck(state, source, target):
        if batches.number == 3:
            os.kill(os.getpid(), kind)
        return step(state, source, target)

    stopped = SimpleNamespace(step=struck, mesh=compiled.mesh, state=compiled.state)
    with pytest.raises(Interrupted) as told:
        train(stopped, tmp_path, batches)
    assert told.value.signal_number == kind
    assert Checkpoints(tmp_path / "checkpoints").steps() == [3]
    state, _ = train(compiled, tmp_path)
    for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(whole.state), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("broken", "last"), [(2, "There is no checkpoint yet"), (6, "checkpoint is that of step 4")]
)
def test_what_is_not_finite_stops_the_run(compiled, tmp_path, broken, last):
    with pytest.raises(FloatingPointError) as told:
        train(compiled, tmp_path, Counted(broken))
    message = str(told.value)
    assert f"not finite at step {broken}, on the tiles [{10 * broken}, {10 * broken + 1}" in message
    assert last in message and "a lower learning rate is the remedy" in message


@pytest.mark.parametrize("name", ["log_steps", "checkpoint_steps", "keep_checkpoints"])
def test_a_cadence_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1; received 0"):
        Cadence(**{name: 0})
