"""The training loop: batches through the step, journal, checkpoints, validation."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from rdepth_keras.arrays import Batches
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import any_host, shard_batch
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.profile import tracer
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.readings import reader
from rdepth_keras.train.rounds import Rounds, Stopped
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
    """

    log_steps: int = 10
    checkpoint_steps: int = 1000
    keep_checkpoints: int = 2

    def __post_init__(self):
        for name in ("log_steps", "checkpoint_steps", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; received {getattr(self, name)}.")


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
    validation_steps: int | None = None,
    rounds: Rounds | None = None,
    profile: Path | None = None,
) -> State:
    """Takes the state to ``steps`` and returns it.

    Args:
        state: where to begin; donated.
        step: as made by :func:`~rdepth_keras.train.step.training_step`.
        batches: restorable iterators, ``"source"`` and, for methods that use it, ``"target"``.
        steps: number of the last step.
        mesh: the devices a batch is split over.
        cadence: when to log and save.
        checkpoints: where to save.
        journal: where to log.
        progress: what people see.
        learning_rate: number of steps done -> rate, for the log.
        validate: what happens every ``validation_steps``; where it returns True, a checkpoint is
            saved, too.
        rounds: when the target is labelled anew, for a method that does.
        profile: folder for a JAX trace of some steps, see :mod:`~rdepth_keras.train.profile`.

    Raises:
        FloatingPointError: at the first loss or gradient that is not finite, naming the step,
            the tiles and the last good checkpoint.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
    """
    log_steps = cadence.log_steps
    read = reader(journal, checkpoints, progress, learning_rate, steps=steps, log_steps=log_steps)
    pending, labels = None, None  # a step whose logs are not read; the round of the labels
    first = int(state.step) + 1
    if rounds:
        rounds.cut(first - 1)
    with signals() as received, tracer(profile) as trace:
        for number in range(first, steps + 1):
            if rounds and (due := rounds.last(number - 1)) is not None and due != labels:
                if pending:
                    read(*pending)
                    pending = None
                try:
                    target = rounds.begin(due, state, batches["target"], lambda: bool(received))
                except Stopped:
                    if number > 1:  # else there is nothing to go on from
                        checkpoints.save(state, _places(batches))
                    raise _interrupted(received, number - 1) from None
                # No batch that was made ahead, with the labels of before, is used.
                batches, labels = {**batches, "target": target}, due
                progress.restart_clock()
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
            meets = jax.process_count() == 1 or last or number % log_steps == 0
            stops = meets and any_host(bool(received))
            saves = stops or last or number % cadence.checkpoint_steps == 0
            validates = validate and validation_steps and number % validation_steps == 0
            # The first one at once: it holds compiling, and the clock starts after it.
            if saves or validates or number == first:
                read(*pending)
                pending = None
            if validate and validates:
                saves |= validate(state)
            if saves:
                checkpoints.save(state, _places(batches))
            if stops or (last and any_host(bool(received))):
                raise _interrupted(received, number)
    return state


def _places(batches: Mapping[str, Batches]) -> dict[str, Any]:
    """Where the data go on."""
    return {domain: iterator.get_state() for domain, iterator in batches.items()}


def _interrupted(received: Sequence[int], step: int) -> Interrupted:
    """By the signal of this host; of another one it is only known that there was one."""
    return Interrupted(received[0] if received else signal.SIGTERM, step)
