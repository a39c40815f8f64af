"""Files whose pixels are not what they seem, as a camera, a GIS or a bad disk leaves them."""

import re
import struct
from contextlib import nullcontext, suppress
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from rdepth_keras.data.folder.files import (
    decode_depth,
    decode_image,
    decode_mask,
    peek_depth,
    peek_image,
    peek_mask,
)
from rdepth_keras.data.folder.headers import tiff_tags
from rdepth_keras.data.folder.oddities import no_data, refuse_odd
from rdepth_keras.labels import ClassTable

TABLE = ClassTable(("ground", "roof"), (0, 1), ((1, 1, 1), (2, 2, 2)))
SIZE = (24, 24)  # square: no size tells that one is turned
RGB = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
DEPTH = np.random.default_rng(1).random(SIZE, np.float32)
ORIENTATION = 274


def tags(values):
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in values.items():
        directory[tag] = value
        if isinstance(value, str):
            directory.tagtype[tag] = 2
    return directory


def refused(match, path, *looks):
    """Header and pixels are refused in the same words."""
    said = set()
    for look, *arguments in looks:
        with pytest.raises(ValueError, match=match) as caught:
            look(path, *arguments)
        said.add(str(caught.value))
    assert len(said) == 1
    assert str(path) in said.pop()


@pytest.mark.parametrize(("orientation", "name"), [(3, "a.jpg"), (6, "a.jpg"), (6, "a.png")])
def test_a_turned_photograph_is_refused(orientation, name, tmp_path):
    exif = Pillow.Exif()
    exif[ORIENTATION] = orientation
    path = tmp_path / name
    Pillow.fromarray(RGB).save(path, exif=exif)
    refused("turned or mirrored.*auto-orient", path, (decode_image,), (peek_image,))
    exif[ORIENTATION] = 1
    Pillow.fromarray(RGB).save(path, exif=exif)
    assert decode_image(path).shape == (*SIZE, 3)
    assert peek_image(path) == SIZE


def test_a_transparent_colour_is_refused(tmp_path):
    path = tmp_path / "a.png"
    Pillow.fromarray(RGB).save(path, transparency=(1, 2, 3))
    refused("one of its colours is transparent", path, (decode_image,), (peek_image,))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animated_picture_is_refused(kind):
    frames = [Pillow.fromarray(RGB), Pillow.fromarray(RGB[::-1])]
    for count, expected in (
        (1, nullcontext()),
        (2, pytest.raises(ValueError, match="it is animated, a single picture is expected")),
    ):
        file = BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:count])
        with expected:
            refuse_odd(file)


def test_a_turned_tiff_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    Pillow.fromarray(RGB[..., 0] % 2).save(path, tiffinfo=tags({ORIENTATION: 3}))
    refused("turned or mirrored", path, (decode_mask, SIZE, TABLE), (peek_mask, SIZE, TABLE))


@pytest.mark.parametrize(("name", "mode"), [("a.jpg", "CMYK"), ("a.tif", "CMYK"), ("a.tif", "LAB")])
def test_other_colours_are_refused(name, mode, tmp_path):
    path = tmp_path / name
    image = Pillow.fromarray(RGB)
    image = image.convert("CMYK") if mode == "CMYK" else Pillow.frombytes(mode, SIZE, RGB.tobytes())
    image.save(path)
    refused(f"colours are {mode}".replace("LAB", "Lab"), path, (decode_image,), (peek_image,))


@pytest.mark.parametrize("place", [1, 300, -40])
def test_damage_inside_a_deflated_tiff_is_found(place, tmp_path):
    """OpenCV only warns, and hands out what it could unpack."""
    path = tmp_path / "a.tif"
    Pillow.fromarray(RGB).save(path, compression="tiff_deflate")
    data = bytearray(path.read_bytes())
    np.testing.assert_array_equal(decode_image(path), RGB)
    with path.open("rb") as file:
        found = tiff_tags(file)
    data[found[273][0] + place % found[279][0]] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.tif: damaged TIFF"):
        decode_image(path)


@pytest.mark.parametrize("packing", ["tiff_lzw", "packbits"])
@pytest.mark.parametrize("filler", [0, 255])
def test_damage_to_other_packed_pixels_is_told(packing, filler, tmp_path):
    path = tmp_path / "a.tif"
    label = np.repeat(np.repeat(RGB[:, :, 0] % 2, 8, 0), 8, 1) + np.uint8(1)
    Pillow.fromarray(label).save(path, compression=packing)
    table = ClassTable(("ground", "roof"), (1, 2), ((1, 1, 1), (2, 2, 2)))
    np.testing.assert_array_equal(decode_mask(path, None, table), label - 1)
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        found = tiff_tags(file)
    start, length = found[273][0], found[279][0]
    data[start + length // 3 : start + length // 2] = bytes([filler]) * (length // 2 - length // 3)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.tif: damaged TIFF.*COMPRESS=DEFLATE"):
        decode_mask(path, None, table)


def test_reversed_grey_and_a_second_band_are_refused(tmp_path):
    """Else classes change places, and a band of transparency is dropped without a word."""
    path = tmp_path / "a.tif"
    looks = [(decode_depth, SIZE), (peek_depth, SIZE)]
    looks += [(decode_mask, SIZE, TABLE), (peek_mask, SIZE, TABLE)]
    Pillow.fromarray(RGB[:, :, 0]).save(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(struct.pack("<HHI", 262, 3, 1)) + 8, 0)
    path.write_bytes(data)
    refused("reversed .0 is white.", path, *looks)
    Pillow.fromarray(RGB).convert("LA").save(path)
    refused("it has 2 bands of grey", path, *looks)
    Pillow.fromarray(RGB).save(path, tiffinfo=tags({262: 1}))
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(struct.pack("<HHI", 262, 3, 1)) + 8, 1)
    path.write_bytes(data)
    refused("it has 3 bands of grey.*PHOTOMETRIC=RGB", path, *looks, (decode_image,))


def test_a_tiff_whose_packing_changes_values_is_no_mask(tmp_path):
    path = tmp_path / "a.tif"
    looks = [(decode_mask, SIZE, TABLE), (peek_mask, SIZE, TABLE)]
    Pillow.fromarray(RGB[..., 0] % 2).save(path, compression="jpeg")
    refused("JPEG can change values; a mask must be PNG, or TIFF packed without loss", path, *looks)
    peek_depth(path, SIZE)
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(struct.pack("<HHI", 259, 3, 1)) + 8, 34712)
    path.write_bytes(data)
    refused("JPEG 2000 can change values", path, *looks)


def test_a_big_tiff_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    Pillow.fromarray(RGB).save(path, big_tiff=True)
    refused("a BigTIFF, .*gdal_translate -co BIGTIFF=NO", path, (decode_image,), (peek_image,))


def test_several_pages_are_refused_but_not_smaller_copies(tmp_path):
    path, others = tmp_path / "a.tif", [Pillow.fromarray(RGB[::2, ::2])]
    Pillow.fromarray(RGB).save(path, save_all=True, append_images=others)
    refused("several pages, one is expected", path, (decode_image,), (peek_image,))
    for kind, expected in (
        (0, pytest.raises(ValueError, match="several pages")),
        (1, nullcontext()),
        (4, pytest.raises(ValueError, match="a mask inside it")),
        (5, pytest.raises(ValueError, match="a mask inside it")),
    ):
        # Bits of a value alone; the next one follows.
        first = struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 258, 3, 1, 8, 0, 26)
        second = struct.pack("<HHHIHHI", 1, 254, 3, 1, kind, 0, 0)
        with expected:
            refuse_odd(BytesIO(first + second))


def test_values_that_are_no_whole_bytes_are_refused(tmp_path):
    """OpenCV makes 255 of a single bit, and a mask of two classes would lose one."""
    path = tmp_path / "a.tif"
    Pillow.fromarray(RGB[..., 0] > 99).save(path)
    looks = [(decode_mask, SIZE, TABLE), (peek_mask, SIZE, TABLE), (peek_depth, SIZE)]
    refused(r"1 bit\(s\) each, whole bytes are expected: .*NBITS=8", path, *looks)


def test_floats_of_16_bits_are_refused(tmp_path):
    """OpenCV does not read them, and they are not damaged."""
    path = tmp_path / "a.tif"
    Pillow.fromarray(DEPTH.astype(np.float16).view(np.uint16)).save(path, tiffinfo=tags({339: 3}))
    looks = [(decode_depth, SIZE), (peek_depth, SIZE)]
    refused(r"its values are floats of 16 bits, .*-ot Float32 IN OUT", path, *looks)


def test_a_sparse_tiff_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    Pillow.fromarray(DEPTH).save(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(struct.pack("<HHI", 273, 4, 1)) + 8, 0)
    path.write_bytes(data)
    refused("a sparse TIFF, some of its blocks", path, (decode_depth, SIZE), (peek_depth, SIZE))


def test_a_class_that_is_marked_as_no_data_is_refused(tmp_path):
    path, mask = tmp_path / "a.tif", RGB[..., 0] % 2
    for value, problem in (("1", True), ("7", False)):
        Pillow.fromarray(mask).save(path, tiffinfo=tags({42113: value}))
        if problem:
            refused(
                "pixels of 1 hold no data, and they are a class", path, (decode_mask, SIZE, TABLE)
            )
        else:
            decode_mask(path, SIZE, TABLE)


@pytest.mark.parametrize("kind", ["TIFF", "WebP"])
def test_a_picture_turned_by_xmp_is_refused(kind, tmp_path):
    path, xmp = tmp_path / "a.tif", b'<x tiff:Orientation="8"/>'
    if kind == "TIFF":
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory[700], directory.tagtype[700] = xmp, 1
        Pillow.fromarray(RGB).save(path, tiffinfo=directory)
    else:
        Pillow.fromarray(RGB).save(path, "WebP", xmp=xmp)
    with path.open("rb") as file, pytest.raises(ValueError, match="turned or mirrored"):
        refuse_odd(file)


@pytest.mark.parametrize("text", ["hexadecimal", "xmp", "packed xmp"])
def test_a_png_turned_by_a_text_is_refused(text, tmp_path):
    """As ImageMagick and Adobe's programs write it."""
    path, info = tmp_path / "a.png", PngInfo()
    exif = Pillow.Exif()
    for orientation, problem in ((6, True), (1, False)):
        exif[ORIENTATION] = orientation
        if "xmp" in text:
            packed = text.startswith("packed")
            told = f'<x tiff:Orientation="{orientation}"/>'
            info.add_itxt("XML:com.adobe.xmp", told, zip=packed)
        else:
            content = exif.tobytes()
            info = PngInfo()
            info.add_text(
                "Raw profile type exif", f"\nexif\n{len(content):8}\n{content.hex()}\n", zip=True
            )
        Pillow.fromarray(RGB).save(path, pnginfo=info)
        if problem:
            refused("turned or mirrored", path, (decode_image,), (peek_image,))
            info = PngInfo()
        else:
            decode_image(path)


def test_pixels_without_data_are_no_depth(tmp_path):
    path = tmp_path / "a.tif"
    gap = DEPTH.copy()
    gap[:3] = -9999
    Pillow.fromarray(gap).save(path, tiffinfo=tags({42113: "-9999"}))
    refused("-9999.*no data.*fillnodata", path, (decode_depth, SIZE), (peek_depth, SIZE))
    Pillow.fromarray(DEPTH).save(path, tiffinfo=tags({42113: "-9999"}))
    peek_depth(path, SIZE)
    assert decode_depth(path, SIZE).max() == 1
    with path.open("rb") as file:
        assert no_data(file) == -9999


@pytest.mark.parametrize("kind", [1, 2, 7])
def test_a_mark_of_any_type_is_read(kind, tmp_path):
    """Else depth is stretched from -9999, or a picture turned, without a word."""
    path, looks = tmp_path / "a.tif", [(decode_depth, SIZE), (peek_depth, SIZE)]
    turned = b'<x tiff:Orientation="6"/>'
    gap = DEPTH.copy()
    gap[:3] = -9999
    for tag, text, match in ((42113, b"-9999", "no data"), (700, turned, "turned or mirrored")):
        directory = TiffImagePlugin.ImageFileDirectory_v2()
        directory[tag] = text.decode() if kind == 2 else text
        directory.tagtype[tag] = kind
        Pillow.fromarray(gap).save(path, tiffinfo=directory)
        refused(match, path, *looks)


def test_a_turn_of_a_signed_number_is_read(tmp_path):
    path = tmp_path / "a.tif"
    Pillow.fromarray(RGB).save(path, tiffinfo=tags({ORIENTATION: 3}))
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.index(struct.pack("<HHI", 274, 3, 1)) + 2, 8)
    path.write_bytes(data)
    refused("turned or mirrored", path, (decode_image,), (peek_image,))


def test_a_tag_that_nobody_reads_hides_no_turn(tmp_path):
    """Editors that rewrite a photograph leave some that point beyond its end."""
    path = tmp_path / "a.tif"
    values = tags({ORIENTATION: 6})
    values[37500], values.tagtype[37500] = b"maker's note", 7
    Pillow.fromarray(RGB).save(path, tiffinfo=values)
    data = bytearray(path.read_bytes())
    entry = data.index(struct.pack("<HHI", 37500, 7, 12))
    struct.pack_into("<I", data, entry + 8, 10 * len(data))
    path.write_bytes(data)
    refused("turned or mirrored", path, (peek_image,))


@pytest.mark.parametrize("mark", ["-9999,5", "-9999 0"])
def test_a_mark_that_is_no_number_is_refused(mark, tmp_path):
    path = tmp_path / "a.tif"
    Pillow.fromarray(DEPTH).save(path, tiffinfo=tags({42113: mark}))
    refused("no number", path, (decode_depth, SIZE), (peek_depth, SIZE))


def test_a_mark_in_the_file_beside_counts_as_well(tmp_path):
    """GDAL writes a PNG's there."""
    path, beside = tmp_path / "a.png", tmp_path / "a.png.aux.xml"
    Pillow.fromarray((DEPTH * 200).astype("u1") + 1).save(path)
    looks = [(decode_depth, SIZE), (peek_depth, SIZE)]
    layout = "<PAMDataset><PAMRasterBand band='1'>{}</PAMRasterBand></PAMDataset>"
    for mark in ("", "<NoDataValue>0</NoDataValue>"):
        beside.write_text(layout.format(mark))
        for look, size in looks:
            look(path, size)
    beside.write_text(layout.format(f"<NoDataValue>{int(DEPTH[0, 0] * 200) + 1}</NoDataValue>"))
    refused("no data.*fillnodata", path, *looks)
    looks.append((decode_mask, SIZE, ClassTable(("all",), (1,), ((0, 0, 0),), range(2, 256))))
    for text, match in (
        ("<PAM", "line 1"),
        (layout.format("<NoDataValue>nought</NoDataValue>"), "'nought', is no number"),
        (layout.format("<Scale>-1</Scale>"), "its scale is negative"),
    ):
        beside.write_text(text)
        refused(rf"a\.png\.aux\.xml: .*{match}.*mend or delete it", path, *looks)


@pytest.mark.parametrize(("scale", "good"), [("-1", False), ("0.5", True)])
def test_depth_that_counts_downwards_is_refused(scale, good, tmp_path):
    path = tmp_path / "a.tif"
    item = f'<GDALMetadata><Item name="SCALE" sample="0" role="scale">{scale}</Item></GDALMetadata>'
    Pillow.fromarray(DEPTH).save(path, tiffinfo=tags({42112: item}))
    looks = [(decode_depth, SIZE), (peek_depth, SIZE)]
    if good:
        assert decode_depth(path, SIZE).max() == 1
    else:
        refused("its scale is negative", path, *looks)


@pytest.mark.parametrize(
    ("names", "good"),
    [
        (("Red", "Green", "Blue"), True),
        (("B4 (red)", "B3 (green)", "B2 (blue)"), True),
        (("a", "b", "c"), True),
        (("Blue", "Green", "Red"), False),
        (("Filtered 1", "Filtered 2", "Filtered 3"), True),
        (("NIR", "Red", "Green"), True),  # false colours may be meant
        (("B2 (blue)", "B3 (green)", "B4 (red)"), False),
    ],
)
def test_bands_that_are_described_as_other_colours_are_refused(names, good, tmp_path):
    path = tmp_path / "a.tif"
    items = "".join(
        f'<Item name="DESCRIPTION" sample="{band}" role="description">{name}</Item>'
        for band, name in enumerate(names)
    )
    item = f"<GDALMetadata>{items}</GDALMetadata>"
    Pillow.fromarray(RGB).save(path, tiffinfo=tags({42112: item}))
    if good:
        np.testing.assert_array_equal(decode_image(path), RGB)
    else:
        said = f"described as {re.escape(', '.join(names))}; red, green, blue is expected: .*-b RED"
        refused(said, path, (decode_image,), (peek_image,))


def test_every_cut_and_mutation_is_left_to_the_decoder(tmp_path, mutations):
    """ValueError or nothing, whatever is in the file."""
    path, rng = tmp_path / "a.jpg", np.random.default_rng(0)
    exif = Pillow.Exif()
    exif[ORIENTATION] = 1
    Pillow.fromarray(RGB).save(path, exif=exif)
    Pillow.fromarray(DEPTH).save(tmp_path / "a.tif", compression="tiff_deflate")
    for name in ("a.jpg", "a.tif"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(mutations):
            data = bytearray(whole[: rng.integers(4, len(whole) + 1)])
            data[rng.integers(len(data))] = rng.integers(256)
            with suppress(ValueError):
                no_data(BytesIO(data))
            with suppress(ValueError):
                refuse_odd(BytesIO(data), unpack=True)
