"""Streets divide the city; a canal runs through its widest gap."""

import numpy as np
import pytest

from rdepth_keras.data.demo.canvas import Canvas, Frame, Sun, Surface
from rdepth_keras.data.demo.urban import CANAL_METRES, COMMON, block_between, divide, draw_city


def board(seed=0):
    return Canvas(128, 1.0, Sun(1 + 0j, np.radians(40)), np.random.default_rng(seed))


def test_kinds_are_a_distribution():
    assert sum(COMMON.values()) == pytest.approx(1)


@pytest.mark.parametrize("gap", [None, CANAL_METRES])
def test_blocks_and_streets_alternate(gap):
    for seed in range(5):
        intervals = divide(board(seed), (50, 74), (5.5, 7), gap)
        streets = intervals[1:, 0] - intervals[:-1, 1]
        assert ((np.diff(intervals) >= 50) & (np.diff(intervals) <= 74)).all()
        usual = np.sort(streets)[: None if gap is None else -1]
        assert ((usual >= 5.5) & (usual <= 7)).all()
        assert gap is None or streets.max() == pytest.approx(gap)
        assert intervals[0, 0] < -64 and intervals[-1, 1] > 64


def test_the_longer_side_of_a_block_is_its_length():
    tall = block_between(Frame(), np.array([0.0, 20]), np.array([10.0, 80]))
    assert (tall.length, tall.width) == (70, 20) and tall.place.origin == 10 + 45j
    assert tall.place.turn == pytest.approx(1j)


def test_a_city_with_and_without_a_canal():
    for canal in (False, True):
        canvas = board()
        draw_city(canvas, ["park"], canal)
        found = set(np.unique(canvas.surface).tolist())
        assert {Surface.ASPHALT, Surface.ROOF, Surface.LAWN} <= found
        assert (canvas.paint[..., 3].min() == -2) == canal, "a pond of the park is less deep"
        assert not canal or Surface.WATER in found
