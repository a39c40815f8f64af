import cv2
import keras
import numpy as np
import pytest

from rdepth_keras.depth.resize import resize_bicubic, resize_corners


@pytest.mark.parametrize("size", [(9, 4), (5, 13), (37, 49), (3, 3)])
def test_bicubic_equals_opencv(size):
    """OpenCV's cubic has a = -0.75, pixel centres and clamped edges, too."""
    grid = np.random.default_rng(0).standard_normal((7, 6, 3)).astype(np.float32)
    expected = cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC)
    np.testing.assert_allclose(resize_bicubic(grid, *size), expected, atol=2e-6)


def test_bicubic_keeps_a_grid_of_the_same_size():
    grid = np.random.default_rng(0).standard_normal((4, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(resize_bicubic(grid, 4, 5), grid, atol=1e-7)


@pytest.mark.parametrize("size", [(9, 11), (3, 4), (2, 1)])
def test_corners_by_the_definition(size):
    features = np.random.default_rng(1).standard_normal((2, 3, 4, 5)).astype(np.float32)
    found = keras.ops.convert_to_numpy(resize_corners(keras.ops.array(features), *size))
    assert found.shape == (2, *size, 5)
    for y in range(size[0]):
        for x in range(size[1]):
            v = y * 2 / (size[0] - 1) if size[0] > 1 else 0
            u = x * 3 / (size[1] - 1) if size[1] > 1 else 0
            top, left = min(int(v), 1), min(int(u), 2)
            a, b = v - top, u - left
            upper = features[:, top, left] * (1 - b) + features[:, top, left + 1] * b
            lower = features[:, top + 1, left] * (1 - b) + features[:, top + 1, left + 1] * b
            np.testing.assert_allclose(found[:, y, x], upper * (1 - a) + lower * a, atol=1e-5)
