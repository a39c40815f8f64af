"""Every kind of block holds what it is named after, and stays within its bounds."""

import numpy as np
import pytest

from rdepth_keras.data.demo.blocks import BLOCKS, Block
from rdepth_keras.data.demo.canvas import Canvas, Frame, Sun, Surface

HOLDS = {
    "houses": {Surface.ROOF, Surface.LAWN, Surface.PAVING},
    "slabs": {Surface.ROOF},
    "courtyard": {Surface.ROOF},
    "halls": {Surface.ROOF, Surface.PAVING},
    "park": {Surface.LAWN},
    "plot": {Surface.SOIL},
    "allotments": {Surface.CROP},
    "pitch": {Surface.LAWN},
}


def draw(kind, seed):
    canvas = Canvas(128, 1.0, Sun(1 + 0j, np.radians(40)), np.random.default_rng(seed))
    canvas.cover(Surface.ASPHALT, (0.4, 0.4, 0.4))
    BLOCKS[kind](canvas, Block(Frame(), 88, 62))
    return canvas


def test_every_block_is_known_here():
    assert HOLDS.keys() == BLOCKS.keys()


@pytest.mark.parametrize("kind", BLOCKS)
def test_what_a_block_holds(kind):
    for seed in range(3):
        canvas = draw(kind, seed)
        assert HOLDS[kind] <= {Surface(s) for s in np.unique(canvas.surface)}
        outside = canvas.surface.copy()
        outside[128 - 64 : 128 + 64, 128 - 90 : 128 + 90] = Surface.ASPHALT
        assert (outside == Surface.ASPHALT).all(), "it stays within its bounds"
        np.testing.assert_array_equal(draw(kind, seed).paint, canvas.paint)
    assert not np.array_equal(draw(kind, 0).paint, draw(kind, 1).paint)


def test_a_block_knows_its_inside():
    block = Block(Frame(10 + 5j), 40, 20)
    inside = block.inside(2)
    assert inside.real.min() == 10 - 18 and inside.imag.max() == 5 + 8
    points = block.scatter(np.random.default_rng(0), 500, 0.5)
    assert np.abs(points.real).max() <= 10 and np.abs(points.imag).max() <= 5
