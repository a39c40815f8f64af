"""A trace of some training steps, for TensorBoard's profiler, Perfetto or XProf."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax

PROFILED = range(5, 10)  # steps of this process; the first one compiles


@contextmanager
def tracer(folder: Path | None) -> Iterator[Callable[[int, Any], None]]:
    """A function to call before every step, with the number of steps done and their result.

    It traces the steps of :data:`PROFILED` into ``folder``; None traces nothing. A run that ends
    in between leaves the trace of the steps it took.
    """
    running = False

    def before_step(done: int, result: Any) -> None:
        nonlocal running
        if folder is not None and done == PROFILED.start:
            jax.profiler.start_trace(str(folder))
            running = True
        if running and done == PROFILED.stop:
            jax.block_until_ready(result)
            jax.profiler.stop_trace()
            running = False

    try:
        yield before_step
    finally:
        if running:
            jax.profiler.stop_trace()
