"""What a run tells people while it goes on: a bar in a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from rdepth_keras.train.devices import memory_in_use

LINE_SECONDS = 30.0  # a log without a terminal is never silent for longer than this and a step


class TrainingProgress:
    """A progress bar with loss, rate, images/s, device memory and time left.

    Where the output is no terminal, plain lines instead: for the first step of this process, for
    the last one, every ``line_steps`` steps, and :data:`LINE_SECONDS` after the line before.
    ``clock`` tells seconds.
    """

    def __init__(
        self,
        console: Console,
        steps: int,
        line_steps: int,
        clock: Callable[[], float] = time.perf_counter,
    ):
        self._console, self._clock = console, clock
        self._steps, self._line_steps = steps, line_steps
        self._said: float | None = None
        self.restart_clock()
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._bar.add_task("training", total=steps, numbers="")

    def __enter__(self):
        self._bar.start()
        return self

    def __exit__(self, *_):
        self._bar.stop()

    def restart_clock(self) -> None:
        """Leaves what came before, such as compilation, out of the images/s."""
        self._started, self._images, self._taken = self._clock(), 0, 0

    def advance(self, step: int, images: int, values: Mapping[str, float]) -> float:
        """Shows the step's numbers; returns images/s since the last restart of the clock."""
        self._images += images
        self._taken += 1
        now = self._clock()
        seconds = max(now - self._started, 1e-9)
        speed = self._images / seconds
        loss, rate = values["loss"], values["learning_rate"]
        first = not self._bar.tasks[0].completed  # of this process: mostly compiling
        numbers = f"loss {loss:.4f} rate {rate:.2e}"
        numbers += "" if first else f" {speed:.1f} images/s"
        if memory := memory_in_use():
            numbers += f" {memory}"
        self._bar.update(self._task, completed=step, numbers=numbers)
        due = step % self._line_steps == 0 or step == self._steps
        if self._bar.disable and (self._said is None or due or now - self._said >= LINE_SECONDS):
            self._said = now
            left = timedelta(seconds=round(seconds / self._taken * (self._steps - step)))
            numbers += "" if first or step == self._steps else f" {left} left"
            self._console.print(f"step {step}/{self._steps} {numbers}")
        return speed

    def say(self, *renderables: object) -> None:
        """Prints above the bar."""
        self._console.print(*renderables)
