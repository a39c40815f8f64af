"""Pictures and depth maps from files: as they are, or refused; never half of one."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rdepth_keras.data import png
from rdepth_keras.data.folder.files import decode_depth
from rdepth_keras.data.loveda.raw import read_depth as read_tile_depth
from rdepth_keras.data.loveda.tree import Source, TileFiles
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.labels import LOVEDA, ClassTable
from rdepth_keras.predict.picture import (
    check_inputs,
    check_output,
    check_outputs,
    meaning,
    notices,
    read_depth,
    read_image,
    shared_depths,
    write_map,
)

SIZE = (13, 9)
DEPTH = np.random.default_rng(0).integers(0, 65536, SIZE, np.uint16)
IMAGE = np.random.default_rng(1).integers(0, 256, (*SIZE, 3), np.uint8)


def read_tile(path):
    source = Source(path)
    tile = TileFiles(1, "train", "urban", image=source, mask=None, depth=source)
    return normalise(read_tile_depth(tile, SIZE))


READERS = {
    "picture": lambda path: read_depth(path, *SIZE),
    "folder": lambda path: decode_depth(path, SIZE),
    "LoveDA": read_tile,
}


def test_an_image_comes_back(tmp_path):
    write_map(tmp_path / "a.png", IMAGE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), IMAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_depth_map_is_stretched(tmp_path, reader):
    path = tmp_path / "a.png"
    path.write_bytes(png.encode(DEPTH))
    np.testing.assert_array_equal(reader(path), normalise(DEPTH))
    path.write_bytes(png.encode(IMAGE[..., :1].repeat(3, 2)))  # grey, in three channels
    np.testing.assert_array_equal(reader(path), normalise(IMAGE[..., 0]))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_a_map_of_any_real_values_is_stretched_as_a_folder_s(tmp_path, dtype):
    path, depth = tmp_path / "a.tif", (IMAGE[..., 0].astype("int16") - 99).astype(dtype)
    for name in ("picture", "folder"):
        assert cv2.imwrite(str(path), depth)
        np.testing.assert_array_equal(READERS[name](path), normalise(depth))
        if dtype != "int16":
            cv2.imwrite(str(path), np.where(depth == depth[0, 0], np.nan, depth))
            with pytest.raises(ValueError, match=r"a\.tif: .* holds NaN or infinity"):
                READERS[name](path)


def attempt(reader, path):
    """Why the map is refused, or what it holds."""
    try:
        return "", reader(path)
    except ValueError as error:
        return str(error), None


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_mutated_depth_maps_are_refused(tmp_path, mutations, reader):
    """Seeded changes of bytes, cuts and insertions: one line that names the file, or the same."""
    path, data = tmp_path / "map.png", png.encode(DEPTH)
    refused = 0
    for seed in range(mutations):
        rng = np.random.default_rng(seed)
        mutant, place = bytearray(data), int(rng.integers(len(data)))
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            mutant[position] ^= 1 << rng.integers(8)
        path.write_bytes((mutant, data[:place], data[:place] + b"\0" + data[place:])[seed % 3])
        reason, depth = attempt(reader, path)
        refused += depth is None
        assert (depth is None) == ("map.png" in reason) and "\n" not in reason
        assert depth is None or np.array_equal(depth, normalise(DEPTH))
    assert refused > 0.9 * mutations


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (IMAGE, "must be grey; this one is in colour"),
        (DEPTH[:-1], "12x9 pixels, but its image has 13x9"),
    ],
)
def test_a_map_that_does_not_fit(tmp_path, pixels, said):
    (tmp_path / "a.png").write_bytes(png.encode(pixels))
    with pytest.raises(ValueError, match=said):
        read_depth(tmp_path / "a.png", *SIZE)


def test_all_that_does_not_fit_is_named_before_any_work(tmp_path):
    """Truncated, of other kinds, of other sizes: each file, in one line."""
    whole, other = png.encode(IMAGE), png.encode(DEPTH[:-1])
    contents = {
        "good.png": whole, "cut.png": whole[:-9], "no.jpg": b"no picture", "grey.png": other,
        "depth.png": png.encode(DEPTH), "short.png": other, "rgb.png": whole,
    }  # fmt: skip
    place = {name: tmp_path / name for name in contents}
    for name, content in contents.items():
        place[name].write_bytes(content)
    check_inputs([(place["good.png"], place["depth.png"]), (place["good.png"], None)])
    world = place["good.png"].with_suffix(".pgw")
    world.write_text("0,5 0 0 -0,5 1 1")
    with pytest.raises(ValueError, match=r"good\.pgw: .* six numbers with decimal points"):
        check_inputs([(place["good.png"], None)])
    world.unlink()
    with pytest.raises(ValueError, match=r"cut\.png: truncated") as error:
        check_inputs(
            [
                *((place[name], None) for name in ("cut.png", "no.jpg", "grey.png")),
                *((place["good.png"], place[name]) for name in ("short.png", "rgb.png")),
                (tmp_path / "nowhere.png", None),
            ]
        )
    said = str(error.value)
    for expected in (
        *("no.jpg: not a picture", "grey.png: an 8-bit RGB", "nowhere.png: no such file"),
        *("short.png: 12x9 pixels, but its image has 13x9", "rgb.png: a depth map must be grey"),
    ):
        assert expected in said
    assert "\n" not in said and "good.png" not in said


def test_a_picture_is_no_depth_map_of_its_own(tmp_path):
    """A grey one in three channels would pass for one."""
    path = tmp_path / "a.png"
    path.write_bytes(png.encode(np.repeat(IMAGE[..., :1], 3, 2)))
    with pytest.raises(ValueError, match="is the picture itself, and no depth map"):
        check_inputs([(path, path)])


def test_coordinates_are_told_and_tags_are_no_noise(tmp_path, capfd):
    tags = ImageFileDirectory_v2()
    tags[34735], tags.tagtype[34735] = (1, 1, 0, 1, 1024, 0, 1, 1), 3
    tags[33550], tags.tagtype[33550] = (1.0, 1.0, 0.0), 12
    place = {name: tmp_path / name for name in ("geo.tif", "plain.tif", "plain.png")}
    Pillow.fromarray(IMAGE).save(place["geo.tif"], tiffinfo=tags)
    for name in ("plain.tif", "plain.png"):
        Pillow.fromarray(IMAGE).save(place[name])
    for path in place.values():
        np.testing.assert_array_equal(read_image(path), IMAGE)
    assert capfd.readouterr() == ("", "")
    assert notices(place.values()) == [
        "The maps are PNG files without the coordinates of geo.tif; pixels lie on pixels."
    ]
    assert notices([place["plain.tif"], place["plain.png"]]) == []


def test_a_depth_map_that_lies_elsewhere_is_refused_before_any_work(tmp_path):
    place = {}
    for name, pixels, left in (("a", IMAGE, 0.0), ("b", DEPTH, 0.0), ("c", DEPTH, 9.0)):
        tags = ImageFileDirectory_v2()
        tags[33550], tags.tagtype[33550] = (1.0, 1.0, 0.0), 12
        tags[33922], tags.tagtype[33922] = (0.0, 0.0, 0.0, left, 0.0, 0.0), 12
        place[name] = tmp_path / f"{name}.tif"
        Pillow.fromarray(pixels).save(place[name], tiffinfo=tags)
    check_inputs([(place["a"], place["b"])])
    with pytest.raises(ValueError, match=r"c\.tif: by its coordinates it lies up to 9 pixels away"):
        check_inputs([(place["a"], place["c"])])


def test_what_maps_hold_is_told_where_masks_hold_another_thing():
    colors = ((1, 1, 1), (2, 2, 2))
    said = (
        "(0 ground, 1 roof), not what the masks hold: as they are, they are no masks to train on."
    )
    plain = ClassTable(("ground", "roof"), (0, 1), colors, (255,))
    assert meaning(plain) == []
    for table in (replace(plain, values=(1, 0)), replace(plain, ignored_colors=())):
        (line,) = meaning(table)
        assert line.endswith(said)
    assert "and 3 more)" in meaning(LOVEDA)[0]


def gap_tags():
    tags = ImageFileDirectory_v2()
    tags[42113], tags.tagtype[42113] = "7", 2
    return tags


def test_pixels_without_data_are_refused_of_a_map_and_told_of_a_picture(tmp_path):
    path, depth = tmp_path / "a.tif", np.maximum(DEPTH, 8)
    Pillow.fromarray(depth).save(path, tiffinfo=gap_tags())
    np.testing.assert_array_equal(read_depth(path, *SIZE), normalise(depth))
    depth[0, 0] = 7
    Pillow.fromarray(depth).save(path, tiffinfo=gap_tags())
    with pytest.raises(ValueError, match=r"a\.tif: .* pixels of 7, .* no data"):
        read_depth(path, *SIZE)
    Pillow.fromarray(IMAGE).save(path, tiffinfo=gap_tags())
    (said,) = notices([path])
    assert said.startswith("Pixels without data, such as a.tif may hold, are given classes")


def test_a_mask_beside_a_file_counts_as_pixels_without_data(tmp_path):
    image, depth = tmp_path / "a.png", tmp_path / "b.png"
    for path, pixels in ((image, IMAGE), (depth, DEPTH)):
        path.write_bytes(png.encode(pixels))
        (tmp_path / f"{path.name}.msk").write_bytes(b"")
    check_inputs([(image, None)])
    assert notices([image])[0].startswith("Pixels without data, such as a.png may hold")
    with pytest.raises(ValueError, match=r"b\.png: a mask beside it, b\.png\.msk, says which"):
        check_inputs([(image, depth)])


def test_a_big_tiff_is_refused(tmp_path):
    """None of its tags would be looked at, nor any damage seen."""
    path = tmp_path / "a.tif"
    Pillow.fromarray(IMAGE).save(path, big_tiff=True)
    for look in (read_image, lambda path: check_inputs([(path, None)])):
        with pytest.raises(ValueError, match=r"a\.tif: a BigTIFF.*gdal_translate -co BIGTIFF=NO"):
            look(path)


@pytest.mark.parametrize("kind", ["TIFF", "BMP"])
def test_a_picture_too_large_for_opencv_is_told(tmp_path, kind):
    path = tmp_path / "a.bin"
    Pillow.new("L", (2**20 + 1, 1)).save(path, kind)
    with pytest.raises(ValueError, match=r"a\.bin: too large for OpenCV .*; cut it into parts"):
        check_inputs([(path, None)])


@pytest.mark.parametrize("kind", ["GIF", "PPM", "JPEG2000"])
def test_other_kinds_are_refused(tmp_path, kind):
    """Of several pictures OpenCV shows the first, and dark what has a range of its own."""
    path = tmp_path / "a.bin"
    Pillow.new("RGB", (8, 8)).save(path, kind)
    with pytest.raises(ValueError, match=r"a\.bin: not a picture: PNG, JPEG, TIFF, WebP or BMP"):
        read_image(path)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.jpg: not a picture: PNG, JPEG, TIFF, WebP or BMP"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "b.png")
    for look in (lambda: read_image(tmp_path), lambda: read_depth(tmp_path, *SIZE)):
        with pytest.raises(IsADirectoryError, match="is a folder; name one file in it"):
            look()
    (tmp_path / "b.png").write_bytes(png.encode(DEPTH))
    with pytest.raises(ValueError, match=r"1 channel\(s\) of 16 bits"):
        read_image(tmp_path / "b.png")
    with pytest.raises(ValueError, match="written as PNG"):
        write_map(tmp_path / "c.tif", IMAGE)


def test_an_output_never_replaces_what_is_read(tmp_path, monkeypatch):
    """Not the picture, nor its depth map, under whatever name."""
    image, depth = tmp_path / "rgb.png", tmp_path / "depth.png"
    for path in (image, depth):
        path.write_bytes(png.encode(IMAGE))
    (tmp_path / "soft.png").symlink_to(image)
    (tmp_path / "hard.png").hardlink_to(depth)
    (tmp_path / "folder").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("rgb.png", "depth.png", "soft.png", "hard.png", "folder/rgb.png", "./rgb.png"):
        for path in (tmp_path / name, Path(name)):
            with pytest.raises(ValueError, match=r"is the file that is read .* another name"):
                check_output(path, [image, depth])
    for name in ("new.png", "old.PNG", "folder/classes.png"):
        check_output(tmp_path / name, [image, depth])
    assert image.read_bytes() == png.encode(IMAGE) and not (tmp_path / "new.png").exists()


def test_files_are_replaced_only_where_that_is_asked_for(tmp_path):
    """As the labels are, where the folder of masks is named for the maps."""
    masks = [tmp_path / f"{number}.png" for number in range(6)]
    for path in masks[1:]:
        path.write_bytes(png.encode(np.zeros(SIZE, np.uint8)))
    with pytest.raises(
        FileExistsError, match=r"1\.png, .*4\.png and 1 more would be .*--overwrite"
    ):
        check_outputs(masks, [], overwrite=False)
    check_outputs(masks, [], overwrite=True)
    check_outputs(masks[:1], [], overwrite=False)
    with pytest.raises(ValueError, match="is the file that is read"):
        check_outputs(masks, [masks[3]], overwrite=True)


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("a.jpg", ValueError, r"written as PNG.*a\.jpg"),
        ("a", ValueError, "written as PNG"),
        ("nowhere/a.png", FileNotFoundError, "Create it first"),
        ("file.txt/a.png", FileNotFoundError, "Create it first"),
        ("folder.png", IsADirectoryError, "name the file"),
    ],
)
def test_an_output_that_cannot_be_written(tmp_path, name, error, said):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").write_text("text")
    for attempt in (check_output, lambda path: write_map(path, IMAGE)):
        with pytest.raises(error, match=said):
            attempt(tmp_path / name)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="nothing may be written into"):
        check_output(tmp_path / "a.png")


def test_a_turned_or_animated_map_is_refused_as_a_picture_is(tmp_path):
    exif, grey = Pillow.Exif(), Pillow.fromarray(DEPTH.astype(np.uint8))
    exif[274] = 6
    grey.save(tmp_path / "turned.png", exif=exif)
    grey.save(tmp_path / "animated.png", save_all=True, append_images=[grey.transpose(0)])
    grey.save(tmp_path / "turned.tif", exif=exif)
    Pillow.fromarray(IMAGE).save(tmp_path / "image.png")
    for name, said in (
        *(("turned.png", "turned or mirrored"), ("turned.tif", "turned or mirrored")),
        ("animated.png", "it is animated, a single picture is expected"),
    ):
        path = tmp_path / name
        for look in (
            lambda path=path: read_depth(path, *SIZE),
            lambda path=path: check_inputs([(tmp_path / "image.png", path)]),
        ):
            with pytest.raises(ValueError, match=rf"{name}: .*{said}"):
                look()


def test_a_cut_bitmap_is_told_once(tmp_path, capfd):
    Pillow.fromarray(IMAGE).save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), IMAGE)
    data = (tmp_path / "a.bmp").read_bytes()
    for length in (len(data) - 1, len(data) // 2, 30):
        (tmp_path / "a.bmp").write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"a\.bmp: not a picture"):
            read_image(tmp_path / "a.bmp")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_a_turned_picture_is_refused_before_any_work(tmp_path, name):
    exif = Pillow.Exif()
    exif[274] = 6
    path = tmp_path / name
    Pillow.fromarray(IMAGE).save(path, exif=exif)
    with pytest.raises(ValueError, match="turned or mirrored"):
        check_inputs([(path, None)])
    Pillow.fromarray(IMAGE).save(path)
    check_inputs([(path, None)])


def test_a_map_that_was_made_of_another_picture_is_refused(mapped):
    check_inputs([mapped])
    mapped[0].write_bytes(png.encode(np.zeros((64, 64, 3), np.uint8)))
    with pytest.raises(ValueError, match=r"a\.png: made of another file than .*make it anew"):
        check_inputs([mapped])


def test_a_picture_is_never_replaced_by_a_map(tmp_path):
    """As the second one of a pattern that the shell has spread out."""
    path, map_ = tmp_path / "b.png", np.zeros(SIZE, np.uint8)
    for pixels, said in ((IMAGE, "a picture of 8 bits, RGB"), (DEPTH, "16 bits, grey")):
        path.write_bytes(png.encode(pixels))
        with pytest.raises(FileExistsError, match=rf"b\.png would be lost: .*{said}.*in quotes"):
            check_outputs([path], [], overwrite=True)
    path.write_bytes(b"notes")
    with pytest.raises(FileExistsError, match="no whole PNG"):
        check_outputs([path], [], overwrite=True)
    path.write_bytes(png.encode(map_))
    check_outputs([path], [], overwrite=True)
    path.with_name("b_color.png").write_bytes(png.encode(IMAGE))
    check_outputs([path.with_name("b_color.png")], [], overwrite=True)


def test_one_depth_map_for_different_pictures_is_told(tmp_path):
    pairs = [(tmp_path / f"{name}.png", tmp_path / f"d{name}.png") for name in "abc"]
    for place, (picture, depth) in enumerate(pairs):
        picture.write_bytes(png.encode(IMAGE + np.uint8(place)))
        depth.write_bytes(png.encode(DEPTH + np.uint16(place == 2)))
    (said,) = shared_depths(pairs)
    assert said.startswith("WARNING: 2 pictures have one depth map") and "da.png" in said
    pairs[1][0].write_bytes(pairs[0][0].read_bytes())
    assert shared_depths(pairs) == [] and shared_depths([(pairs[0][0], None)]) == []
