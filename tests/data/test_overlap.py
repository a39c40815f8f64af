"""Parts that pictures share are found wherever they lie, and nothing else."""

import numpy as np
import pytest

from rdepth_keras.data.overlap import WINDOW, marks, overlaps

RNG = np.random.default_rng(0)
GROUND = RNG.integers(0, 256, (400, 400, 3), np.uint8)
OTHER = RNG.integers(0, 256, (300, 300, 3), np.uint8)


@pytest.mark.parametrize("part", [np.s_[37:165, 61:189], np.s_[300:400, 310:400], np.s_[:, :70]])
def test_parts_are_found(part):
    pictures = [marks(GROUND[:320, :330]), marks(OTHER), marks(GROUND[part])]
    found = overlaps(pictures, ["train", "train", "val"])
    assert found == [] if part[0].start == 300 else found == [(0, 2)], "20 x 20 pixels are too few"


def test_neighbours_of_one_place_may_overlap():
    pictures = [marks(GROUND[:200]), marks(GROUND[100:])]
    assert overlaps(pictures, ["train", "train"]) == []
    assert overlaps(pictures, ["train", "val"]) == [(0, 1)]


def test_what_many_show_is_no_place():
    """A sky, a border or a collar of one colour."""
    plain = np.full((128, 128, 3), 200, np.uint8)
    half = [np.concatenate([plain, OTHER[i : i + 60, :128]]) for i in (0, 60)]
    assert overlaps([marks(each) for each in half], ["train", "val"]) == []
    assert len(marks(plain)) <= 1


def test_marks_are_those_of_windows():
    """A picture has the marks of its windows, each looked at for itself."""
    small = GROUND[:40, :44]
    alone = [
        marks(small[y : y + WINDOW, x : x + WINDOW])
        for y in range(40 - WINDOW + 1)
        for x in range(44 - WINDOW + 1)
    ]
    np.testing.assert_array_equal(marks(small), np.unique(np.concatenate(alone)))
    assert len(marks(small)) > 0 and len(marks(small[:15])) == 0


def test_one_value_changes_all_windows_around_it():
    before, changed = marks(GROUND), GROUND.copy()
    changed[200, 200, 1] ^= 1
    own = marks(GROUND[200 - 15 : 216, 200 - 15 : 216])
    assert np.isin(own, before).all() and not np.isin(own, marks(changed)).any()
    assert len(before) == pytest.approx(385**2 / 256, rel=0.15)


def test_nothing_at_all():
    assert overlaps([], []) == [] and overlaps([np.zeros(0, np.uint64)] * 2, ["a", "b"]) == []
