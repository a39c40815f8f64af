"""One file at a time: what is read, and that a look at the header says the same."""

import zlib

import cv2
import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.files import (
    decode_depth,
    decode_image,
    decode_mask,
    has_gaps,
    peek_depth,
    peek_image,
    peek_mask,
)
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.labels import ClassTable

TABLE = ClassTable(("ground", "roof"), (0, 10), ((1, 1, 1), (2, 2, 2)), (99,))
SIZE = (9, 14)
RGB = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
GREY = RGB[..., 0]


@pytest.fixture
def put(tmp_path):
    """Writes pixels, RGB first, under a suffix; returns the path."""

    def put(pixels, suffix=".png"):
        path = tmp_path / f"a{suffix}"
        assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
        return path

    return put


def both(decode, peek, *arguments):
    """The two messages, which must be one."""
    with pytest.raises(ValueError, match="a") as decoded:
        decode(*arguments)
    with pytest.raises(ValueError, match="a") as peeked:
        peek(*arguments)
    assert str(decoded.value) == str(peeked.value)
    return str(decoded.value)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF"])
def test_what_is_written_is_read(put, suffix):
    np.testing.assert_array_equal(decode_image(put(RGB, suffix)), RGB)
    assert peek_image(put(RGB, suffix)) == SIZE
    mask = np.where(GREY > 99, 10, 99).astype(np.uint8)
    label = decode_mask(put(mask, suffix), SIZE, TABLE)
    np.testing.assert_array_equal(label, np.where(GREY > 99, 1, 255))
    peek_mask(put(mask, suffix), SIZE, TABLE)
    np.testing.assert_array_equal(decode_depth(put(GREY, suffix), SIZE), normalise(GREY))
    peek_depth(put(GREY, suffix), SIZE)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_header_says_what_the_pixels_say(put, suffix):
    deep = RGB.astype(np.uint16)
    assert "uint16 with 3; stretch" in both(decode_image, peek_image, put(deep, suffix))
    assert "uint8 with 1; repeat" in both(decode_image, peek_image, put(GREY, suffix))
    assert "8-bit grey" in both(decode_mask, peek_mask, put(RGB, suffix), SIZE, TABLE)
    for decode, peek, extra in ((decode_mask, peek_mask, (TABLE,)), (decode_depth, peek_depth, ())):
        said = both(decode, peek, put(np.zeros(SIZE, np.uint8), suffix), (9, 13), *extra)
        assert "9x14 pixels, but its image has 9x13" in said
    assert "in colour" in both(decode_depth, peek_depth, put(RGB, suffix), SIZE)


def test_without_a_size_none_is_checked(put):
    assert decode_depth(put(GREY), None).shape == (*SIZE, 1)
    peek_mask(put(np.zeros(SIZE, np.uint8)), None, TABLE)


def test_only_pixels_tell_values(put):
    path = put(np.full(SIZE, 3, np.uint8))
    peek_mask(path, SIZE, TABLE)
    with pytest.raises(ValueError, match=r"a.png: The mask holds the values \[3\].*class file"):
        decode_mask(path, SIZE, TABLE)


def test_three_equal_channels_are_a_depth_map(put):
    path = put(np.repeat(GREY[..., None], 3, axis=2))
    peek_depth(path, SIZE)
    np.testing.assert_array_equal(decode_depth(path, SIZE), normalise(GREY))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_mask_of_pixels_without_data_beside_a_file_is_refused(put, suffix):
    """As one inside it is."""
    for pixels, decode, peek, arguments in (
        (RGB, decode_image, peek_image, ()),
        (np.zeros(SIZE, np.uint8), decode_mask, peek_mask, (SIZE, TABLE)),
        (GREY, decode_depth, peek_depth, (SIZE,)),
    ):
        path = put(pixels, suffix)
        beside = path.with_name(f"a{suffix}.msk")
        assert not has_gaps(path)
        beside.write_bytes(b"")
        said = both(decode, peek, path, *arguments)
        assert f"a mask beside it, {beside.name}, says which pixels hold data, and is" in said
        assert "`gdal_translate -mask none IN OUT` leaves it out; or delete it." in said
        assert has_gaps(path)
        beside.unlink()


def test_palettes_and_another_kind_under_the_name(tmp_path, put):
    header = b"\0\0\0\x0dIHDR" + bytes([0, 0, 0, 4, 0, 0, 0, 4, 8, 3, 0, 0, 0])
    crc = zlib.crc32(header[4:]).to_bytes(4, "big")
    end = b"\0\0\0\0IEND\xaeB`\x82"
    path = tmp_path / "a.png"
    path.write_bytes(png.SIGNATURE + header + crc + end)
    assert "8-bit palette" in both(decode_mask, peek_mask, path, SIZE, TABLE)
    path.write_bytes(put(RGB, ".jpg").read_bytes())
    assert "not a PNG file; convert" in both(decode_image, peek_image, path)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_depth_with_exchanged_bytes_is_refused(put, suffix):
    """It would pass as a map of many values; what is as rough either way is none of that."""
    rows, columns = np.mgrid[:40, :60]
    smooth = (400 * rows + 300 * columns).astype(np.uint16)
    with pytest.raises(ValueError, match=r"a\.\w+: 16-bit values of which the bytes are exchanged"):
        decode_depth(put(smooth.byteswap(), suffix), None)
    noise = np.random.default_rng(0).integers(0, 65536, smooth.shape, np.uint16)
    coarse = (smooth // 300 * 257).astype(np.uint16)
    for depth in (
        smooth,
        noise,
        coarse,
        smooth // 300,
        smooth // 300 * 256,
        smooth[:15].byteswap(),
    ):
        np.testing.assert_array_equal(decode_depth(put(depth, suffix), None), normalise(depth))
