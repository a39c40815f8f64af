"""Draws performance.png and growth.png beside this file, of docs/performance.json.

Run it from the root of the repository, with the extra ``report`` installed:
``python docs/images/make_performance.py``. The figures are what ``scripts/bench.py --json`` stored.
"""

import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

OURS, THEIRS, INK = "#2f7fd6", "#f0a35e", "#282c34"
UNITS = {"best_s": ("seconds, best", 1.0), "peak_bytes": ("GB, whole process", 1e-9)}
HERE = Path(__file__).parent


def draw_cases(axes: Axes, cases: dict[str, Any], key: str) -> None:
    """A pair of bars a case, with the value at its end, and ours / PyTorch's beside it."""
    title, unit = UNITS[key]
    longest = 0.0
    for place, case in enumerate(cases.values()):
        values = [case["sides"][side][key] * unit for side in ("ours", "pytorch")]
        for value, shift, color in zip(values, (-0.19, 0.19), (OURS, THEIRS), strict=True):
            axes.barh(place + shift, value, 0.36, color=color)
            axes.text(value, place + shift, f" {value:.2f}", va="center", color=INK, size=8)
        longest = max(longest, *values)
        ratio = f"ratio {values[0] / values[1]:.2f}"
        axes.text(0.99, place, ratio, va="center", ha="right", weight="bold", color=INK,
                  transform=axes.get_yaxis_transform())  # fmt: skip
    axes.set_yticks(range(len(cases)), [name.replace("_", " ") for name in cases])
    axes.set(xlabel=title, xlim=(0, 1.6 * longest))
    axes.invert_yaxis()


def draw_performance(found: dict[str, Any]) -> Figure:
    """Time and memory of every case beside PyTorch's."""
    kinds = [kind for kind in ("step", "infer", "depth") if kind in found]
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    heights = [len(found[kind]) for kind in kinds]
    grid = figure.subplots(len(kinds), 2, height_ratios=heights, squeeze=False)
    for row, kind in zip(grid, kinds, strict=True):
        for axes, key in zip(row, UNITS, strict=True):
            draw_cases(axes, found[kind], key)
            axes.spines[["top", "right"]].set_visible(False)
            axes.set_title(kind, loc="left", size=10, weight="bold", color=INK)
    for color, name in ((OURS, "rdepth_keras"), (THEIRS, "PyTorch")):
        grid[0, 0].barh(0, 0, color=color, label=name)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def draw_growth(found: dict[str, Any]) -> Figure:
    """Time and temporaries of the demo's step over batch and pixels, beside linear growth."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    measured = {"time": ("best_s", "seconds", 1.0), "memory": ("temporary_bytes", "MB", 1e-6)}
    grid = figure.subplots(1, 4)
    panels = [(axis, name) for axis in found["growth"] for name in measured]
    for axes, (axis, name) in zip(grid, panels, strict=True):
        key, unit, factor = measured[name]
        rows = found["growth"][axis]["rows"]
        sizes, values = [row[axis] for row in rows], [row[key] * factor for row in rows]
        linear = [values[0] * size / sizes[0] for size in sizes]
        axes.loglog(sizes, linear, "--", color=THEIRS, label="linear")
        power = found["growth"][axis]["exponents"][name]
        axes.loglog(sizes, values, "o-", color=OURS, label=f"measured, power {power:.2f}")
        axes.set_xticks(sizes, [str(size) if axis == "batch" else f"{size**0.5:.0f}²"
                                for size in sizes])  # fmt: skip
        axes.minorticks_off()
        ticks = [values[0], linear[-1]] if linear[-1] > values[-1] else [values[0], values[-1]]
        axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axes.set(xlabel=axis, title=f"{name}, {unit}")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    return figure


def main() -> None:
    found = json.loads((HERE.parent / "performance.json").read_text(encoding="utf-8"))
    for name, draw in (("performance", draw_performance), ("growth", draw_growth)):
        draw(found).savefig(HERE / f"{name}.png", dpi=110)


if __name__ == "__main__":
    main()
