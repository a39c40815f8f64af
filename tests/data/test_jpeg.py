"""JPEG: OpenCV's pixels where a file is whole, an error where it is not."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from rdepth_keras.data import jpeg

RGB = cv2.resize(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8), (96, 72))


def encoded(pixels, **options):
    file = BytesIO()
    Pillow.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_pixels_are_opencvs(progressive, subsampling):
    data = encoded(RGB, progressive=progressive, subsampling=subsampling)
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(jpeg.decode(data), expected[..., ::-1])


def test_grey_has_no_channels():
    data = encoded(RGB[..., 0])
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(jpeg.decode(data), expected)
    assert jpeg.decode(data).shape == RGB.shape[:2]


@pytest.mark.parametrize("progressive", [False, True])
def test_damage_is_an_error(progressive, capfd):
    """OpenCV and Pillow fill up what is missing."""
    data = encoded(RGB, progressive=progressive)
    half = len(data) // 2
    broken = [data[:half], data[:half] + b"\xff\xd9", data[:half] + bytes(60) + data[half + 60 :]]
    for one in broken:
        with pytest.raises(ValueError, match="damaged or truncated JPEG"):
            jpeg.decode(one)
    assert capfd.readouterr() == ("", ""), "no lines of the decoder's own"


def test_what_is_no_jpeg_is_an_error():
    for data in (b"", b"P6 1 1 255 abc", b"\xff\xd8"):
        with pytest.raises(ValueError, match="JPEG"):
            jpeg.decode(data)
