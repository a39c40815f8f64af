import numpy as np
import pytest

from rdepth_keras.tiling import blend_weights, windows


def random_geometries(count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        height, width, window = rng.integers(1, 70, 3)
        yield int(height), int(width), int(window), int(rng.integers(1, window + 1))


def test_every_pixel_is_covered_and_windows_stay_inside():
    for height, width, window, stride in random_geometries(200):
        grid = windows(height, width, window, stride)
        covered = np.zeros((height, width), int)
        for top, left in zip(grid.tops, grid.lefts, strict=True):
            assert 0 <= top <= height - grid.window_height
            assert 0 <= left <= width - grid.window_width
            covered[top : top + grid.window_height, left : left + grid.window_width] += 1
        assert covered.min() >= 1
        assert len(set(zip(grid.tops, grid.lefts, strict=True))) == len(grid)


def test_the_papers_windows():
    grid = windows(1024, 1024, 512, 512)
    assert list(zip(grid.tops, grid.lefts, strict=True)) == [(0, 0), (0, 512), (512, 0), (512, 512)]


def test_the_last_window_moves_back():
    grid = windows(100, 40, 64, 48)
    assert (grid.tops, grid.lefts) == ((0, 36), (0, 0))
    assert (grid.window_height, grid.window_width) == (64, 40)


@pytest.mark.parametrize("blend", ["uniform", "tapered"])
def test_blend_weights_are_positive_and_symmetric(blend):
    for height, width in ((1, 1), (5, 8), (64, 33)):
        weight = blend_weights(height, width, blend)
        assert weight.shape == (height, width) and weight.min() > 0 and weight.max() == 1
        np.testing.assert_array_equal(weight, weight[::-1, ::-1])


@pytest.mark.parametrize("sizes", [(0, 4, 4, 4), (4, 4, 0, 1), (4, 4, 4, 0), (9, 9, 4, 5)])
def test_impossible_geometries(sizes):
    with pytest.raises(ValueError, match="received|stride"):
        windows(*sizes)


def test_unknown_blend():
    with pytest.raises(ValueError, match="blend must be one of"):
        blend_weights(4, 4, "gauss")
