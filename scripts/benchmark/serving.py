"""How a worker is asked and answers: the same on both sides, and without their libraries.

A worker prepares, calls once, keeps what both sides must agree on, and prints a JSON line of facts.
For each number on its input it calls so often and prints the seconds of each call. At the end of
its input it prints what is known only then, its peak memory above all.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STARTED = "RDEPTH_BENCH_STARTED"  # in the environment: when the worker was asked for, Unix seconds


@dataclass(frozen=True)
class Measured:
    """Something to be timed.

    Attributes:
        run: does it once and returns when it is done.
        check: what ``run`` returned first -> named arrays that both sides must agree on; it
            calls ``run`` once more, so that what is timed later is warm.
        facts: known at once, such as the device.
        finish: further facts, asked for at the end, when the peak memory has been read.
    """

    run: Callable[[], Any]
    check: Callable[[Any], Mapping[str, np.ndarray]]
    facts: Mapping[str, Any]
    finish: Callable[[], Mapping[str, Any]] = dict


def serve(measured: Measured, outputs: Path) -> None:
    """Answers until the input ends; ``outputs`` is the file of the arrays to agree on."""
    start = time.perf_counter()
    first = measured.run()
    first_seconds, since = time.perf_counter() - start, time.time() - float(os.environ[STARTED])
    np.savez(outputs, **measured.check(first))  # pyright: ignore[reportArgumentType]
    _say(first_s=first_seconds, start_s=since, **measured.facts)
    for line in sys.stdin:
        _say(seconds=[_seconds(measured.run) for _ in range(int(line))])
    peak = peak_bytes()
    _say(peak_bytes=peak, **measured.finish())


def peak_bytes() -> int:
    """The resident high-water mark of this process."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss would start at the memory of whoever started us
        (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _seconds(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)
