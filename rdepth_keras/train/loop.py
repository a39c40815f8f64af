"""The training loop: batches through the step, journal, checkpoints, validation."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
from jax.sharding import Mesh

from rdepth_keras.arrays import Batches
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import any_host, shard_batch
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.profile import tracer
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.signals import Interrupted, signals
from rdepth_keras.train.state import State
from rdepth_keras.train.step import Step


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

    def __post_init__(self):
        for name in ("log_steps", "checkpoint_steps", "keep_checkpoints", "validation_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1; received {value}.")


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
    validate: Callable[[State], bool] | None = None,
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
        validate: what happens every ``validation_steps``; where it returns True, a checkpoint is
            saved, too.
        profile: folder for a JAX trace of some steps, see :mod:`~rdepth_keras.train.profile`.

    Raises:
        FloatingPointError: at the first loss or gradient that is not finite, naming the step,
            the tiles and the last good checkpoint.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
    """
    read = _reader(journal, cadence, checkpoints, progress, steps, learning_rate)
    pending = None
    validation_steps = cadence.validation_steps if validate else None
    first = int(state.step) + 1
    with signals() as received, tracer(profile) as trace:
        for number in range(first, steps + 1):
            parts = {domain: next(iterator) for domain, iterator in batches.items()}
            ids = parts["source"]["id"].tolist()
            arrays = {domain: shard_batch(part, mesh) for domain, part in parts.items()}
            trace(number - first, state)
            state, logs = step(state, arrays["source"], arrays.get("target"))
            # While the step runs, the numbers of the one before are read.
            if pending:
                read(*pending)
            pending = (number, ids, logs)
            # Hosts meet to agree on stopping, so not after every step.
            last = number == steps
            meets = jax.process_count() == 1 or last or number % cadence.log_steps == 0
            stops = meets and any_host(bool(received))
            saves = stops or last or number % cadence.checkpoint_steps == 0
            validates = validation_steps and number % validation_steps == 0
            if saves or validates:
                read(*pending)
                pending = None
            if validates and validate:
                saves |= validate(state)
            if saves:
                places = {domain: iterator.get_state() for domain, iterator in batches.items()}
                checkpoints.save(state, places)
            if stops or (last and any_host(bool(received))):
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
            good = checkpoints.latest_step()
            raise FloatingPointError(
                f"The loss, a gradient or a variable is not finite at step {number}, on the tiles "
                f"{sorted(ids)}: {values}. "
                + (
                    f"The last good checkpoint is that of step {good}."
                    if good
                    else "There is no checkpoint yet."
                )
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
