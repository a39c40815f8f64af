"""The training loop: batches through the step, journal, checkpoints, validation."""

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
from jax.sharding import Mesh

from rdepth_keras.arrays import Batch, Batches
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import any_host, shard_batch
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.state import State
from rdepth_keras.train.step import Step

PROFILED = range(5, 10)  # steps after the first, which compiles


@dataclass(frozen=True)
class Cadence:
    """How often the loop speaks and saves, in steps.

    Attributes:
        log_steps: distance of the journal's lines; the first and the last step always have one.
        checkpoint_steps: distance of the checkpoints; the last step always has one.
        keep_checkpoints: how many of the last ones stay.
        validation_steps: distance of the validations; None validates after the last step only.
    """

    log_steps: int = 10
    checkpoint_steps: int = 1000
    keep_checkpoints: int = 2
    validation_steps: int | None = None


class Interrupted(Exception):
    """A signal ended the run after its state was saved; ``signal_number`` says which."""

    def __init__(self, signal_number: int, step: int):
        super().__init__(f"Stopped by {signal.Signals(signal_number).name} at step {step}")
        self.signal_number = signal_number


def run_steps(
    state: State,
    step: Step,
    batches: Mapping[str, Batches],
    *,
    steps: int,
    mesh: Mesh,
    cadence: Cadence,
    checkpoints: Checkpoints,
    journal: Journal,
    progress: TrainingProgress,
    learning_rate: Callable[[int], Any],
    validate: Callable[[State], None] | None = None,
    profile: Path | None = None,
) -> State:
    """Takes the state to ``steps`` and returns it.

    Args:
        state: where to begin; donated.
        step: as made by :func:`~rdepth_keras.train.step.training_step`.
        batches: restorable iterators, ``"source"`` and, for methods that use it, ``"target"``.
        steps: number of the last step.
        mesh: the devices a batch is split over.
        cadence: when to log, save and validate.
        checkpoints: where to save.
        journal: where to log.
        progress: what people see.
        learning_rate: step -> rate, for the log.
        validate: what happens every ``validation_steps``.
        profile: folder for a JAX trace of :data:`PROFILED` steps.

    Raises:
        FloatingPointError: at the first loss or gradient that is not finite, naming the step,
            the tiles and the last good checkpoint.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
    """
    read = _reader(journal, cadence, checkpoints, progress, steps, learning_rate)
    pending = None
    validation_steps = cadence.validation_steps if validate else None
    first = int(state.step) + 1
    with signals() as received:
        for number in range(first, steps + 1):
            parts = {domain: next(iterator) for domain, iterator in batches.items()}
            ids = parts["source"]["id"].tolist()
            arrays = {domain: _to_devices(part, mesh) for domain, part in parts.items()}
            with _trace(profile, number - first):
                state, logs = step(state, arrays["source"], arrays.get("target"))
            # While the step runs, the numbers of the one before are read.
            if pending:
                read(*pending)
            pending = (number, ids, logs)
            # Hosts meet to agree on stopping, so not after every step.
            meets = jax.process_count() == 1 or number % cadence.log_steps == 0
            stops = meets and any_host(bool(received))
            saves = stops or number == steps or number % cadence.checkpoint_steps == 0
            validates = validation_steps and number % validation_steps == 0
            if saves or validates:
                read(*pending)
                pending = None
            if validates and validate:
                validate(state)
            if saves:
                places = {domain: iterator.get_state() for domain, iterator in batches.items()}
                checkpoints.save(state, places)
            if stops:
                raise Interrupted(received[0] if received else signal.SIGTERM, number)
    return state


def _reader(journal, cadence, checkpoints, progress, steps, learning_rate):
    """A function that waits for a step's numbers, checks them, and passes them on."""
    started = perf_counter()
    first = True

    def read(number: int, ids: list[int], logs: Mapping[str, jax.Array]) -> None:
        nonlocal first
        values = {name: float(value) for name, value in jax.device_get(dict(logs)).items()}
        if not values.pop("finite"):
            raise FloatingPointError(
                f"The loss or a gradient is not finite at step {number}, on the tiles "
                f"{sorted(ids)}: {values}. The last good checkpoint is that of step "
                f"{checkpoints.latest_step()}."
            )
        values["learning_rate"] = float(learning_rate(number - 1))
        speed = progress.advance(number, len(ids) * jax.process_count(), values)
        timing = {"images_per_second": round(speed, 3)}
        if first:
            timing = {"first_step_seconds": round(perf_counter() - started, 3)}
            progress.say(f"compiled and ran the first step in {timing['first_step_seconds']:.1f} s")
            progress.restart_clock()
            first = False
        logged = number in (1, steps) or number % cadence.log_steps == 0
        if logged and jax.process_index() == 0:
            journal.write(number, **values, time=timing)

    return read


@contextmanager
def _trace(folder: Path | None, done: int):
    """Traces the steps of :data:`PROFILED`, counted from the first one of this process."""
    if folder is not None and done == PROFILED.start:
        jax.profiler.start_trace(str(folder))
    yield
    if folder is not None and done == PROFILED.stop - 1:
        jax.effects_barrier()
        jax.profiler.stop_trace()


def _to_devices(batch: Batch, mesh: Mesh) -> dict[str, jax.Array]:
    """What the step needs; the ids stay on the host."""
    arrays: dict[str, Any] = dict(batch)
    return shard_batch({name: arrays[name] for name in ("image", "depth", "label")}, mesh)


@contextmanager
def signals():
    """Collects SIGINT and SIGTERM instead of dying of them; a second SIGINT is not held back."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number, _):
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    before = {kind: signal.signal(kind, note) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
