"""What headers say is what decoders find, for every kind of file and every place of a cut."""

import struct

import cv2
import numpy as np
import pytest

from rdepth_keras.data.folder.files import decode_depth, peek_depth
from rdepth_keras.data.folder.headers import Form, form_of, read_form

SIZE = (20, 33)


def array(bands, dtype):
    rng = np.random.default_rng(bands)
    shape = SIZE if bands == 1 else (*SIZE, bands)
    return (rng.random(shape) * 255).astype(dtype)


@pytest.mark.parametrize(
    ("suffix", "bands", "dtype"),
    [
        *((".png", bands, dtype) for bands in (1, 3) for dtype in ("uint8", "uint16")),
        *((".jpg", bands, "uint8") for bands in (1, 3)),
        *((".tif", bands, dtype) for bands in (1, 3, 4) for dtype in ("uint8", "uint16")),
        *((".TIFF", 1, dtype) for dtype in ("float32", "float64")),
    ],
)
def test_the_form_is_that_of_the_pixels(tmp_path, suffix, bands, dtype):
    pixels = array(bands, dtype)
    path = tmp_path / f"a{suffix}"
    assert cv2.imwrite(str(path), pixels)
    assert read_form(path) == form_of(pixels) == Form(*SIZE, bands, dtype)


def test_every_cut_is_found(tmp_path):
    for suffix in (".png", ".jpg", ".tif"):
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), array(1, "uint8"))
        whole = path.read_bytes()
        peek_depth(path, SIZE)
        for length in range(0, len(whole), 7):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match=r"a\.(png|jpg|tif): .*(trunc|no |not a|empty)"):
                peek_depth(path, SIZE)


def tiff(order, tags, tail=b""):
    """A TIFF whose directory comes first, as GDAL writes it; ``tags``: tag -> (type, number)."""
    kinds = {3: "HH", 4: "I"}
    start = struct.pack(f"{order}4sI", b"II*\0" if order == "<" else b"MM\0*", 8)
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, 1)
        + struct.pack(f"{order}{kinds[kind]}", *((value, 0) if kind == 3 else (value,)))
        for tag, (kind, value) in sorted(tags.items())
    )
    return start + struct.pack(f"{order}H", len(tags)) + entries + struct.pack("<I", 0) + tail


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_directory_before_the_pixels(tmp_path, order):
    """A cut then takes pixels alone, and the directory still looks whole."""
    numbers = {256: 5, 257: 4, 258: 8, 259: 1, 262: 1, 277: 1, 278: 4}
    place = 8 + 2 + 12 * (len(numbers) + 2) + 4
    tags = {tag: (3, number) for tag, number in numbers.items()} | {273: (4, place), 279: (4, 20)}
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(order, tags, bytes(range(20))))
    assert read_form(path) == Form(4, 5, 1, "uint8")
    assert decode_depth(path, (4, 5)).max() == 1
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="stops before its pixels end"):
        read_form(path)
    # White is zero: decoders do not agree about what comes out.
    path.write_bytes(tiff(order, tags | {262: (3, 0)}, bytes(range(20))))
    assert read_form(path) is None
    with pytest.raises(ValueError, match="reversed"):
        peek_depth(path, (4, 5))


def attempt(path):
    try:
        return read_form(path)
    except ValueError as error:
        return str(error)


def test_damaged_headers_end_in_one_line(tmp_path, mutations):
    """Seeded changes anywhere: a form, None or ValueError; never another error, nor a long wait."""
    for suffix in (".png", ".jpg", ".tif"):
        path = tmp_path / f"a{suffix}"
        cv2.imwrite(str(path), array(3, "uint8"))
        whole = path.read_bytes()
        for seed in range(mutations):
            random = np.random.default_rng(seed)
            mutant = bytearray(whole)
            edge = len(whole) if suffix == ".tif" else 200
            places = random.integers(-edge, edge, 4) if seed % 2 else random.integers(0, edge, 2)
            for place in places:
                mutant[place % len(whole)] = random.integers(256)
            path.write_bytes(mutant)
            found = attempt(path)
            assert found is None or isinstance(found, Form) or "\n" not in found
