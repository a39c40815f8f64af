import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from rdepth_keras.data import png

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (13, 9), dtype=np.uint8)
RGB = RANDOM.integers(0, 256, (13, 9, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (13, 9), dtype=np.uint16)


@pytest.mark.parametrize("pixels", [GREY, RGB, DEEP], ids=["grey", "rgb", "16-bit"])
def test_round_trip(pixels):
    data = png.encode(pixels)
    np.testing.assert_array_equal(png.decode(data), pixels)
    np.testing.assert_array_equal(png.decode_trusted(data), pixels)


def test_channels_are_red_green_blue():
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 200
    blue_green_red = cv2.imdecode(np.frombuffer(png.encode(red), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(blue_green_red[..., ::-1], red)


@pytest.mark.parametrize(
    "pixels",
    [
        GREY / 1,
        GREY.astype(int),
        GREY > 9,
        GREY[..., None],
        RGB[..., [0, 1, 2, 2]],
        GREY[:0],
        GREY[0],
    ],
)
def test_what_makes_no_png_is_refused(pixels):
    with pytest.raises(ValueError, match=rf"a {pixels.dtype} array of shape .* makes no PNG"):
        png.encode(pixels)


def test_header():
    assert str(png.read_header(png.encode(DEEP))) == "13x9 16-bit grey"


@pytest.mark.parametrize("keep", [0, 5, 8, 20, 33, 60, -13, -12, -5, -1])
def test_every_truncation_is_an_error(keep):
    with pytest.raises(ValueError, match=r"truncated|empty|not a PNG|damaged"):
        png.decode(png.encode(RGB)[:keep])


def test_mutations_never_pass_as_other_pixels(mutations):
    """Seeded changes of bytes: an error, or (in a byte after the end) the same picture."""
    data = png.encode(RGB)
    for seed in range(mutations):
        random = np.random.default_rng(seed)
        mutant = bytearray(data)
        for position in random.integers(0, len(data), random.integers(1, 4)):
            mutant[position] = random.integers(0, 256)
        if bytes(mutant) == data:
            continue
        with pytest.raises(ValueError, match=r"PNG|expected"):
            png.decode(bytes(mutant))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def stream(width: int, height: int, bits: int, colour: int, pixels: bytes, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(pixels))
    return png.SIGNATURE + body + chunk(b"IEND", b"")


def test_too_few_pixels_under_good_checksums():
    with pytest.raises(ValueError, match="cannot be decoded"):
        png.decode(stream(4, 4, 8, 0, bytes(5 * 2)))


def test_a_forged_size_is_refused_before_memory_is_taken():
    with pytest.raises(ValueError, match=r"too large a PNG \(60000x60000; .*cut it into parts"):
        png.decode(stream(60000, 60000, 8, 0, b""))
    with pytest.raises(ValueError, match="header says"):
        png.decode(stream(0, 4, 8, 0, b""))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (stream(4, 4, 8, 3, bytes(20), chunk(b"PLTE", bytes(6))), "palette, .* go by its colours"),
        (stream(8, 4, 1, 0, bytes(8)), "1-bit grey"),
        (stream(4, 4, 8, 6, bytes(68)), "RGBA"),
    ],
)
def test_kinds_that_would_be_misread_are_refused(data, kind):
    with pytest.raises(ValueError, match=kind):
        png.decode(data)


def test_a_description_changes_no_pixel(tmp_path):
    pixels, path = np.arange(48, dtype=np.uint8).reshape(6, 8), tmp_path / "a.png"
    path.write_bytes(png.encode(pixels, "predicted"))
    np.testing.assert_array_equal(png.decode(path.read_bytes()), pixels)
    with Pillow.open(path) as picture:
        assert picture.text == {"Description": "predicted"}
    assert png.is_described(path, "predicted") and not png.is_described(path, "other")
    path.write_bytes(png.encode(pixels))
    assert not png.is_described(path, "predicted")
