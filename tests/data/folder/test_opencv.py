"""What OpenCV decodes: without a word of its own, and the first picture before smaller copies."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rdepth_keras.data.folder.files import decode_image, peek_image
from rdepth_keras.data.folder.opencv import decode, decode_tiff
from rdepth_keras.predict.picture import read_image

SIZE = (24, 33)
RGB = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def test_tags_that_it_does_not_know_are_no_noise(tmp_path, capfd):
    """Nor in many threads, which a folder is read by."""
    path, tags = tmp_path / "a.tif", ImageFileDirectory_v2()
    tags[33550], tags.tagtype[33550] = (1.0, 1.0, 0.0), 12
    Pillow.fromarray(RGB).save(path, tiffinfo=tags)
    with ThreadPoolExecutor(4) as pool:
        for reader in (decode_image, read_image):
            for pixels in pool.map(reader, [path] * 50):
                np.testing.assert_array_equal(pixels, RGB)
    with pytest.raises(ValueError, match="no TIFF file"):
        decode_tiff(b"text")
    with pytest.raises(ValueError, match="damaged TIFF, or of a kind"):
        decode_tiff(path.read_bytes()[:60])
    assert decode(b"text") is None
    assert capfd.readouterr() == ("", "")


def test_smaller_copies_in_a_file_are_passed_over(tmp_path):
    """As cloud-optimised GeoTIFFs hold them; its header says the same."""
    path, copy = tmp_path / "a.tif", Pillow.fromarray(RGB[::2, ::2])
    copy.encoderinfo = {"tiffinfo": {254: 1}}
    Pillow.fromarray(RGB).save(path, save_all=True, append_images=[copy])
    for reader in (decode_image, read_image):
        np.testing.assert_array_equal(reader(path), RGB)
    assert peek_image(path) == SIZE
