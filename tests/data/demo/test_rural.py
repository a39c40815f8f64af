"""The country is cut into parcels without gaps; what is wanted is there."""

import numpy as np
import pytest

from rdepth_keras.data.demo.canvas import Canvas, Sun, Surface
from rdepth_keras.data.demo.rural import draw_country, split


def test_parcels_cover_the_land_once():
    for seed in range(5):
        parcels = np.array(split(np.random.default_rng(seed), (-150.0, 150.0, -120.0, 120.0)))
        left, right, low, high = parcels.T
        assert ((right - left) * (high - low)).sum() == pytest.approx(300 * 240)
        assert ((right - left) * (high - low)).max() < 7500
        points = np.random.default_rng(seed).uniform(-120, 120, (200, 2))
        inside = (points[:, :1] > left) & (points[:, :1] < right)
        inside &= (points[:, 1:] > low) & (points[:, 1:] < high)
        assert (inside.sum(1) == 1).all()


def test_what_is_wanted_is_there():
    canvas = Canvas(128, 1.0, Sun(1 + 0j, np.radians(40)), np.random.default_rng(3))
    draw_country(canvas, ["pond", "hamlet"])
    found = set(np.unique(canvas.surface).tolist())
    assert {Surface.WATER, Surface.ROOF, Surface.CROP} <= found
    plain = Canvas(128, 1.0, Sun(1 + 0j, np.radians(40)), np.random.default_rng(3))
    draw_country(plain, [])
    assert not {Surface.WATER, Surface.ROOF} & set(np.unique(plain.surface).tolist())
