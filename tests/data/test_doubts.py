"""Pictures and depth maps that can hardly be ones are told, each by its own words."""

import cv2
import numpy as np
import pytest

from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.data.doubts import (
    DEPTH_DOUBTS,
    PICTURE_DOUBTS,
    doubt_depth,
    doubt_mask,
    doubt_picture,
    tell_doubts,
)
from rdepth_keras.depth.normalise import normalise

TILES = DemoTiles("urban", "train", count=8, size=128)
TILE, OTHER = TILES[1], TILES[2]["image"]
IMAGE, DEPTH, LABEL = TILE["image"], TILE["depth"], TILE["label"]


def filled(value, rows=56):
    image = IMAGE.copy()
    image[:rows] = value
    return image


def enlarged(array, times):
    return array[::times, ::times].repeat(times, 0).repeat(times, 1)


PICTURES = {
    "of one colour all over, or of few": np.full_like(IMAGE, (70, 71, 72)),
    "with 44% of black that is not ignored": filled(0),
    "with 44% of white that is not ignored": filled(255),
    "of values at 0 or 255, perhaps cut off": np.where(
        np.arange(3) < 2, 255 * (np.median(IMAGE) < IMAGE), IMAGE
    ),
    "with a channel that holds one value all over": IMAGE * (1, 0, 1) + (0, 9, 0),
    "in the lowest sixth of the range alone": IMAGE // 7,
    "with 44% of exactly one colour": filled((128, 127, 128)),
    "in grey alone": IMAGE[..., :1].repeat(3, -1),
    "of rows or columns of one value all over": np.concatenate(
        [filled((128, 127, 128), 11)[:64], filled((90, 127, 90), 11)[63::-1]]
    ).swapaxes(0, 1),
    "of blocks of equal pixels": enlarged(IMAGE, 2),
    "of values beside others at the far end of the range": IMAGE.astype(int) * 2 % 256,
    "as rough as noise": np.random.default_rng(0).integers(0, 256, IMAGE.shape),
    "of channels that show different things": np.concatenate([OTHER[..., :1], IMAGE[..., 1:]], -1),
    "with 25% of rows or columns that mirror others": np.pad(
        IMAGE[:, :96], ((0, 0), (0, 32), (0, 0)), mode="reflect"
    ),
    "of parts that are there twice": np.concatenate([IMAGE[:, :64], IMAGE[:, :64]], 1),
}
DEPTHS = {
    "equal to the picture's own colours or brightness": normalise(IMAGE.mean(-1)),
    "at one end of the range and nothing near it": np.where(
        np.arange(128) < 8, 0, 0.4 + 0.6 * DEPTH[..., 0]
    )[..., None].astype(np.float32),
    "with 43% of rows or columns of one value all over": np.concatenate(
        [np.full_like(DEPTH[:56], 0.5), DEPTH[:72]]
    ),
    "of blocks of equal pixels": enlarged(DEPTH, 16),
    "at the far end of the range": normalise((DEPTH[..., 0] * 400).astype(int).astype(np.uint8)),
    "as rough as noise": normalise((DEPTH[..., 0] * 65535).astype(int).astype(np.uint8)),
}


@pytest.mark.parametrize("domain", ["urban", "rural"])
def test_nothing_is_told_of_good_tiles(domain):
    """Among them one with a black border that its mask ignores."""
    tiles = [DemoTiles(domain, "train", count=16, size=96)[place] for place in range(16)]
    assert any((tile["label"] == 255).any() for tile in tiles)
    assert not any(doubt_picture(tile["image"], tile["label"]) for tile in tiles)
    assert not any(doubt_depth(tile["depth"], tile["image"]) for tile in tiles)


@pytest.mark.parametrize("words", PICTURES)
def test_pictures(words):
    doubt = doubt_picture(PICTURES[words].astype(np.uint8))
    assert doubt is not None and words in str(doubt)


@pytest.mark.parametrize("words", DEPTHS)
def test_depth_maps(words):
    doubt = doubt_depth(DEPTHS[words], IMAGE)
    assert doubt is not None and words in str(doubt)


def test_masks_of_noise_and_such_packed_with_loss():
    rng = np.random.default_rng(0)
    assert not any(doubt_mask(TILES[place]["label"]) for place in range(8))
    noisy = np.where(rng.random(LABEL.shape) < 0.1, rng.integers(0, 7, LABEL.shape), LABEL)
    assert "single pixels unlike all around" in str(doubt_mask(noisy.astype(np.uint8)))
    _, packed = cv2.imencode(".jpg", LABEL * np.uint8(36), [cv2.IMWRITE_JPEG_QUALITY, 60])
    lossy = np.rint(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE) / 36).clip(0, 6).astype(np.uint8)
    assert doubt_mask(lossy) is not None


def test_every_doubt_is_tried():
    for doubts, tried in ((PICTURE_DOUBTS, PICTURES), (DEPTH_DOUBTS, DEPTHS)):
        found = [any(each in doubt.words.format(share="44%") for each in tried) for doubt in doubts]
        assert sum(found) >= len(doubts) - 1 and len(tried) == len(doubts)


@pytest.mark.parametrize("width", [0.01, 1, 3])
@pytest.mark.parametrize("weights", [(-1, -1, -1), (1, 0, 0), (0.3, 0.6, 0.1)])
def test_a_map_of_the_picture_s_own_values_is_no_depth(weights, width):
    """Its negative, a band of it, or its brightness, smoothed perhaps."""
    values = cv2.GaussianBlur(IMAGE, (0, 0), width) @ np.array(weights)
    assert "brightness" in str(doubt_depth(normalise(values), IMAGE))


@pytest.mark.parametrize("mode", ["reflect", "symmetric"])
@pytest.mark.parametrize("pad", [((0, 0), (0, 32)), ((20, 0), (0, 0)), ((0, 0), (8, 8))])
def test_what_is_filled_up_by_a_mirror(pad, mode):
    cut = IMAGE[pad[0][0] : 128 - pad[0][1], pad[1][0] : 128 - pad[1][1]]
    image = np.pad(cut, (*pad, (0, 0)), mode=mode)
    assert "mirror others" in str(doubt_picture(image))
    ignored = np.pad(np.zeros(cut.shape[:2], np.uint8), pad, constant_values=255)
    assert doubt_picture(image, ignored) is None


def test_lines_that_a_scanner_left_out():
    y, x = np.indices((128, 128))
    gaps = ((y + x // 4) % 16 < 2)[..., None]
    assert "of exactly one colour" in str(doubt_picture(np.where(gaps, 0, IMAGE).astype(np.uint8)))


def test_snow_is_no_border():
    """White pixels here and there, and not in areas."""
    snow = np.where(np.random.default_rng(0).random((128, 128, 1)) < 0.15, 255, IMAGE)
    assert "white" not in str(doubt_picture(snow.astype(np.uint8)))


@pytest.mark.parametrize("value", [0, 255, (128, 127, 128)])
def test_what_a_label_ignores_may_hold_anything(value):
    label = LABEL.copy()
    label[:56] = 255
    assert doubt_picture(filled(value), label) is None
    label[50:] = 255
    label[:] = 255
    assert doubt_picture(filled(value), label) is None


def test_contrast_is_no_overflow():
    strong = ((IMAGE.astype(float) - 128) * 1.8 + 128).clip(1, 254).astype(np.uint8)
    assert "overflow" not in str(doubt_picture(strong))


def test_small_and_smooth_ones_pass():
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    assert doubt_picture(noise) is None
    ramp = normalise(np.add.outer(np.arange(64), 3 * np.arange(80)))
    assert doubt_depth(ramp, cv2.resize(IMAGE, (80, 64))) is None
    assert doubt_depth(np.zeros_like(DEPTH), IMAGE) is None, "flat maps are told elsewhere"


def test_the_most_of_one_is_told():
    found = {"a": doubt_picture(filled(0, 20)), "b": None, "c": doubt_picture(filled(0, 64))}
    (line,) = tell_doubts("pictures", found)
    assert line.startswith("pictures with up to 50% of black") and line.endswith("2 of 3: a, c")
    assert tell_doubts("pictures", {"b": None}) == []


def test_masks_of_outlines():
    kernel = np.ones((3, 3), np.uint8)
    edges = cv2.dilate(LABEL, kernel) != cv2.erode(LABEL, kernel)
    drawn = np.where(edges, LABEL, 0).astype(np.uint8)
    assert "of outlines" in str(doubt_mask(drawn))
