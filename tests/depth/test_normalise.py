import numpy as np
import pytest

from rdepth_keras.depth.normalise import (
    LEVELS,
    dequantise,
    flat_notice,
    holds_few_values,
    is_flat,
    normalise,
    quantise,
)


def test_values_by_hand():
    stored = quantise(np.array([[-2.0, 0.0], [2.0, 6.0]], np.float32))
    np.testing.assert_array_equal(stored.values, [[0, 16384], [32768, 65535]])
    assert (stored.minimum, stored.maximum) == (-2.0, 6.0)


def test_a_constant_map_is_zero():
    stored = quantise(np.full((3, 4), 7.5, np.float32))
    assert not stored.values.any()
    assert (stored.minimum, stored.maximum) == (7.5, 7.5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_ready_made_maps_are_stretched_and_lose_nothing(dtype):
    depth = np.arange(20, 220, dtype=dtype).reshape(10, 20)
    stored = quantise(depth)
    assert (stored.values.min(), stored.values.max()) == (0, LEVELS)
    assert (stored.minimum, stored.maximum) == (20, 219)
    back = dequantise(stored.values)[..., 0] * (219 - 20) + 20
    np.testing.assert_array_equal(np.rint(back), depth)


def test_full_range_16_bit_map_is_stored_as_it_is():
    depth = np.array([[0, 1, 2], [12345, 65534, 65535]], np.uint16)
    np.testing.assert_array_equal(quantise(depth).values, depth)


def test_prediction_sees_what_training_reads_back():
    depth = np.random.default_rng(0).normal(30, 4, (17, 23)).astype(np.float32)
    seen = normalise(depth)
    assert seen.shape == (17, 23, 1)
    assert seen.dtype == np.float32
    assert (seen.min(), seen.max()) == (0, 1)
    np.testing.assert_array_equal(seen, dequantise(quantise(depth).values))
    exact = (depth - depth.min()) / (depth.max() - depth.min())
    np.testing.assert_allclose(seen[..., 0], exact, atol=0.51 / LEVELS)


def test_an_affine_change_of_the_source_changes_nothing():
    depth = np.random.default_rng(1).uniform(0, 9, (8, 8))
    np.testing.assert_allclose(normalise(depth * 12 - 5), normalise(depth), atol=1.01 / LEVELS)


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (np.zeros((2, 2, 1)), "height, width"),
        (np.zeros((0, 4)), "height, width"),
        (np.array([[0.0, np.nan]]), "finite"),
        (np.array([[0.0, np.inf]]), "finite"),
        (np.ma.masked_less(np.array([[-9999.0, 3.0]]), 0), "masked array. Fill it"),
        (np.array([[0, 1j]]), "real numbers; received complex128"),
    ],
)
def test_refuses(depth, message):
    with pytest.raises(ValueError, match=message):
        quantise(depth)


def test_dequantise_refuses_other_types():
    with pytest.raises(ValueError, match="uint16"):
        dequantise(np.zeros((2, 2), np.uint8))


def test_flat_maps_and_what_is_said_of_them():
    assert is_flat(np.zeros((2, 3, 1), np.float32)) and is_flat(np.full((2, 2), 7, np.uint8))
    mask = np.tile(np.arange(16, dtype=np.uint8), (9, 1))
    assert is_flat(mask) and is_flat(mask.T) and not is_flat(np.zeros((0, 3)))
    mask[8, 15] = 16
    assert not is_flat(mask)
    assert "WARNING: 1 depth map is flat" in flat_notice(["a.png"])
    assert "2 depth maps are flat" in flat_notice(["a.png", "b.png"])
    assert flat_notice(["a.png", "b.png"]).count("a.png, b.png") == 1
    assert "9 depth maps are" in (said := flat_notice(list("abcdefghi"))) and "h and 1 more" in said


@pytest.mark.parametrize("share", [0.0, 0.01, 0.08])
@pytest.mark.parametrize("extreme", [-9999.0, 40000.0])
def test_depth_that_a_few_extremes_have_all_of_is_flat(share, extreme):
    """Metres beside an unmarked value for no data: stretched, next to nothing is left of them."""
    depth = np.random.default_rng(0).uniform(0, 30, (64, 48)).astype(np.float32)
    depth[np.random.default_rng(1).random(depth.shape) < share] = extreme
    assert is_flat(depth) == bool(share) == is_flat(normalise(depth))
    assert not holds_few_values(depth)
    ramp = np.add.outer(np.arange(64.0), np.arange(48.0))
    assert not is_flat(ramp)


def test_a_mask_that_hides_nothing_changes_nothing():
    depth = np.arange(12.0).reshape(3, 4)
    found = normalise(np.ma.MaskedArray(depth, mask=False))
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, normalise(depth))
