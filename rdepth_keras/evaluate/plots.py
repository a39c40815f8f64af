"""Plots of the report, as SVG text that takes the page's own colours.

matplotlib draws them; it belongs to the extra ``report``. Lines and letters are drawn in a colour
that is then replaced by ``currentColor``, so that one plot serves a dark and a light page.
"""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rdepth_keras.evaluate.bootstrap import Interval
from rdepth_keras.evaluate.calibration import Confidence
from rdepth_keras.labels import ClassTable

INK, ACCENT, SECOND, SPAN = "#010203", "#2f7fd6", "#d65f2f", "#808890"
INCHES = (5.6, 3.7)
CURVE_POINTS = 400  # more cannot be seen
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["system-ui", "sans-serif", "DejaVu Sans"],
    "font.size": 10,
    **dict.fromkeys(("text.color", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor"), INK),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "legend.frameon": False,
}


def class_bars(table: ClassTable, iou: Interval) -> str:
    """Bars of the IoU of every class in percent, with its interval over tiles."""

    def draw(axes):
        places = np.arange(len(table))
        values = 100 * np.nan_to_num(iou.value)
        spans = 100 * np.nan_to_num(np.stack([iou.value - iou.low, iou.high - iou.value]))
        colors = np.array(table.colors) / 255
        axes.barh(places, values, 0.7, color=colors, edgecolor=SPAN, linewidth=0.8)
        axes.errorbar(values, places, xerr=spans.clip(0), fmt="none", ecolor=SPAN, capsize=3)
        for place, value, high in zip(places, values, iou.high, strict=True):
            text = f"{value:.1f}" if np.isfinite(iou.value[place]) else "nowhere"
            axes.text(max(value, 100 * np.nan_to_num(high)) + 1.5, place, text, va="center")
        axes.set_yticks(places, [name.capitalize() for name in table.names])
        axes.set(xlim=(0, 112), xlabel="IoU in %")
        axes.set_xticks(range(0, 101, 20))
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)

    return _svg(draw, "bars")


def reliability(confidence: Confidence, bins: int = 15) -> str:
    """Accuracy over confidence, with the share of pixels in every bin below."""
    table = confidence.reliability(bins)

    def draw(axes):
        middles = (np.arange(bins) + 0.5) / bins
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle="--", label="calibrated")
        axes.bar(middles, table["share"], 1 / bins, color=ACCENT, alpha=0.25, label="pixels")
        axes.plot(table["confidence"], table["accuracy"], "o-", color=ACCENT, label="accuracy")
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy, share of pixels")
        axes.legend(loc="upper left")

    return _svg(draw, "reliability")


def risk_coverage(confidence: Confidence) -> str:
    """Share of wrong pixels among the most confident ones, over how many those are."""
    coverage, risk = confidence.risk_coverage()
    shown = np.unique(np.searchsorted(coverage, np.linspace(0, coverage[-1], CURVE_POINTS)))
    coverage, risk = coverage[shown], risk[shown]

    def draw(axes):
        axes.plot(coverage, risk, color=ACCENT)
        axes.fill_between(coverage, risk, color=ACCENT, alpha=0.15, linewidth=0)
        axes.set(xlim=(0, 1), xlabel="coverage: pixels kept", ylabel="risk: wrong among them")
        axes.set_ylim(bottom=0)

    return _svg(draw, "risk")


def journal_curves(entries: Sequence[Mapping[str, Any]]) -> str:
    """The loss, and the validation mIoU where there is one, over the steps."""
    losses = [(entry["step"], entry["loss"]) for entry in entries if "loss" in entry]
    checks = [
        (entry["step"], 100 * entry["validation"]["miou"])
        for entry in entries
        if (entry.get("validation") or {}).get("miou") is not None
    ]

    def draw(axes):
        if losses:
            axes.plot(*zip(*losses, strict=True), color=ACCENT, label="loss")
        axes.set(xlabel="step", ylabel="loss")
        axes.set_ylim(bottom=0)
        if checks:
            right = axes.twinx()
            right.plot(*zip(*checks, strict=True), "o-", color=SECOND, label="validation mIoU")
            right.set_ylabel("validation mIoU in %", color=SECOND)
            right.grid(visible=False)

    return _svg(draw, "journal")


def _svg(draw: Callable[[Any], None], name: str) -> str:
    """What ``draw`` puts on a pair of axes, as an <svg> element whose ids start with ``name``."""
    # Imported here: the base install has no matplotlib.
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=INCHES, layout="constrained")
        draw(figure.add_subplot())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    return text.replace(INK, "currentColor")
