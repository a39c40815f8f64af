"""Masks, mixed and hidden images, by their properties and in plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt.mixing import BLANK, class_masks, hide, paste
from rdepth_keras.models.layers.basic import DEPTH_MEAN, DEPTH_STD, Normalise

CLASSES = 7


def labels(seed=0):
    """Three images of 1, 2 and 5 classes, with ignored pixels."""
    rng = np.random.default_rng(seed)
    label = np.stack(
        [rng.choice(kinds, (8, 8)) for kinds in ([3], [0, 6], [1, 2, 3, 4, 5])]
    ).astype(np.uint8)
    label[:, 0] = 255
    return label


def draws(label, count, **options):
    """(count, B, H, W) masks of as many keys."""
    keys = jax.random.split(jax.random.key(0), count)
    found = jax.vmap(lambda key: class_masks(jnp.asarray(label), key, CLASSES, **options))(keys)
    return np.asarray(found)


@pytest.mark.parametrize("seed", range(5))
def test_half_of_each_images_classes_rounded_up(seed):
    label = labels()
    mask = np.asarray(class_masks(jnp.asarray(label), jax.random.key(seed), CLASSES))
    assert mask.dtype == bool and not mask[label == 255].any()
    for own, pasted, count in zip(label, mask, (1, 1, 3), strict=True):
        taken = set(own[pasted].tolist())
        assert len(taken) == count
        np.testing.assert_array_equal(pasted, np.isin(own, list(taken)))


def test_the_released_masks_draw_among_all_classes_and_the_ignored():
    """Eight kinds in the batch, seven classes and ignore: four of them for each image."""
    label = labels()
    drawn = draws(label, 40, as_released=True)
    for mask in drawn:
        for own, pasted in zip(label, mask, strict=True):
            taken = set(own[pasted].tolist())
            np.testing.assert_array_equal(pasted, np.isin(own, list(taken)))
    assert any(mask[label == 255].any() for mask in drawn)
    assert any(not mask[0].any() for mask in drawn), "none of the four is on the first image"
    assert 0.4 < np.mean([mask[1:].mean() for mask in drawn]) < 0.6


def test_every_class_has_its_turn():
    shares = draws(labels(), 60).mean(0)
    for value in (1, 2, 3, 4, 5):
        assert shares[2][labels()[2] == value].mean() == pytest.approx(0.6, abs=0.2)


def test_all_inputs_are_pasted_alike():
    mask = jnp.asarray(np.eye(4, dtype=bool)[None])
    ours = {"image": np.full((1, 4, 4, 3), 200, np.uint8), "depth": np.ones((1, 4, 4, 1), "f4")}
    theirs = {"image": np.zeros((1, 4, 4, 3), np.uint8), "depth": np.zeros((1, 4, 4, 1), "f4")}
    mixed = paste(mask, ours, theirs, ["image", "depth"])
    np.testing.assert_array_equal(mixed["image"][0, ..., 1], 200 * np.eye(4))
    np.testing.assert_array_equal(mixed["depth"][0, ..., 0], np.eye(4))
    kept = paste(mask, ours, theirs, ["image", "depth"], depth=False)
    np.testing.assert_array_equal(kept["image"], mixed["image"])
    np.testing.assert_array_equal(kept["depth"], theirs["depth"])


def test_hidden_blocks_are_nothing_to_the_network():
    rng = np.random.default_rng(0)
    inputs = {
        "image": rng.integers(0, 255, (2, 20, 12, 3), np.uint8),
        "depth": rng.random((2, 20, 12, 1), np.float32),
    }
    found = hide(inputs, jax.random.key(1), inputs, share=0.5, block_pixels=8)
    holes = (np.asarray(found["image"]) == np.float32(BLANK["image"])).all(-1)
    np.testing.assert_array_equal(
        holes, np.asarray(found["depth"])[..., 0] == np.float32(BLANK["depth"])
    )
    for name, values in inputs.items():
        np.testing.assert_array_equal(np.asarray(found[name])[~holes], values[~holes])
    blocks = holes[:, :16, :8].reshape(2, 2, 8, 1, 8)
    assert (blocks.all((2, 4)) | ~blocks.any((2, 4))).all() and 0 < holes.mean() < 1
    seen = Normalise(DEPTH_MEAN, DEPTH_STD, channels=1)(jnp.full((1, 1, 1, 1), BLANK["depth"][0]))
    assert abs(np.asarray(seen).mean()) < 1e-2


@pytest.mark.parametrize(("share", "hidden"), [(0.0, 0.0), (1.0, 1.0)])
def test_none_or_all(share, hidden):
    image = np.zeros((1, 6, 6, 3), np.float32)
    found = hide({"image": image}, jax.random.key(0), ["image"], share=share, block_pixels=4)
    assert (np.asarray(found["image"]) != 0).mean() == hidden


def test_blocks_that_hide_all_or_nothing_are_refused():
    image = np.zeros((1, 6, 8, 3), np.float32)
    with pytest.raises(ValueError, match="6 pixels hide all or nothing of 6 x 8: lower --method"):
        hide({"image": image}, jax.random.key(0), ["image"], share=0.5, block_pixels=6)
