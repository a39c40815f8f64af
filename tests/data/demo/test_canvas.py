import numpy as np
import pytest

from rdepth_keras.data.demo.canvas import Canvas, Frame, Sun, Surface, blob, rectangle
from rdepth_keras.data.demo.trees import grow


def bearing_sun(degrees, elevation_degrees):
    return Sun(complex(np.exp(1j * np.radians(degrees))), np.radians(elevation_degrees))


def test_rectangle_is_painted_where_it_lies():
    canvas = Canvas(64, 1.0, bearing_sun(0, 40), np.random.default_rng(0))
    place = Frame().at(10 - 12j, np.pi / 2)
    canvas.fill(place(rectangle(12, 6)), Surface.ROOF, (0.1, 0.2, 0.3), 7)
    rows, columns = np.nonzero(canvas.surface == Surface.ROOF)
    assert rows.mean() / 2 - 32 == pytest.approx(-12, abs=0.6)
    assert columns.mean() / 2 - 32 == pytest.approx(10, abs=0.6)
    assert np.ptp(rows) / 2 == pytest.approx(12, abs=1)
    assert np.ptp(columns) / 2 == pytest.approx(6, abs=1)
    np.testing.assert_allclose(canvas.paint[rows, columns], [[0.1, 0.2, 0.3, 7]] * len(rows))


def test_stroke_without_a_surface_keeps_the_label():
    canvas = Canvas(64, 1.0, bearing_sun(0, 40), np.random.default_rng(0))
    canvas.cover(Surface.ASPHALT, (0.4, 0.4, 0.4))
    canvas.stroke(np.array([[-20 + 0j, 20], [-20 + 8j, 20 + 8j]]), 2, None, (1, 1, 1))
    assert (canvas.surface == Surface.ASPHALT).all()
    assert (canvas.paint[:, :, 0] == 1).mean() == pytest.approx(2 * 40 * 2 / 64**2, rel=0.4)


def test_roof_facing_the_sun_is_brighter():
    sun = bearing_sun(30, 40)
    assert sun.shade(sun.bearing, 0.6) > sun.shade(sun.bearing * 1j, 0.6) > 0.5
    assert sun.shade(sun.bearing * 1j, 0.6) > sun.shade(-sun.bearing, 0.6)
    assert sun.shade(1, 0) == pytest.approx(1)


def test_trees_grow_over_meadow_but_neither_in_water_nor_through_a_tall_roof():
    canvas = Canvas(64, 0.5, bearing_sun(30, 40), np.random.default_rng(0))
    canvas.cover(Surface.MEADOW, (0.5, 0.6, 0.3))
    canvas.fill(rectangle(12, 12, -9 + 0j), Surface.WATER, (0.2, 0.3, 0.4))
    canvas.fill(rectangle(6, 6, 9 - 8j), Surface.ROOF, (0.7, 0.3, 0.3), 30.0)
    canvas.plant(np.array([-9 + 0j, 9 + 6j, 9 - 4j]), (3, 3), (0.3, 0.5, 0.2), 2)
    grow(canvas, np.zeros((128, 128), np.float32))
    assert canvas.shows(9 + 6j) == Surface.WOOD
    assert canvas.shows(-9 + 0j) == Surface.WATER
    assert canvas.shows(9 - 6j) == Surface.ROOF
    column, row = canvas.locate(np.asarray(9 + 6j))
    assert canvas.paint[row, column, 3] == pytest.approx(6, rel=0.02)
    area = (canvas.surface == Surface.WOOD).sum() / canvas.pixels_per_metre**2
    assert np.pi * 9 * 1 < area < np.pi * 9 * 2


def test_blob_goes_once_around_its_middle():
    for seed in range(20):
        outline = blob(np.random.default_rng(seed), 10.0)
        turns = np.angle(np.roll(outline, -1) / outline)
        assert turns.sum() == pytest.approx(2 * np.pi)
        assert (turns > 0).all()
        assert 4 < np.abs(outline).min() <= np.abs(outline).max() < 18


def test_crowns_are_brighter_towards_the_sun():
    sun = bearing_sun(30, 40)
    canvas = Canvas(64, 0.5, sun, np.random.default_rng(0))
    canvas.plant(np.array([0j]), (6, 6), (0.3, 0.5, 0.2), 2)
    grow(canvas, np.zeros((128, 128), np.float32))
    columns, rows = canvas.locate(np.array([4, -4]) * sun.bearing)
    sunny, shady = canvas.paint[rows, columns, :3].mean(axis=1)
    assert sunny > 1.4 * shady
