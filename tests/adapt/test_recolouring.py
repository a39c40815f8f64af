"""Colours against Python's own HSV, the blur against a matrix of its weights."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt.recolouring import RADIUS, Recolouring, blur, recolour


def images(count=3, seed=0):
    found = np.random.default_rng(seed).integers(0, 256, (count, 12, 10, 3)).astype(np.float32)
    found[0, 0] = 77  # greys
    found[0, 1] = 0
    return found


def plain(image, brightness, contrast, saturation, hue):
    image = np.clip(np.clip(image / 255 + brightness, 0, 1) * (1 + contrast), 0, 1)
    pixels = []
    for pixel in image.reshape(-1, 3):
        own_hue, own_saturation, value = colorsys.rgb_to_hsv(*pixel.tolist())
        vivid = min(own_saturation * (1 + saturation), 1)
        pixels.append(colorsys.hsv_to_rgb((own_hue + hue) % 1, vivid, value))
    return 255 * np.reshape(pixels, image.shape)


@pytest.mark.parametrize("axis", [*range(4), None])
def test_colours_are_those_of_hsv(axis):
    """Each change alone, and all at once."""
    changes = np.array([[0.1, -0.2, 0], [0.2, 0.1, 0], [0.2, -0.2, 0], [-0.15, 0.2, 0]])
    if axis is not None:
        changes = np.where(np.arange(4)[:, None] == axis, changes, 0)
    found = recolour(jnp.asarray(images()), jnp.asarray(changes, jnp.float32))
    for image, new, own in zip(images(), found, changes.T, strict=True):
        np.testing.assert_allclose(new, plain(image, *own), atol=2e-2)
    np.testing.assert_allclose(found[2], images()[2], atol=1e-3, err_msg="no change")


def test_the_blur_is_a_gaussian_with_mirrored_borders():
    image, deviations = images(2)[..., :1], np.array([0.4, 1.15])
    found = np.asarray(blur(jnp.asarray(image), jnp.asarray(deviations)))
    for own, new, deviation in zip(image, found, deviations, strict=True):
        weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / deviation) ** 2)
        padded = np.pad(own[..., 0], RADIUS, mode="reflect")
        kernel = np.outer(weights, weights) / weights.sum() ** 2
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
        np.testing.assert_allclose(new[..., 0], (windows * kernel).sum((2, 3)), rtol=1e-4)


def test_each_image_draws_for_itself():
    image = np.repeat(images(1), 64, 0)
    found = np.asarray(Recolouring(probability=0.5, blur_probability=0)(image, jax.random.key(0)))
    kept = np.isclose(found, image, atol=1e-2).all((1, 2, 3))
    assert 0.3 < kept.mean() < 0.7
    assert found.min() >= 0 and found.max() <= 255
    assert len(np.unique(found[~kept].sum((1, 2, 3)))) == (~kept).sum()


def test_hue_has_a_width_of_its_own():
    """Brightness and the like keep which channel of a colour is largest, hue does not."""
    image = np.full((64, 2, 2, 3), (200, 60, 60), np.float32)

    def largest(hue):
        change = Recolouring(hue=hue, probability=1.0, blur_probability=0.0)
        return set(np.asarray(change(image, jax.random.key(0)))[:, 0, 0].argmax(-1).tolist())

    assert largest(0.02) == {0} and largest(0.5) == {0, 1, 2}


def test_nothing_due_is_nothing_done():
    image = images().astype(np.uint8)
    found = Recolouring(probability=0.0, blur_probability=0.0)(image, jax.random.key(0))
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, image)


@pytest.mark.parametrize("name", ["change", "hue", "probability", "blur_probability"])
def test_settings_out_of_range(name):
    with pytest.raises(ValueError, match=f"{name} must be from 0 to 1; received 1.5"):
        Recolouring(**{name: 1.5})
