"""From seconds to figures: what a comparison prints and stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean, median
from typing import Any

from benchmark.case import Case

TITLES = {"ours": "ours", "pytorch": "PyTorch", "pytorch_compiled": "PyTorch, compiled"}


@dataclass(frozen=True)
class Figures:
    """What is known of one side.

    Attributes:
        seconds: of every repeat, in all turns.
        first_s: of the first call, compilation included.
        peak_bytes: resident high-water mark of the process, compilation included.
        facts: what else the worker told, such as device and version.
    """

    seconds: Sequence[float]
    first_s: float
    peak_bytes: int
    facts: Mapping[str, Any]

    @property
    def best_s(self) -> float:
        return min(self.seconds)

    @property
    def spread(self) -> float:
        """How far the slowest repeat lies above the fastest, as a part of that."""
        return max(self.seconds) / self.best_s - 1

    @property
    def compile_s(self) -> float:
        """The first call less a later one."""
        return max(self.first_s - median(self.seconds), 0.0)

    def row(self, images: int) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "best_s": self.best_s,
            "median_s": median(self.seconds),
            "spread": self.spread,
            "repeats": len(self.seconds),
            "images_per_s": images / self.best_s,
            "peak_bytes": self.peak_bytes,
            "compile_s": self.compile_s,
            **self.facts,
        }


def compare(found: Mapping[str, Figures], case: Case) -> dict[str, Any]:
    """The sides' rows by name and, of the best times, ``ratio`` = ours / the fastest of theirs."""
    rows = {name: figures.row(case.batch) for name, figures in found.items()}
    result: dict[str, Any] = {"ours_s": found["ours"].best_s}
    theirs = [figures.best_s for name, figures in found.items() if name != "ours"]
    if theirs:
        result |= {"theirs_s": min(theirs), "ratio": found["ours"].best_s / min(theirs)}
    return {**result, "batch": case.batch, "pixels": case.pixels, "sides": rows}


def table(title: str, result: Mapping[str, Any]) -> str:
    """The result of :func:`compare` in words."""
    ours, pixels = result["sides"]["ours"], result["pixels"]
    said = [f"{result['batch']} x {pixels} x {pixels}", f"{ours['precision']} on {ours['device']}"]
    if "multiply_adds" in ours:
        said.append(f"forward {ours['multiply_adds'] / 1e9:.1f} G multiply-adds an image")
    head = f"{'':18} {'best ms':>9} {'median ms':>10} {'spread':>7} {'images/s':>9}"
    lines = [
        f"{title}: {', '.join(said)}",
        f"{head} {'peak MB':>8} {'compile s':>10} {'start s':>8}",
    ]
    lines += [_line(TITLES[name], row) for name, row in result["sides"].items()]
    if "ratio" in result:
        lines.append(f"{'ratio':18} {result['ratio']:9.2f}")
    return "\n".join(lines)


def _line(title: str, row: Mapping[str, Any]) -> str:
    best, middle = 1e3 * row["best_s"], 1e3 * row["median_s"]
    figures = f"{best:9.1f} {middle:10.1f} {row['spread']:7.1%} {row['images_per_s']:9.2f}"
    once = f"{row['peak_bytes'] / 1e6:8.0f} {row['compile_s']:10.1f} {row['start_s']:8.1f}"
    line = f"{title:18} {figures} {once}"
    on_device = row.get("device_peak_bytes")
    return line if on_device is None else f"{line}  {on_device / 1e6:.0f} MB on the device"


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The k of values ~ sizes^k that fits best: the slope of the logarithms."""
    x, y = [log(size) for size in sizes], [log(value) for value in values]
    middle = fmean(x)
    across = sum((a - middle) ** 2 for a in x)
    return sum((a - middle) * b for a, b in zip(x, y, strict=True)) / across
