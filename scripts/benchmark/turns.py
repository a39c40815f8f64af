"""Processes that take turns: one computes while the others wait for their input."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.case import Case
from benchmark.figures import TITLES, Figures
from benchmark.serving import STARTED

FIND = """
import sys
from importlib.util import find_spec
print(*(name for name in sys.argv[1:] if find_spec(name) is None))
"""
SCRIPTS = Path(__file__).resolve().parents[1]
TOLERANCES = {"float32": 1e-4, "mixed_bfloat16": 5e-2}  # of the largest value of an array


@dataclass(frozen=True)
class Side:
    """One of those who compute a case.

    Attributes:
        name: of :data:`benchmark.figures.TITLES`; ``"ours"`` is what the others are compared with.
        command: starts its worker; name, case and folder are added.
        on_a_gpu: whether it takes part only where the side before it found a GPU.
    """

    name: str
    command: tuple[str, ...]
    on_a_gpu: bool = False


def sides(case: Case, python: str | None) -> list[Side]:
    """Those that compute a case, in the order they start; ``python`` has PyTorch, None has not.

    Who makes the weights starts first.
    """
    ours = [Side("ours", (sys.executable, "-m", "benchmark.ours"))]
    if python is None:
        return ours
    command = (python, "-m", "benchmark.pytorch")
    theirs = [Side("pytorch", command), Side("pytorch_compiled", command, on_a_gpu=True)]
    return theirs + ours if case.kind == "depth" else ours + theirs


def lacking(python: str, packages: Sequence[str]) -> list[str]:
    """Those of the packages that a Python does not have.

    Raises OSError or ValueError where there is no such Python.
    """
    said = subprocess.run([python, "-c", FIND, *packages], capture_output=True, text=True)
    if said.returncode:
        raise ValueError(f"{python} is no Python that runs: {said.stderr.strip() or 'no word'}")
    return said.stdout.split()


def measure(case: Case, sides: Sequence[Side], *, rounds: int, repeats: int) -> dict[str, Figures]:
    """Figures of every side by name, after ``rounds`` turns of ``repeats`` calls each.

    Raises:
        ValueError: where the sides do not compute the same; then nothing is timed.
        RuntimeError: where a worker ends early, with the last thing that it said.
    """
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, workers, told = Path(name), {}, {}
        for side in sides:
            if not side.on_a_gpu or "cpu" not in {facts["device"] for facts in told.values()}:
                workers[side.name] = stack.enter_context(working(side, case, folder))
                told[side.name] = workers[side.name].hear()
        check_same(folder, told)
        seconds: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name, worker in workers.items():
                seconds[name] += worker.ask(repeats)["seconds"]
        found = {name: _figures(seconds[name], told[name], workers[name].end()) for name in workers}
        return dict(sorted(found.items()))  # "ours" first


def _figures(seconds, told: Mapping[str, Any], last: Mapping[str, Any]) -> Figures:
    facts = {**told, **last}
    return Figures(seconds, facts.pop("first_s"), facts.pop("peak_bytes"), facts)


def check_same(folder: Path, told: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ValueError where a side's arrays are not ours; ``told`` are the facts of each side."""
    if len({facts["device"] == "cpu" for facts in told.values()}) > 1:
        devices = ", ".join(f"{TITLES[name]} on {facts['device']}" for name, facts in told.items())
        raise ValueError(
            f"The sides run on different devices: {devices}. Install both for the GPU, or hide it: "
            "CUDA_VISIBLE_DEVICES= before the command."
        )
    ours = _arrays(folder / "ours.npz")
    for name in told.keys() - {"ours"}:
        precisions = {told[name]["precision"], told["ours"]["precision"]}
        tolerance = max(TOLERANCES[precision] for precision in precisions)
        check_arrays(ours, _arrays(folder / f"{name}.npz"), TITLES[name], tolerance)


def check_arrays(
    ours: Mapping[str, np.ndarray],
    theirs: Mapping[str, np.ndarray],
    title: str,
    tolerance: float,
) -> None:
    """Raises ValueError unless all arrays agree to a part of their largest value.

    What is one value all over would agree with too much, and is refused as well.
    """
    if ours.keys() != theirs.keys():
        odd = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise ValueError(f"Only one of ours and {title}'s sides gives: {odd}. Nothing was timed.")
    for name, array in ours.items():
        other = theirs[name]
        if array.shape != other.shape:
            raise ValueError(
                f"{name} has the shape {array.shape}, {title}'s {other.shape}. Nothing was timed."
            )
        if array.size > 1 and np.ptp(other) == 0:
            raise ValueError(f"{title}'s {name} is one value all over, which proves nothing.")
        difference = np.abs(array - other).max() / max(np.abs(other).max(), 1e-30)
        if not difference <= tolerance:  # NaN, too
            raise ValueError(
                f"{name} differs from {title}'s by {difference:.1e} of its largest value, and at "
                f"most {tolerance:.0e} is rounding: the sides do not compute the same. Nothing was "
                "timed."
            )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name].astype(np.float32) for name in file}


@dataclass(frozen=True)
class Worker:
    """A process that answers a number with the seconds of so many calls."""

    name: str
    process: subprocess.Popen
    complaints: Path

    def hear(self) -> dict[str, Any]:
        """The next line of facts; what else it prints is passed over."""
        for line in self.process.stdout or ():
            if line.startswith("{"):
                return json.loads(line)
        last = (self.complaints.read_text(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"{TITLES[self.name]}'s worker ended early; the last it said: {last}")

    def ask(self, repeats: int) -> dict[str, Any]:
        """Its answer once it has called so often; the others wait."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{repeats}\n")
        self.process.stdin.flush()
        return self.hear()

    def end(self) -> dict[str, Any]:
        """What it knows only at the end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.hear()


@contextmanager
def working(side: Side, case: Case, folder: Path) -> Iterator[Worker]:
    """A worker of a side; it is gone after the block."""
    paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        STARTED: str(time.time()),
        "PYTHONPATH": os.pathsep.join(paths),
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # several share a GPU
    }
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)  # compilation is part of what is measured
    complaints = folder / f"{side.name}.err"
    with (
        complaints.open("w") as errors,
        subprocess.Popen(
            [*side.command, side.name, case.to_json(), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        ) as process,
    ):
        try:
            yield Worker(side.name, process, complaints)
        finally:
            process.kill()
