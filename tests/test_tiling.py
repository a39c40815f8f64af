import numpy as np
import pytest

from rdepth_keras.tiling import blend_weights, blend_windows, coverage, windows


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


def test_extents_are_the_windows():
    grid = windows(100, 40, 64, 48)
    assert list(grid.extents()) == [
        (slice(0, 64), slice(0, 40)),
        (slice(36, 100), slice(0, 40)),
    ]


@pytest.mark.parametrize("blend", ["uniform", "tapered"])
@pytest.mark.parametrize("classes", [(), (3,)])
def test_blending_is_the_weighted_mean_of_every_pixel(blend, classes):
    rng = np.random.default_rng(1)
    for height, width, window, stride in random_geometries(20):
        grid = windows(height, width, window, stride)
        size = (grid.window_height, grid.window_width)
        parts = [rng.random((*size, *classes), np.float32) for _ in range(len(grid))]
        weight = blend_weights(*size, blend)
        y, x = rng.integers(height), rng.integers(width)
        seen = [
            (weight[y - top, x - left], part[y - top, x - left])
            for top, left, part in zip(grid.tops, grid.lefts, parts, strict=True)
            if 0 <= y - top < size[0] and 0 <= x - left < size[1]
        ]
        blended = blend_windows(grid, iter(parts), blend)
        assert blended.shape == (height, width, *classes) and blended.dtype == np.float32
        expected = np.average([value for _, value in seen], 0, [share for share, _ in seen])
        np.testing.assert_allclose(blended[y, x], expected, rtol=1e-5)
        np.testing.assert_allclose(
            coverage(grid, weight)[y, x], sum(share for share, _ in seen), rtol=1e-5
        )


def test_tapered_windows_that_contradict_each_other_meet_without_a_seam():
    """Every window says something else; the blend nowhere jumps by more than its slope."""
    window = 64
    grid = windows(192, 224, window, window // 2)
    rng = np.random.default_rng(0)
    parts = [np.full((window, window), rng.choice([-1.0, 1.0])) for _ in range(len(grid))]
    for blend, most in (("tapered", 6 / window), ("uniform", 2.0)):
        blended = blend_windows(grid, parts, blend)
        steps = max(np.abs(np.diff(blended, axis=axis)).max() for axis in (0, 1))
        assert steps <= most
    assert steps > 0.5, "uniform windows do show theirs"


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_ids_are_not_blended(dtype):
    with pytest.raises(ValueError, match="What is blended are floats, .* one-hot of floats first"):
        blend_windows(windows(4, 8, 4, 4), [np.ones((4, 4), dtype)] * 2)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 4, 2), (4, 5)])
def test_parts_of_another_size_than_their_windows_are_refused(shape):
    """Such as those that are batches of one still."""
    with pytest.raises(ValueError, match=r"the size of their windows, \(4, 4\); received"):
        blend_windows(windows(4, 8, 4, 4), [np.ones(shape)] * 2)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_parts_as_windows(count):
    grid = windows(4, 8, 4, 4)
    with pytest.raises(ValueError, match="zip"):
        blend_windows(grid, [np.ones((4, 4))] * count)
