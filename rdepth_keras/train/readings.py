"""What a step's logs say: waited for, checked, and passed on to the journal and to people."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

import jax

from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.progress import TrainingProgress

Read = Callable[[int, list[int], Mapping[str, jax.Array]], None]


def reader(
    journal: Journal,
    checkpoints: Checkpoints,
    progress: TrainingProgress,
    learning_rate: Callable[[int], Any],
    *,
    steps: int,
    log_steps: int,
) -> Read:
    """A function of a step's number, tile ids and logs, to be called for every step in order.

    Its FloatingPointError names step, tiles and remedy where the logs say that something is not
    finite. The journal has a line for the first and last step and every ``log_steps`` steps.
    """
    started = perf_counter()
    first = True

    def read(number: int, ids: list[int], logs: Mapping[str, jax.Array]) -> None:
        nonlocal first
        values = {name: float(value) for name, value in jax.device_get(dict(logs)).items()}
        if not values.pop("finite"):
            raise FloatingPointError(_not_finite(number, ids, values, checkpoints.latest_step()))
        values["learning_rate"] = float(learning_rate(number - 1))
        speed = progress.advance(number, len(ids) * jax.process_count(), values)
        timing = {"images_per_second": round(speed, 3)}
        if first:
            timing = {"first_step_seconds": round(perf_counter() - started, 3)}
            progress.say(f"compiled and ran the first step in {timing['first_step_seconds']:.1f} s")
            progress.restart_clock()
            first = False
        logged = number in (1, steps) or number % log_steps == 0
        if logged and jax.process_index() == 0:
            journal.write(number, **values, time=timing)

    return read


def _not_finite(number: int, ids: list[int], values: Mapping[str, float], good: int | None) -> str:
    last = f"The last good checkpoint is that of step {good}." if good else None
    return (
        f"The loss or a gradient is not finite at step {number}, on the tiles "
        f"{sorted(ids)}: {dict(values)}. {last or 'There is no checkpoint yet.'} If the tiles are "
        "sound, a lower learning rate is the remedy."
    )
