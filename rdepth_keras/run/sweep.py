"""Many runs: recipes x directions x seeds, each in a directory of its own, and their table."""

import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One run of a sweep and its directory."""

    recipe: str
    direction: str
    seed: int
    directory: Path

    @property
    def metrics(self) -> dict[str, Any] | None:
        """What the finished run scored, or None."""
        path = self.directory / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def plan(
    recipes: Sequence[str], directions: Sequence[str], seeds: Sequence[int], out: Path
) -> list[Cell]:
    """The runs of a sweep, in the order they are started."""
    return [
        Cell(recipe, direction, seed, out / f"{recipe}-{direction}-seed{seed}")
        for recipe in recipes
        for direction in directions
        for seed in seeds
    ]


def train(cell: Cell, script: Path, options: Sequence[str], cap_seconds: float | None) -> str:
    """Starts or resumes a run unless it has finished; returns in a word how it ended.

    A run over its cap is asked to save and stop (SIGTERM); the next sweep goes on with it.
    """
    if cell.metrics is not None:
        return "finished before"
    command = [sys.executable, str(script), "--out", str(cell.directory)]
    if (cell.directory / "experiment.json").exists():
        command += ["--resume"]
    else:
        command += ["--recipe", cell.recipe, "--direction", cell.direction]
        command += ["--seed", str(cell.seed), *options]
    process = subprocess.Popen(command)
    try:
        code = process.wait(cap_seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        process.wait()
        return "stopped at its cap"
    except KeyboardInterrupt:
        process.wait()  # it had the same signal, and saves
        raise
    return "finished" if code == 0 else f"failed with exit code {code}"


def summarise(cells: Sequence[Cell]) -> dict[str, dict[str, Any]]:
    """``recipe direction`` -> mean and standard deviation over the seeds that have finished.

    Each row holds ``seeds``, ``miou`` and ``iou`` by class as ``(mean, deviation)``, in fractions;
    the deviation is the sample's, None for a single seed. A class that is nowhere in any run is
    None.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for cell in cells:
        if cell.metrics is not None:
            rows.setdefault(f"{cell.recipe} {cell.direction}", []).append(cell.metrics)
    return {
        name: {
            "seeds": len(runs),
            "miou": _spread([run["miou"] for run in runs]),
            "iou": {key: _spread([run["iou"][key] for run in runs]) for key in runs[0]["iou"]},
        }
        for name, runs in rows.items()
    }


def _spread(values: Sequence[float | None]) -> tuple[float, float | None] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return statistics.mean(known), statistics.stdev(known) if len(known) > 1 else None
