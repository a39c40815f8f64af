"""A stand-in network sees the true surface through another scale and shift in every view."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rdepth_keras.depth import scene
from rdepth_keras.depth.scene import MOST_WINDOWS, estimate_scene, window_of

WINDOW, OVERLAP = 64, 32


def surface(height: int, width: int) -> np.ndarray:
    """Smooth hills, 0..1."""
    y, x = np.mgrid[:height, :width]
    return 0.5 + 0.3 * np.sin(x / 37 + 1) * np.cos(y / 53) + 0.2 * np.sin((x + y) / 90)


def encode(truth: np.ndarray) -> np.ndarray:
    """Heights 0..1 in the first two channels of an image, 16 bits."""
    levels = np.rint(truth * 65535).astype(np.uint16)
    return np.stack([levels >> 8, levels & 255, levels * 0], -1).astype(np.uint8)


class Network:
    """One view: the mean of the heights over each output pixel, scaled and shifted at random."""

    def __init__(self, noise: float = 0.0):
        self.random, self.noise, self.views = np.random.default_rng(0), noise, []

    def __call__(self, image, size):
        self.views.append(image.shape[:2])
        truth = (image[..., 0].astype(np.float64) * 256 + image[..., 1]) / 65535
        rows = np.arange(size[0] + 1) * image.shape[0] // size[0]
        columns = np.arange(size[1] + 1) * image.shape[1] // size[1]
        sums = np.add.reduceat(np.add.reduceat(truth, rows[:-1], 0), columns[:-1], 1)
        means = sums / np.outer(np.diff(rows), np.diff(columns))
        scale, shift = self.random.uniform(2, 9), self.random.uniform(-3, 3)
        noise = self.noise * self.random.standard_normal(size)
        return (scale * (means + noise) + shift).astype(np.float32)


def fit(depth: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """``depth`` in the unit of ``truth``: one scale and one shift for the whole scene."""
    slope, shift = np.polyfit(depth.ravel().astype(np.float64), truth.ravel(), 1)
    assert slope > 0
    return slope * depth + shift


@pytest.mark.parametrize("size", [(200, 330), (129, 300), (97, 257), (64, 500)])
def test_a_smooth_surface_has_no_seam(size):
    truth = surface(*size)
    depth = estimate_scene(Network(), encode(truth), window_pixels=WINDOW, overlap_pixels=OVERLAP)
    assert depth.shape == size
    assert depth.dtype == np.float32
    found = fit(depth, truth)
    assert np.abs(found - truth).max() < 0.01
    for axis in (0, 1):  # no step that the surface does not have
        assert np.abs(np.diff(found - truth, axis=axis)).max() < 0.001


def test_a_building_across_a_window_boundary_stays_whole():
    truth = 0.4 * surface(200, 200)
    building = np.s_[84:110, 88:140]  # windows begin at 64, 96, 128
    truth[building] += 0.5
    depth = estimate_scene(Network(), encode(truth), window_pixels=WINDOW, overlap_pixels=OVERLAP)
    error = fit(depth, truth) - truth
    assert np.abs(error).max() < 0.02
    assert np.abs(np.diff(error, axis=1)).max() < 0.005
    assert np.ptp((error + truth)[building] - truth[building]) < 0.01


def test_windows_without_alignment_would_show_seams():
    """The measure above can fail: plainly blended windows are far off."""
    truth, network = surface(200, 200), Network()
    image = encode(truth)
    left, right = network(image[:, :100], (200, 100)), network(image[:, 100:], (200, 100))
    error = fit(np.concatenate([left, right], axis=1), truth) - truth
    assert np.abs(np.diff(error, axis=1)).max() > 0.05


def test_noise_and_flat_ground_do_not_turn_depth_over():
    truth = 0.3 * surface(256, 256)
    truth[:, :128] = 0.2  # a lake: nothing there but noise
    depth = estimate_scene(
        Network(noise=0.003), encode(truth), window_pixels=WINDOW, overlap_pixels=OVERLAP
    )
    error = fit(depth, truth) - truth
    assert np.abs(error).max() < 0.03
    assert error[:, :96].std() < 0.005


def test_what_fits_one_view_is_one_view():
    network = Network()
    image = encode(surface(80, 96))
    depth = estimate_scene(network, image, window_pixels=WINDOW, overlap_pixels=OVERLAP)
    assert network.views == [(80, 96)]
    assert depth.shape == (80, 96)
    network = Network()
    assert estimate_scene(network, np.zeros((1024, 1024, 3), np.uint8)).shape == (1024, 1024)
    assert network.views == [(1024, 1024)]


@pytest.mark.parametrize(("tile", "window"), [(64, 64), (1024, 1024), (1280, 1280), (4096, 1024)])
def test_the_window_is_a_tile_that_is_one_view(tile, window):
    assert window_of(tile) == window


def test_windows_overlap_by_half():
    network = Network()
    estimate_scene(network, encode(surface(64, 128)), window_pixels=WINDOW)
    assert network.views == [(64, 128), *[(64, 64)] * 3]


def test_more_windows_than_can_be_aligned_are_refused_before_any_view():
    image = np.broadcast_to(np.uint8(0), (8, 4 * MOST_WINDOWS + 8, 3))
    with pytest.raises(ValueError, match="has 5001 windows of 8; .* cut it into parts"):
        estimate_scene(lambda *_: pytest.fail("nothing is estimated"), image, window_pixels=8)


class Same:
    """A network without a scale and shift of its own: every view is the image's first channel."""

    def __call__(self, image, size):
        rows = np.arange(size[0]) * image.shape[0] // size[0]
        columns = np.arange(size[1]) * image.shape[1] // size[1]
        return image[rows[:, None], columns, 0].astype(np.float32)


def estimate(network, image):
    return estimate_scene(network, image, window_pixels=WINDOW, overlap_pixels=OVERLAP)


@pytest.mark.parametrize("value", [0, 1, 10, 255])
def test_a_constant_scene_is_that_constant(value):
    depth = estimate(Same(), np.full((150, 150, 3), value, np.uint8))
    np.testing.assert_allclose(depth, value, rtol=1e-6)


def test_a_constant_scene_stays_constant_whatever_the_views_say():
    assert np.ptp(estimate(Network(), encode(np.full((150, 150), 0.25)))) < 1e-3


@pytest.mark.parametrize("ground", [0, 10, 200])
def test_one_small_building_on_flat_ground(ground):
    """Most windows show nothing at all; what one shows neither sinks nor spreads."""
    image = np.full((300, 420, 3), ground, np.uint8)
    building = np.s_[100:112, 212:230]
    image[building] = ground + 40
    depth = estimate(Same(), image)
    np.testing.assert_allclose(depth, image[..., 0], atol=0.5)
    assert np.ptp(depth[200:]) < 0.01


def test_relief_far_above_zero_is_kept():
    """A thousandth of the depth itself, in float32."""

    class Far(Network):
        def __call__(self, image, size):
            return 1000 + super().__call__(image, size) / 9

    truth = surface(200, 200)
    assert np.abs(fit(estimate(Far(), encode(truth)), truth) - truth).max() < 0.01


@pytest.mark.parametrize("size", [(1, 500), (700, 3), (33, 1000)])
def test_a_thin_strip(size):
    truth = surface(*size)
    depth = estimate(Network(), encode(truth))
    assert depth.shape == size
    assert np.abs(fit(depth, truth) - truth).max() < 0.05


def test_windows_beyond_memory_lie_in_a_file(monkeypatch):
    image = encode(surface(200, 330))
    expected = estimate(Network(), image)
    monkeypatch.setattr(scene, "MEMORY_BYTES", 10_000)
    np.testing.assert_array_equal(estimate(Network(), image), expected)


def test_without_room_for_the_windows_nothing_is_estimated(monkeypatch):
    monkeypatch.setattr(scene, "MEMORY_BYTES", 10_000)
    monkeypatch.setattr(scene.shutil, "disk_usage", lambda _: SimpleNamespace(free=50_000))
    network = Network()
    with pytest.raises(OSError, match="another folder with TMPDIR"):
        estimate(network, encode(surface(200, 330)))
    assert not network.views


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("sides", [(64, 64), (200, 100)], ids=["one view", "windows"])
def test_a_view_that_gives_no_depth_is_refused(sides):
    image = np.zeros((*sides, 3), np.uint8)
    wrong = {
        r"depth of \(\d+, \d+\); received": lambda image, size: np.zeros((size[0], size[1] - 1)),
        "must give finite depth": lambda image, size: np.full(size, np.nan),
    }
    for said, view in wrong.items():
        with pytest.raises(ValueError, match=said):
            estimate_scene(view, image, window_pixels=64)


def test_a_disk_that_fills_up_is_an_error(monkeypatch):
    with Path("/dev/full").open("w+b", buffering=0) as full:
        monkeypatch.setattr(scene, "_scratch", lambda _: full)
        with pytest.raises(OSError, match="No space left"):
            estimate(Network(), encode(surface(200, 330)))
