"""Plots as text: what they show, and that they never grow with the tiles."""

import numpy as np
import pytest

from rdepth_keras.evaluate import plots
from rdepth_keras.evaluate.bootstrap import Interval, bootstrap
from rdepth_keras.evaluate.calibration import count_confidence
from rdepth_keras.evaluate.confusion import class_iou
from rdepth_keras.labels import LOVEDA

pytest.importorskip("matplotlib")


def confidence(side):
    rng = np.random.default_rng(0)
    powers = np.exp(3 * rng.normal(size=(side, side, 4)))
    return count_confidence(
        rng.integers(0, 4, (side, side)).astype(np.uint8), powers / powers.sum(-1, keepdims=True)
    )


def test_bars_with_a_class_that_is_nowhere_and_one_tile():
    confusions = np.zeros((1, 7, 7), np.int64)
    confusions[0, :6, :6] = np.eye(6) * 4 + 1
    text = plots.class_bars(LOVEDA, bootstrap(confusions, class_iou))
    assert text.count("nowhere") == 1 and "33.3" in text and "Agriculture" in text
    known = Interval(*(np.full(7, value) for value in (0.5, 0.4, 0.6)), 0.95)
    assert "50.0" in plots.class_bars(LOVEDA, known)


def test_a_curve_has_no_more_points_than_can_be_seen():
    small, large = (plots.risk_coverage(confidence(side)) for side in (8, 120))
    assert len(confidence(120).risk_coverage()[0]) > 2 * plots.CURVE_POINTS
    assert len(large) < 8 * len(small) and "coverage" in large


def test_colours_are_the_pages_own_and_ids_apart():
    text = plots.reliability(confidence(8))
    assert plots.INK not in text and "currentColor" in text and 'id="reliability-' in text
    assert text.startswith("<svg")


def test_curves_of_a_journal():
    entries = [{"step": 1, "loss": 2.0}, {"step": 2, "validation": {"miou": 0.5}}]
    assert "validation mIoU" in plots.journal_curves(entries)
    assert "validation mIoU" not in plots.journal_curves(entries[:1])
