"""Each pixel belongs to the nearest stem; woods grow where the board says so."""

import numpy as np

from rdepth_keras.data.demo.canvas import Canvas, Sun, Surface
from rdepth_keras.data.demo.trees import afforest, grow, nearest_stem


def board():
    return Canvas(48, 1.0, Sun(1 + 0j, np.radians(40)), np.random.default_rng(0))


def test_nearest_stem_by_brute_force():
    rng = np.random.default_rng(0)
    columns, rows = rng.permutation(40)[:9], rng.permutation(40)[:9]
    distance, tree = nearest_stem(columns, rows, (40, 40))
    y, x = np.mgrid[:40, :40]
    exact = np.hypot(x[..., None] - columns, y[..., None] - rows)
    np.testing.assert_allclose(distance, exact.min(-1), atol=0.03 * 40)  # OpenCV's 5 x 5 mask
    chosen = np.take_along_axis(exact, tree[..., None], -1)[..., 0]
    assert (chosen - exact.min(-1)).max() < 1.5
    assert (tree[rows, columns] == np.arange(9)).all()


def test_woods_are_planted_where_the_board_shows_them():
    canvas = board()
    canvas.cover(Surface.MEADOW, (0.5, 0.5, 0.3))
    canvas.surface[:, :48] = Surface.WOOD
    afforest(canvas, 4.0, (1.5, 2.5), (0.2, 0.4, 0.2), 2.0)
    (trees,) = canvas.trees
    assert 40 < len(trees) < 90 and (trees[:, 0] < 0).all()
    grow(canvas, np.zeros(canvas.surface.shape, np.float32))
    assert canvas.paint[..., 3].max() <= trees[:, 3].max()
    assert (canvas.surface[:, 60:] == Surface.MEADOW).all()


def test_a_board_without_trees_stays_as_it_is():
    canvas = board()
    canvas.cover(Surface.WATER, (0.2, 0.3, 0.4))
    before = canvas.paint.copy()
    grow(canvas, np.zeros(canvas.surface.shape, np.float32))
    canvas.plant(np.array([0j, 3 + 3j]), (2, 3), (0.2, 0.4, 0.2), 2.0)
    grow(canvas, np.zeros(canvas.surface.shape, np.float32))
    np.testing.assert_array_equal(canvas.paint, before)
