"""The training loop: batches through the step, journal, checkpoints, progress."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rdepth_keras.arrays import Batch
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.state import State
from rdepth_keras.train.step import Step


@dataclass(frozen=True)
class Cadence:
    """How often the loop speaks and saves, in steps.

    Attributes:
        log_steps: distance of the journal's lines; the first step always has one.
        checkpoint_steps: distance of the checkpoints; the last step always has one.
        keep_checkpoints: how many of the last ones stay.
    """

    log_steps: int = 10
    checkpoint_steps: int = 1000
    keep_checkpoints: int = 2


class Interrupted(Exception):
    """A signal ended the run after its state was saved; ``signal_number`` says which."""

    def __init__(self, signal_number: int, step: int):
        super().__init__(f"stopped by {signal.Signals(signal_number).name} at step {step}")
        self.signal_number = signal_number


def run_steps(
    state: State,
    step: Step,
    batches: Mapping[str, Iterator[Batch]],
    *,
    steps: int,
    cadence: Cadence,
    checkpoints: Checkpoints,
    journal: Journal,
    progress: Progress,
) -> State:
    """Takes the state to ``steps`` and returns it.

    Args:
        state: where to begin; donated.
        step: as made by :func:`~rdepth_keras.train.step.training_step`.
        batches: restorable iterators, ``"source"`` and, for methods that use it, ``"target"``.
        steps: number of the last step.
        cadence: when to log and save.
        checkpoints: where to save.
        journal: where to log.
        progress: bars for people.

    Raises:
        FloatingPointError: at the first loss or gradient that is not finite, naming the step,
            the tiles and the last good checkpoint.
        Interrupted: after SIGINT or SIGTERM, once the state is saved.
    """
    first = int(state.step)
    task = progress.add_task("training", total=steps, completed=first, numbers="")
    report = _reporter(journal, cadence, progress, task, steps)
    pending = None
    with _signals() as received:
        for number in range(first + 1, steps + 1):
            source = next(batches["source"])
            target = next(batches["target"]) if "target" in batches else None
            state, logs = step(state, _arrays(source), _arrays(target))
            # The step runs while the last one's numbers are read and the next batch is made.
            if pending is not None:
                report(*pending, checkpoints.latest_step)
            pending = (number, source, logs)
            if received or number == steps or number % cadence.checkpoint_steps == 0:
                report(*pending, checkpoints.latest_step)
                pending = None
                checkpoints.save(state, {name: it.get_state() for name, it in batches.items()})
            if received:
                raise Interrupted(received[0], number)
    return state


def training_progress(console) -> Progress:
    """A bar with loss, images/s and time left; nothing where the output is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def _reporter(journal: Journal, cadence: Cadence, progress: Progress, task, steps: int) -> Callable:
    clock = {"time": time.perf_counter(), "images": 0}

    def report(number: int, source: Batch, logs: Mapping[str, jax.Array], last_good: int | None):
        values = {name: float(value) for name, value in jax.device_get(dict(logs)).items()}
        if not values.pop("finite"):
            raise FloatingPointError(
                f"The loss or a gradient is not finite at step {number} (tiles "
                f"{sorted(source['id'].tolist())}; {values}). The last good checkpoint is "
                + (f"step {last_good}." if last_good is not None else "none yet.")
            )
        clock["images"] += len(source["id"])
        rate = clock["images"] / (time.perf_counter() - clock["time"])
        progress.update(
            task, completed=number, numbers=f"loss {values['loss']:.3f} {rate:.1f} images/s"
        )
        if number == 1 or number % cadence.log_steps == 0 or number == steps:
            journal.write(number, **values, images_per_second=round(rate, 3))
            clock.update(time=time.perf_counter(), images=0)
            if progress.disable and (number == 1 or number % (10 * cadence.log_steps) == 0):
                progress.console.print(
                    f"step {number}/{steps} loss {values['loss']:.4f} {rate:.1f} images/s"
                )

    return report


def _arrays(batch: Batch | None) -> dict[str, Any] | None:
    """What the step needs; the ids stay on the host."""
    return None if batch is None else {name: batch[name] for name in ("image", "depth", "label")}


@contextmanager
def _signals():
    """Collects SIGINT and SIGTERM instead of dying of them; a second SIGINT is not held back."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number, frame):
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, note) for kind in kinds}
    try:
        yield received
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
