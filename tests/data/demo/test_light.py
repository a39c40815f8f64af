import numpy as np
import pytest

from rdepth_keras.data.demo.building import flat_roof
from rdepth_keras.data.demo.canvas import Canvas, Frame, Sun, Surface
from rdepth_keras.data.demo.light import (
    SHADOW_EDGE_METRES,
    cast,
    direct_light,
    estimate_depth,
    octaves,
    photograph,
)
from rdepth_keras.data.demo.tiles import DOMAINS, SETTINGS
from rdepth_keras.data.demo.trees import grow
from rdepth_keras.labels import LOVEDA

BACKGROUND = LOVEDA.names.index("background")


def bearing_sun(degrees, elevation_degrees):
    return Sun(complex(np.exp(1j * np.radians(degrees))), np.radians(elevation_degrees))


@pytest.mark.parametrize("degrees", [0, 35, 90, 200, 305])
@pytest.mark.parametrize("elevation", [25, 45, 65])
def test_a_tower_throws_its_shadow_away_from_the_sun(degrees, elevation):
    """The shadow begins at the tower, points away from the sun and is height / tan(elevation)."""
    sun, metres_per_pixel, tall = bearing_sun(degrees, elevation), 0.5, 9.0
    height = np.zeros((161, 161), np.float32)
    height[76:85, 76:85] = tall
    dark = (direct_light(height, sun, metres_per_pixel) < 0.5) & (height == 0)
    y, x = np.nonzero(dark)
    along = -((x - 80) * sun.bearing.real + (y - 80) * sun.bearing.imag)
    across = np.abs((x - 80) * sun.bearing.imag - (y - 80) * sun.bearing.real)
    half_diagonal = 4.5 * 2**0.5
    assert len(along) > 50
    assert along.min() > -1.5
    assert across.max() < half_diagonal + 1
    half_lit_metres = 0.8 * SHADOW_EDGE_METRES  # this far below the shadow's ceiling
    length = (tall - half_lit_metres) * sun.metres_of_shadow / metres_per_pixel
    assert along.max() == pytest.approx(length + 4.5, abs=1.5)


def test_cast_agrees_with_marching_towards_the_sun():
    rng = np.random.default_rng(0)
    height = np.zeros((48, 48), np.float32)
    for x, y, tall in rng.integers((4, 4, 1), (38, 38, 9), (6, 3)):
        height[y : y + 6, x : x + 6] = tall
    slope = np.tan(np.radians(40))
    expected = height.copy()  # the sun stands at the right: march along the rows
    for step in range(1, 48):
        shifted = np.full_like(height, -1e3)
        shifted[:, :-step] = height[:, step:]
        expected = np.maximum(expected, shifted - step * 0.7 * slope)
    np.testing.assert_allclose(cast(height, bearing_sun(0, 40), 0.7), expected, atol=1e-3)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("degrees", [20, 110, 200, 290])
def test_pictures_are_dark_behind_houses_and_crowns(domain, degrees):
    """Through the whole camera, for every direction of the sun."""
    sun = bearing_sun(degrees, 40)
    canvas = Canvas(96, 0.5, sun, np.random.default_rng(1))
    canvas.cover(Surface.MEADOW, (0.5, 0.6, 0.3))
    flat_roof(canvas, Frame(-10 + 0j), 8, 8, 6, (0.6, 0.6, 0.6))
    canvas.plant(np.array([11 + 0j]), (4, 4), (0.3, 0.5, 0.2), 1.5)
    grow(canvas, octaves(canvas.rng, 192, 24, 48))
    image, _, label = photograph(canvas, SETTINGS[domain].look)
    for middle, away in ((-10, 8), (11, 7)):
        sunny, shady = (
            brightness_at(image, label, middle + sign * away * sun.bearing) for sign in (1, -1)
        )
        assert shady < 0.85 * sunny


def brightness_at(image, label, point):
    """Mean brightness of the ground around a point in metres, on a tile of 96 pixels of 0.5 m."""
    column, row = round(point.real / 0.5 + 48), round(point.imag / 0.5 + 48)
    window = np.s_[row - 2 : row + 3, column - 2 : column + 3]
    assert (label[window] == BACKGROUND).any()
    return image[window][label[window] == BACKGROUND].mean()


def test_estimated_depth_orders_heights_and_hides_their_unit():
    height = np.zeros((96, 96), np.float32)
    height[20:40, 20:40], height[60:80, 60:80] = 20, 8
    depths = [estimate_depth(height, np.random.default_rng(seed)) for seed in range(6)]
    for depth in depths:
        high, low = depth[25:35, 25:35].mean(), depth[65:75, 65:75].mean()
        assert high > low > np.median(depth) + 0.05
    middles = [float(depth[65:75, 65:75].mean()) for depth in depths]
    assert np.ptp(middles) > 0.03


def test_estimated_depth_of_flat_ground_is_finite():
    depth = estimate_depth(np.zeros((40, 40), np.float32), np.random.default_rng(0))
    assert np.isfinite(depth).all()
    assert (depth.min(), depth.max()) == (0, 1)


def test_noise_has_about_unit_deviation():
    deviations = [octaves(np.random.default_rng(seed), 128, 6, 14, 32).std() for seed in range(8)]
    assert 0.7 < np.mean(deviations) < 1.3
