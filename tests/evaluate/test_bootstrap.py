"""The bootstrap against drawing tiles one by one, and how it must behave."""

import numpy as np
import pytest

from rdepth_keras.evaluate.bootstrap import LEAST_TILES, bootstrap, bootstrap_difference
from rdepth_keras.evaluate.confusion import class_iou, mean_iou


def draw(tiles=24, seed=0, right=30):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 10, (tiles, 3, 3)) + np.eye(3, dtype=int) * rng.integers(
        0, right, (tiles, 1, 1)
    )


def test_drawing_whole_tiles():
    confusions = draw()
    rng = np.random.default_rng(5)
    scores = [mean_iou(confusions[rng.integers(0, 24, 24)].sum(0)) for _ in range(6000)]
    ours = bootstrap(confusions, draws=6000)
    assert ours.value == mean_iou(confusions.sum(0))
    np.testing.assert_allclose([ours.low, ours.high], np.percentile(scores, [2.5, 97.5]), atol=3e-3)


def test_the_seed_decides_and_a_higher_level_is_wider():
    confusions = draw()
    narrow, again, wide = (bootstrap(confusions, level=level) for level in (0.8, 0.8, 0.99))
    assert (narrow.low, narrow.high) == (again.low, again.high)
    assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


def test_a_run_does_not_differ_from_itself_and_pairing_narrows():
    confusions = draw()
    same = bootstrap_difference(confusions, confusions)
    assert same.value == same.low == same.high == 0
    better = confusions + np.eye(3, dtype=int)
    paired = bootstrap_difference(confusions, better)
    assert 0 < paired.low < paired.value < paired.high
    alone = bootstrap(better)
    assert paired.high - paired.low < alone.high - alone.low


def test_classes_and_one_that_is_nowhere():
    confusions = np.pad(draw(), ((0, 0), (0, 1), (0, 1)))
    interval = bootstrap(confusions, class_iou)
    assert interval.value.shape == interval.low.shape == (4,)
    assert np.isnan([interval.value[3], interval.low[3], interval.high[3]]).all()
    assert (interval.low[:3] < interval.value[:3]).all()


@pytest.mark.parametrize("tiles", [1, LEAST_TILES - 1])
def test_few_tiles_and_none(tiles):
    """They say little of others: no interval, instead of one that is too narrow."""
    one = bootstrap(draw(tiles=tiles))
    assert np.isfinite(one.value) and np.isnan([one.low, one.high]).all() and one.unknown
    gap = bootstrap_difference(draw(tiles=tiles), draw(tiles=tiles, seed=1))
    assert np.isfinite(gap.value) and gap.unknown and not bootstrap(draw(tiles=LEAST_TILES)).unknown
    with pytest.raises(ValueError, match="no tiles"):
        bootstrap(draw(tiles=0))
    with pytest.raises(ValueError, match="24 and 3 tiles"):
        bootstrap_difference(draw(), draw(tiles=3))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        *(({"level": level}, "level must be above 0") for level in (0.0, 1.0, 95, -0.5, np.nan)),
        ({"draws": 0}, "draws must be a whole number, at least 1"),
        ({"draws": 39}, "draws must be at least 40 for a level of 0.95"),
        ({"draws": 99, "level": 0.99}, "draws must be at least 200 for a level of 0.99"),
    ],
)
def test_intervals_that_are_none(options, said):
    for attempt in (bootstrap, lambda one, **how: bootstrap_difference(one, one, **how)):
        with pytest.raises(ValueError, match=said):
            attempt(draw(), **options)
        with pytest.raises(ValueError, match="confusions must have the shape"):
            attempt(draw()[0])
