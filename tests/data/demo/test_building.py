"""Roofs stand where they are put, as high as they say, lit by the sun."""

import numpy as np
import pytest

from rdepth_keras.data.demo.building import flat_roof, parked_car, pitched_roof, sheet_roof
from rdepth_keras.data.demo.canvas import Canvas, Frame, Sun, Surface

COLOR = (0.5, 0.4, 0.3)


@pytest.fixture
def canvas():
    """64 m of lawn, two board pixels a metre."""
    canvas = Canvas(64, 1.0, Sun(-1j, np.radians(40)), np.random.default_rng(0))
    canvas.cover(Surface.LAWN, (0.2, 0.5, 0.2))
    return canvas


def metres(canvas, surface):
    """Square metres of a surface."""
    return (canvas.surface == surface).sum() / canvas.pixels_per_metre**2


@pytest.mark.parametrize("hipped", [False, True])
def test_a_pitched_roof(canvas, hipped):
    pitched_roof(canvas, Frame(), 20, 10, 5, COLOR, hipped)
    assert metres(canvas, Surface.ROOF) == pytest.approx(200, rel=0.1)
    roof = canvas.paint[canvas.surface == Surface.ROOF]
    assert roof[:, 3].min() == pytest.approx(5 + 2.5 * np.tan(0.6), rel=1e-5)
    assert roof[:, 3].max() == pytest.approx(5 + 5 * np.tan(0.6), rel=1e-5)
    north, south = canvas.paint[58, 64, 0], canvas.paint[70, 64, 0]
    assert north > 0.5 > south, "the sun stands in the north of the picture"


def test_a_flat_roof_has_a_parapet_and_boxes(canvas):
    flat_roof(canvas, Frame(), 20, 12, 9, COLOR, boxes=3)
    assert metres(canvas, Surface.ROOF) == pytest.approx(240, rel=0.1)
    heights = canvas.paint[canvas.surface == Surface.ROOF][:, 3]
    assert heights.min() == 9
    assert (heights == np.float32(9.6)).any() and (heights > 10.4).any()


def test_a_sheet_roof_is_ribbed(canvas):
    sheet_roof(canvas, Frame(), 30, 16, 7, COLOR)
    assert metres(canvas, Surface.ROOF) == pytest.approx(480, rel=0.1)
    along = canvas.paint[56, 36:92, 0]
    assert len(np.unique(along)) >= 2, "ribs are darker"


def test_a_car_is_labelled_as_its_ground(canvas):
    parked_car(canvas, Frame(5 + 5j), Surface.LAWN, (0.9, 0.1, 0.1))
    assert (canvas.surface == Surface.LAWN).all()
    assert (canvas.paint[..., 3] == np.float32(1.4)).any()
    before = canvas.paint.copy()
    parked_car(canvas, Frame(500 + 0j), Surface.LAWN, (0.9, 0.1, 0.1))
    np.testing.assert_array_equal(canvas.paint, before)
