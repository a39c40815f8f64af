"""Files of one tile whose coordinates disagree: refused, and nothing is said where one has none."""

import re
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rdepth_keras.data.folder.coordinates import (
    footprint,
    has_coordinates,
    pixel_metres,
    refuse_elsewhere,
)

SIZE = (40, 60)
LEFT, TOP = 500000.0, 5300000.0
AREA, POINT = 1, 2


def written(path, tags, raster=None):
    """A TIFF with numbers of eight bytes in its tags, and what its coordinates are those of."""
    directory = ImageFileDirectory_v2()
    for tag, values in tags.items():
        directory[tag], directory.tagtype[tag] = values, 12
    if raster:
        directory[34735], directory.tagtype[34735] = (1, 1, 0, 1, 1025, 0, 1, raster), 3
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(path, tiffinfo=directory)
    return path


def scaled(pixel, left, top, column=0.0, row=0.0):
    return {33550: (pixel, pixel, 0.0), 33922: (column, row, 0.0, left, top, 0.0)}


def matrix(right, down, left, top, turned=0.0):
    return {34264: (right, turned, 0.0, left, turned, down, 0.0, top, *[0.0] * 7, 1.0)}


@pytest.mark.parametrize(
    ("tags", "raster", "pixels"),
    [
        (scaled(0.5, LEFT, TOP), AREA, None),
        (scaled(0.5, LEFT + 0.2, TOP - 0.2), AREA, None),
        (scaled(0.5, LEFT + 5, TOP - 10, 10.0, 20.0), AREA, None),
        (matrix(0.5, -0.5, LEFT, TOP), None, None),
        (scaled(0.5, LEFT + 0.25, TOP - 0.25), POINT, None),
        (scaled(0.5, LEFT, TOP), POINT, None),  # the usual mix of conventions
        ({}, AREA, None),
        ({33550: (0.5, 0.5, 0.0)}, AREA, None),
        (scaled(0.0, LEFT, TOP), AREA, None),
        (scaled(0.5, float("nan"), TOP), AREA, None),
        (scaled(0.5, LEFT + 20, TOP), AREA, "40"),
        (scaled(0.5, LEFT, TOP + 0.3), AREA, "0.6"),
        (scaled(0.55, LEFT, TOP), AREA, "6"),
        (matrix(0.5, 0.5, LEFT, TOP), None, "80"),
        (matrix(0.5, -0.5, LEFT, TOP, 0.05), None, "6"),
        (scaled(1e300, 1e300, -1e300), AREA, r"\S+"),
    ],
)
def test_what_lies_elsewhere_or_has_other_pixels_is_refused(tmp_path, tags, raster, pixels):
    image = written(tmp_path / "image.tif", scaled(0.5, LEFT, TOP), AREA)
    mask = written(tmp_path / "mask.tif", tags, raster)
    said = rf"mask\.tif: .* up to {pixels} pixels away .*image\.tif.*gdalwarp.*-unsetgt FILE"
    with pytest.raises(ValueError, match=said) if pixels else nullcontext():
        refuse_elsewhere(mask, image, SIZE)


def test_files_that_are_no_geotiff_have_no_place(tmp_path):
    image = written(tmp_path / "image.tif", scaled(0.5, LEFT, TOP), AREA)
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "mask.png")
    (tmp_path / "cut.tif").write_bytes(image.read_bytes()[:60])
    for name in ("mask.png", "cut.tif"):
        refuse_elsewhere(tmp_path / name, image, SIZE)
        refuse_elsewhere(image, tmp_path / name, SIZE)
        assert not has_coordinates(tmp_path / name)
    assert has_coordinates(image)


@pytest.mark.parametrize("kind", ["aux.xml", "pgw", "pngw", "wld", "PGW"])
def test_a_file_beside_a_png_says_where_it_lies(kind, tmp_path):
    image = written(tmp_path / "image.tif", scaled(0.5, LEFT, TOP), AREA)
    mask = tmp_path / "mask.png"
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(mask)
    for shift in (0.0, 20.0):
        if kind == "aux.xml":
            text = f"<GeoTransform> {LEFT + shift}, 0.5, 0, {TOP}, 0, -0.5</GeoTransform>"
            (tmp_path / "mask.png.aux.xml").write_text(f"<PAMDataset>{text}</PAMDataset>")
        else:
            lines = 0.5, 0.0, 0.0, -0.5, LEFT + 0.25 + shift, TOP - 0.25
            mask.with_suffix(f".{kind}").write_text("\n".join(map(str, lines)) + "\n")
        said = r"mask\.png: .* up to 40 pixels away"
        with pytest.raises(ValueError, match=said) if shift else nullcontext():
            refuse_elsewhere(mask, image, SIZE)
    assert has_coordinates(mask)
    assert footprint(mask, SIZE) == (LEFT + 20, TOP - 20, LEFT + 50, TOP)


def test_files_beside_that_hold_no_place_say_nothing(tmp_path):
    mask = tmp_path / "mask.png"
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(mask)
    for name, text in {"mask.png.aux.xml": "<PAMDataset/>", "mask.wld": "0 0 0 0 0 0"}.items():
        (tmp_path / name).write_text(text)
        assert not has_coordinates(mask) and footprint(mask, SIZE) is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mask.pgw", "0,5 0 0 -0,5 500000,25 4000000,25", "'0,5'; six numbers with decimal points"),
        ("mask.pngw", "1 0 0 -1 5", "it holds 5 numbers, six are expected"),
        ("mask.wld", "", "it holds 0 numbers, six are expected"),
        ("mask.png.aux.xml", "<P><GeoTransform>1, 2</GeoTransform></P>", "it holds 2 numbers, six"),
        ("mask.png.aux.xml", "<P><GeoTransform></GeoTransform></P>", "''; six numbers with"),
        ("mask.png.aux.xml", "<PAM", "mend or delete it"),
    ],
)
def test_places_in_words_that_are_no_numbers_are_refused(tmp_path, name, text, said):
    """Passed over, they would switch the check of places off."""
    image = written(tmp_path / "image.tif", scaled(0.5, LEFT, TOP), AREA)
    mask = tmp_path / "mask.png"
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(mask)
    (tmp_path / name).write_text(text)
    for pair in ((mask, image), (image, mask)):
        with pytest.raises(ValueError, match=rf"/{re.escape(name)}: .*{said}"):
            refuse_elsewhere(*pair, SIZE)
    with pytest.raises(ValueError, match="mend or delete it"):
        footprint(mask, SIZE)
    assert has_coordinates(mask)


def keyed(path, pixel, left, top, *keys):
    """A GeoTIFF with keys beside its place: pairs of name and value."""
    directory = ImageFileDirectory_v2()
    for tag, values in scaled(pixel, left, top).items():
        directory[tag], directory.tagtype[tag] = values, 12
    if keys:
        entries = [number for name, value in keys for number in (name, 0, 1, value)]
        directory[34735], directory.tagtype[34735] = (1, 1, 0, len(keys), *entries), 3
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(path, tiffinfo=directory)
    return path


DEGREE = 111_319.49  # metres, at the equator


@pytest.mark.parametrize(
    ("pixel", "left", "top", "keys", "metres"),
    [
        (0.5, LEFT, TOP, [(1024, 1), (3072, 32632)], 0.5),
        (0.5, LEFT, TOP, [], 0.5),
        (1.0, LEFT, TOP, [(1024, 1), (3072, 2263), (3076, 9003)], 0.3048006),
        (1.0, LEFT, TOP, [(1024, 1), (3076, 9002)], 0.3048),
        (1e-5, 9.0, 60.0, [(1024, 2), (2048, 4326)], 1e-5 * DEGREE * 0.5**0.5),
        (1e-5, 9.0, -60.0, [(2048, 4326)], 1e-5 * DEGREE * 0.5**0.5),
        (1e-5, 9.0, 0.0, [], 1e-5 * DEGREE),
        (0.5, 9.0, 48.0, [], 0.5),  # metres from a corner of one's own
        (1.0, 1e6, 8_399_737.89, [(1024, 1), (3072, 3857)], 0.5),  # 60 degrees north
        (1.0, 1e6, 0.0, [(3072, 3857)], 1.0),
    ],
)
def test_a_pixel_in_metres_on_the_ground(tmp_path, pixel, left, top, keys, metres):
    path = keyed(tmp_path / "a.tif", pixel, left, top, *keys)
    assert pixel_metres(path) == pytest.approx(metres, rel=1e-6)


def test_without_a_place_nobody_knows_how_large_a_pixel_is(tmp_path):
    Pillow.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "a.png")
    assert pixel_metres(tmp_path / "a.png") is None
    (tmp_path / "a.pgw").write_text("0.25 0 0 -0.25 5e5 5e6")
    assert pixel_metres(tmp_path / "a.png") == 0.25
