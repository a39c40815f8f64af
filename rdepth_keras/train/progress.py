"""What a run tells people while it goes on: a bar in a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping

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


class TrainingProgress:
    """A progress bar with loss, rate, images/s, device memory and time left.

    Where the output is no terminal, one plain line every ``line_steps`` steps instead.
    """

    def __init__(self, console: Console, steps: int, line_steps: int):
        self._console, self._steps, self._line_steps = console, steps, line_steps
        self._started, self._images = time.perf_counter(), 0
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
        self._started, self._images = time.perf_counter(), 0

    def advance(self, step: int, images: int, values: Mapping[str, float]) -> float:
        """Shows the step's numbers; returns images/s since the last restart of the clock."""
        self._images += images
        speed = self._images / max(time.perf_counter() - self._started, 1e-9)
        loss, rate = values["loss"], values["learning_rate"]
        numbers = f"loss {loss:.4f} rate {rate:.2e} {speed:.1f} images/s"
        if memory := memory_in_use():
            numbers += f" {memory}"
        self._bar.update(self._task, completed=step, numbers=numbers)
        if self._bar.disable and (step % self._line_steps == 0 or step in (1, self._steps)):
            self._console.print(f"step {step}/{self._steps} {numbers}")
        return speed

    def say(self, *renderables: object) -> None:
        """Prints above the bar."""
        self._console.print(*renderables)
