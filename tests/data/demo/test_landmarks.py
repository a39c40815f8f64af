"""Every landmark shows what it is named after."""

import numpy as np
import pytest

from rdepth_keras.data.demo.canvas import Canvas, Frame, Sun, Surface
from rdepth_keras.data.demo.landmarks import LANDMARKS, bend, find_room

SHOWS = {
    "wood": {Surface.WOOD},
    "river": {Surface.WATER},
    "lane": {Surface.ASPHALT, Surface.TRACK},
    "hamlet": {Surface.ROOF},
    "quarry": {Surface.SOIL},
    "pond": {Surface.WATER},
    "basins": {Surface.WATER, Surface.PAVING},
}


def board(seed):
    canvas = Canvas(128, 1.0, Sun(1 + 0j, np.radians(40)), np.random.default_rng(seed))
    canvas.cover(Surface.MEADOW, (0.5, 0.5, 0.3))
    return canvas


def test_every_landmark_is_known_here():
    assert SHOWS.keys() == LANDMARKS.keys()


@pytest.mark.parametrize("name", LANDMARKS)
def test_what_it_shows(name):
    for seed in range(3):
        canvas, again = board(seed), board(seed)
        LANDMARKS[name](canvas, Frame())
        LANDMARKS[name](again, Frame())
        assert SHOWS[name] & {Surface(s) for s in np.unique(canvas.surface)}, seed
        np.testing.assert_array_equal(canvas.paint, again.paint)


def test_room_is_found_beside_what_is_there():
    """Half of the board is water: the middle of the room is on the other half."""
    found = []
    for seed in range(10):
        canvas = board(seed)
        canvas.surface[:, :128] = Surface.WATER
        found.append(find_room(canvas, Frame(), 15).origin.real)
    assert np.mean(np.array(found) > 0) >= 0.9


def test_a_lane_bends_gently():
    x = np.linspace(-64, 64, 500)
    slope = np.gradient(bend(x), x)
    assert np.abs(slope).max() < 1 and np.ptp(bend(x)) > 0
