"""Pictures and depth maps from files: as they are, or refused; never half of one."""

from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.files import decode_depth
from rdepth_keras.data.loveda.raw import read_depth as read_tile_depth
from rdepth_keras.data.loveda.tree import Source, TileFiles
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.predict.picture import check_output, read_depth, read_image, write_png

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
    write_png(tmp_path / "a.png", IMAGE)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), IMAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_depth_map_is_stretched(tmp_path, reader):
    path = tmp_path / "a.png"
    path.write_bytes(png.encode(DEPTH))
    np.testing.assert_array_equal(reader(path), normalise(DEPTH))
    path.write_bytes(png.encode(IMAGE[..., :1].repeat(3, 2)))  # grey, in three channels
    np.testing.assert_array_equal(reader(path), normalise(IMAGE[..., 0]))


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
    [(IMAGE, "8- or 16-bit grey"), (DEPTH[:-1], "12x9 pixels, but its image has 13x9")],
)
def test_a_map_that_does_not_fit(tmp_path, pixels, said):
    (tmp_path / "a.png").write_bytes(png.encode(pixels))
    with pytest.raises(ValueError, match=said):
        read_depth(tmp_path / "a.png", *SIZE)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.jpg: not a picture of a known format"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_image(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes(png.encode(DEPTH))
    with pytest.raises(ValueError, match=r"1 channel\(s\) of 16 bits"):
        read_image(tmp_path / "b.png")
    with pytest.raises(ValueError, match="written as PNG"):
        write_png(tmp_path / "c.tif", IMAGE)


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
    for attempt in (check_output, lambda path: write_png(path, IMAGE)):
        with pytest.raises(error, match=said):
            attempt(tmp_path / name)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match="nothing may be written into"):
        check_output(tmp_path / "a.png")
