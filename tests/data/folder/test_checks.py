"""Every bad file of a folder is found before a step is made, and all of them are named."""

import json
import re
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from rdepth_keras.data import png
from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.data.folder.checks import faults, flat_depths
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.data.folder.fingerprints import oddities
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.folder.oddities import invisible_bands
from rdepth_keras.data.folder.verify import verify_folder
from rdepth_keras.labels import ClassTable

TABLE = ClassTable(("ground", "roof"), (0, 10), ((1, 1, 1), (2, 2, 2)), (99,))
SIZE = (40, 60)
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for name in NAMES:
        files = {
            "images": rng.integers(0, 256, (*SIZE, 3), np.uint8),
            "masks": rng.choice(np.array([0, 10, 99], np.uint8), SIZE),
            "depths": rng.integers(0, 65536, SIZE, np.uint16),
        }
        for kind, pixels in files.items():
            path = tmp_path / "train/town" / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.encode(pixels))
    return tmp_path


def town(root):
    return open_folder(root, TABLE, with_depth=True).tiles("train", "town")


def spoil(path, how):
    data = path.read_bytes()
    middle = len(data) // 2
    if isinstance(how, np.ndarray):
        data = png.encode(how)
    elif how == "cut":
        data = data[:-20]
    else:
        data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    path.write_bytes(data)


HEADERS = {
    "images/a.png": ("cut", "truncated PNG"),
    "images/b.png": (np.zeros((*SIZE, 3), np.uint16), "8-bit with three bands"),
    "masks/a.png": (np.zeros(SIZE, np.uint16), "8-bit grey"),
    "masks/c.png": (np.zeros((40, 59), np.uint8), "40x59 pixels, but its image has 40x60"),
    "depths/d.png": ("cut", "truncated PNG"),
    "depths/c.png": (np.random.default_rng(0).integers(0, 9, (*SIZE, 3), np.uint8), "in colour"),
}
PIXELS = {
    "images/d.png": ("flipped", "checksum"),
    "masks/d.png": (np.full(SIZE, 7, np.uint8), r"holds the values \[7\]"),
}


def test_sound(root):
    assert faults(town(root)) == faults(town(root), pixels=True) == []


@pytest.mark.parametrize("pixels", [False, True])
def test_all_bad_files_are_named(root, pixels):
    bad = HEADERS | (PIXELS if pixels else {})
    for name, (how, _) in (HEADERS | PIXELS).items():
        spoil(root / "train/town" / name, how)
    said = faults(town(root), pixels=pixels)
    assert len(said) == len(bad), said
    for name, (_, expected) in bad.items():
        (line,) = [line for line in said if line.startswith(str(root / "train/town" / name))]
        assert re.search(expected, line) and "\n" not in line


def test_a_mask_in_the_place_of_a_depth_map(root):
    """A copy or a link of it: the labels would be what the network reads."""
    place = root / "train/town"
    (place / "depths/a.png").write_bytes((place / "masks/a.png").read_bytes())
    (said,) = faults(town(root))
    assert said.startswith(f"{place}/depths/a.png: no depth map, but the same as {place}/masks/a")
    (place / "depths/e.png").write_bytes((place / "depths/b.png").read_bytes())
    with pytest.raises(FileNotFoundError, match=r"images lacks, of those in depths, .* e\."):
        town(root)


def test_a_float_map_with_nan(root):
    (root / "train/town/depths/a.png").unlink()
    depth = np.ones(SIZE, np.float32)
    depth[3, 4] = np.nan
    cv2.imwrite(str(root / "train/town/depths/a.tif"), depth)
    assert faults(town(root)) == []
    (line,) = faults(town(root), pixels=True)
    assert "a.tif" in line and "finite" in line


@pytest.mark.parametrize("pixels", [False, True])
def test_flat_maps(root, pixels):
    """All black, grey or RGB, PNG or TIFF, or a mask; a sound map as small is taken for none."""
    depths = root / "train/town/depths"
    spoil(depths / "a.png", np.zeros(SIZE, np.uint8))
    spoil(depths / "b.png", np.zeros((*SIZE, 3), np.uint8))
    (depths / "c.png").unlink()
    cv2.imwrite(str(depths / "c.tif"), np.full(SIZE, 2.5, np.float32))
    steps = np.zeros(SIZE, np.uint8)
    steps[:17] = np.arange(17)[:, None]
    spoil(depths / "d.png", steps)
    tiles = town(root)
    assert flat_depths(tiles, pixels) == [str(depths / f"{n}") for n in ("a.png", "b.png", "c.tif")]
    assert faults(tiles, pixels) == []
    spoil(depths / "d.png", np.minimum(steps, 15))
    assert str(depths / "d.png") in flat_depths(tiles, pixels)


def test_masks_by_colour(root):
    """The class file says so; a colour that it does not list is named, with its file."""
    table = ClassTable(("ground", "roof"), (0, 1), ((1, 1, 1), (2, 2, 2)), (255,), ((0, 0, 0),))
    for name in NAMES:
        path = root / f"train/town/masks/{name}.png"
        mask = np.minimum(png.decode(path.read_bytes())[..., None] // 5, 2).repeat(3, -1)
        spoil(path, mask)
    tiles = open_folder(root, table, with_depth=True).tiles("train", "town")
    assert faults(tiles) == faults(tiles, pixels=True) == []
    drawn = np.where((mask == 0).all(-1, keepdims=True), table.blank, mask)  # of a colour far away
    np.testing.assert_array_equal(table.colorize(tiles[3]["label"]), drawn)
    spoil(path, mask + np.uint8(5))
    assert faults(tiles) == []
    (line,) = faults(tiles, pixels=True)
    assert "d.png: The mask holds the colours [(5, 5, 5), (7, 7, 7)]" in line
    spoil(path, mask[..., 0])
    assert "8-bit RGB, its colours" in faults(tiles)[0]
    assert len(faults(town(root))) == 3, "masks of colours are no masks of values"


def test_foreign_tiles(root):
    with pytest.raises(TypeError, match="no tiles of a folder: list"):
        faults([])


def placed(path, left, size=0.5, zone=None, bands=()):
    """The PNG as a GeoTIFF that lies there, perhaps in a UTM zone, with bands of these names."""
    directory = ImageFileDirectory_v2()
    for tag, values in {33550: (size, size, 0.0), 33922: (0.0, 0.0, 0.0, left, 5e6, 0.0)}.items():
        directory[tag], directory.tagtype[tag] = values, 12
    if zone:
        keys = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32600 + zone)
        directory[34735], directory.tagtype[34735] = keys, 3
    if bands:
        items = (
            f'<Item name="DESCRIPTION" sample="{band}" role="description">{name}</Item>'
            for band, name in enumerate(bands)
        )
        directory[42112], directory.tagtype[42112] = (
            f"<GDALMetadata>{''.join(items)}</GDALMetadata>",
            2,
        )
    Pillow.fromarray(png.decode(path.read_bytes())).save(
        path.with_suffix(".tif"), tiffinfo=directory
    )
    path.unlink()


@pytest.mark.parametrize("pixels", [False, True])
def test_files_of_a_tile_that_lie_elsewhere(root, pixels):
    """Masks and depth maps are named; where the image has no place, nothing is said."""
    place = root / "train/town"
    for name, lefts in {"a": (0, 0, 0), "b": (0, 30, 0), "c": (0, 0, -30), "d": (0, 7, 7)}.items():
        for kind, left in zip(("images", "masks", "depths"), lefts, strict=True):
            if (kind, name) != ("images", "d"):
                placed(place / kind / f"{name}.png", 5e5 + left)
    mask, depth = faults(town(root), pixels)
    assert mask.startswith(f"{place / 'masks/b.tif'}: by its coordinates it lies up to 60 pixels")
    assert depth.startswith(f"{place / 'depths/c.tif'}: by its coordinates it lies up to 60 pixels")


def test_files_that_different_pictures_share_are_told(root):
    """One mask or map copied under all names; not flat maps, nor masks of one class."""
    place, said = root / "train/town", []
    for kind, names in (("masks", "bcd"), ("depths", "d")):
        for name in names:
            shutil.copy(place / kind / "a.png", place / kind / f"{name}.png")
    assert verify_folder(root, TABLE, said.append) == []
    masks, depths = (
        " = ".join(str(place / kind / f"{n}.png") for n in names)
        for kind, names in (("masks", NAMES), ("depths", "ad"))
    )
    assert said[1:] == [
        "WARNING: masks that different pictures share, pixel for pixel, and so can hardly be of "
        f"all of them, 1: {masks}",
        "WARNING: depth maps that different pictures share, pixel for pixel, and so can hardly be "
        f"of all of them, 1: {depths}",
    ]
    for name in NAMES:
        spoil(place / f"masks/{name}.png", np.full(SIZE, 10, np.uint8))
        spoil(place / f"depths/{name}.png", np.full(SIZE, 3, np.uint8))
    said.clear()
    verify_folder(root, TABLE, said.append)
    assert len(said) == 4 and not any("pixel for pixel" in line for line in said)


def test_pictures_and_masks_that_hold_the_same_all_over_are_told(root):
    place, said = root / "train/town", []
    spoil(place / "images/b.png", np.full((*SIZE, 3), (7, 8, 9), np.uint8))
    spoil(place / "masks/c.png", np.full(SIZE, 10, np.uint8))
    (place / "masks/d.png").unlink()
    assert verify_folder(root, TABLE, said.append) == []
    assert said[1:] == [
        f"WARNING: pictures of one colour all over, or of few, 1 of 4: {place / 'images/b.png'}",
        f"WARNING: masks of one class all over, 1 of 3: {place / 'masks/c.png'}",
    ]


def test_a_split_without_depth_where_others_have_it_is_told(root):
    shutil.copytree(root / "train", root / "val")
    said = []
    assert verify_folder(root, TABLE, said.append) == []
    assert not any("without depth maps" in line for line in said)
    shutil.rmtree(root / "val/town/depths")
    assert verify_folder(root, TABLE, said.append) == []
    (told,) = (line for line in said if "without depth maps" in line)
    assert told.startswith("WARNING") and told.endswith(f"1 of 2: {root / 'val/town'}")


def test_what_verification_tells_beside_faults(root):
    """A mask that ignores all, and pictures in two splits or domains, or twice in one."""
    train, val = root / "train/town", root / "val/town"
    said = []
    assert verify_folder(root, TABLE, said.append) == [] and len(said) == 1
    (train / "masks/c.png").write_bytes(png.encode(np.full(SIZE, 99, np.uint8)))
    shutil.copytree(train, val)
    for name in NAMES[1:]:
        for kind in ("images", "masks", "depths"):
            (val / kind / f"{name}.png").unlink()
    with Pillow.open(val / "images/a.png") as image:  # packed otherwise
        image.save(val / "images/other.png", compress_level=1)
    (val / "images/a.png").unlink()
    for kind in ("masks", "depths"):
        (val / kind / "a.png").rename(val / kind / "other.png")
    shutil.copy(train / "images/b.png", train / "images/d.png")  # within one split
    said.clear()
    assert verify_folder(root, TABLE, said.append) == []
    assert said[0].startswith("train/town: 4 tiles, 4 labelled")
    assert said[1] == f"WARNING: masks without a labelled pixel, 1: {train / 'masks/c.png'}"
    assert "50% of the pixels of masks are ignored, and are neither trained on" in said[2]
    assert said[4:6] == [
        "classes of train/town: ground 51%, roof 49%",
        "classes of val/town: ground 51%, roof 49%",
    ]
    assert said[6].startswith("WARNING: 2 pictures are there more than once")
    assert f"{train / 'images/a.png'} = {val / 'images/other.png'}" in said[6] and len(said) == 7
    shutil.rmtree(val)
    shutil.copytree(train, root / "train/field")
    said.clear()
    assert verify_folder(root, TABLE, said.append) == []
    assert said[-1].startswith("WARNING: 3 pictures are there more than once")
    assert f"{root / 'train/field/images/a.png'} = {train / 'images/a.png'}" in said[-1]


def test_images_that_mark_pixels_as_without_data_are_told(root):
    path, directory = root / "train/town/images/a.png", ImageFileDirectory_v2()
    directory[42113], directory.tagtype[42113] = "0", 2
    pixels = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    Pillow.fromarray(pixels).save(path.with_suffix(".tif"), tiffinfo=directory)
    path.unlink()
    said = []
    assert verify_folder(root, TABLE, said.append) == []
    assert said[-1].startswith("WARNING: images that mark pixels as without data, 1, which")
    directory[42113] = "nought"
    Pillow.fromarray(pixels).save(path.with_suffix(".tif"), tiffinfo=directory)
    (line,) = verify_folder(root, TABLE, lambda _: None)
    assert "'nought', is no number" in line


def test_maps_of_earlier_images(root):
    """Told without reading pixels, where the record notes the ends of images, and with them."""
    place = root / "train/town"
    image, depth, record = place / "images/a.png", place / "depths/a.png", DepthRecord(place)
    record.begin("own/checkpoint", "1234")
    record.note(image, depth)
    assert faults(town(root)) == faults(town(root), pixels=True) == []
    spoil(image, np.zeros((*SIZE, 3), np.uint8))
    for pixels in (False, True):
        (line,) = faults(town(root), pixels)
        assert line.startswith(f"{depth}: made of another picture than {image} is now")
    assert verify_folder(root, TABLE, lambda _: None) == [line]
    content = json.loads(record.path.read_text())
    older = {"source": content["source"], "images": content["images"]}
    record.path.write_text(json.dumps(older))
    assert faults(town(root)) == [] and faults(town(root), pixels=True) == [line]
    record.path.write_text("{")
    (damaged,) = faults(town(root))
    assert f"{record.path} is damaged" in damaged and "delete it" in damaged
    record.path.write_text(json.dumps(content))
    spoil(depth, np.eye(*SIZE, dtype=np.uint8))
    assert faults(town(root), pixels=True) == [], "a map of one's own in its place"


def test_a_map_of_an_earlier_tiff_is_told_without_its_pixels(root):
    """Only its middle is another: unpacked, it is as long as it was."""
    place = root / "train/town"
    old, depth, record = place / "images/a.png", place / "depths/a.png", DepthRecord(place)
    image, pixels = old.with_suffix(".tif"), np.zeros((80, 120, 3), np.uint8)
    old.unlink()
    spoil(place / "masks/a.png", np.eye(80, 120, dtype=np.uint8) * 10)
    spoil(depth, np.random.default_rng(0).integers(0, 65536, (80, 120), np.uint16))
    Pillow.fromarray(pixels).save(image)
    record.begin("own/checkpoint", "1234")
    record.note(image, depth)
    assert faults(town(root)) == []
    pixels[40, 60] = 1
    Pillow.fromarray(pixels).save(image)
    (line,) = faults(town(root))
    assert line.startswith(f"{depth}: made of another picture than {image} is now")


def test_classes_that_no_mask_shows_and_pictures_that_are_cut_off_are_told(root):
    place, said = root / "train/town", []
    for name in NAMES:
        spoil(place / f"masks/{name}.png", np.zeros(SIZE, np.uint8))
    bright = np.random.default_rng(0).integers(0, 700, (*SIZE, 3)).clip(0, 255).astype(np.uint8)
    spoil(
        place / "images/a.png",
        np.where(bright < 170, bright, 255 - 55 * (np.arange(3) == 2)).astype(np.uint8),
    )
    spoil(place / "images/b.png", np.minimum(bright, 1))
    spoil(place / "images/c.png", np.where(bright < 240, bright, 100).astype(np.uint8))
    assert verify_folder(root, TABLE, said.append) == []
    told = "\n".join(said)
    assert "classes that no mask shows, 1 of 2: roof" in told
    assert f"all over, or of few, 1 of 4: {place}/images/b.png" in told
    assert "pictures with up to 51% of values at 0 or 255, perhaps cut off, 1 of 4" in told


@pytest.mark.parametrize("value", [0, 255])
def test_black_or_white_pixels_with_a_class_are_told(root, value):
    place, said = root / "train/town", []
    picture = png.decode((place / "images/a.png").read_bytes())
    picture[:, :12] = value
    spoil(place / "images/a.png", picture)
    mask = png.decode((place / "masks/a.png").read_bytes())
    mask[:, :12] = 99
    spoil(place / "masks/a.png", mask)
    assert verify_folder(root, TABLE, said.append) == []
    assert "not ignored" not in "".join(said), "they have no class"
    mask[:, :6] = 10
    spoil(place / "masks/a.png", mask)
    assert verify_folder(root, TABLE, said.append) == []
    (line,) = (line for line in said if "not ignored" in line)
    assert line.endswith(f"as where there is no picture, 1 of 4: {place}/images/a.png")
    assert "with up to 10% of" in line


def test_a_channel_that_holds_one_value_is_told(root):
    path, said = root / "train/town/images/a.png", []
    picture = png.decode(path.read_bytes())
    picture[..., 2] = 7
    spoil(path, picture)
    assert verify_folder(root, TABLE, said.append) == []
    (line,) = (line for line in said if "channel" in line)
    assert line.endswith(f"a channel that holds one value all over, 1 of 4: {path}")


def test_pictures_beside_the_splits_are_told(root):
    said = []
    path = root / "validation/town/imgs/a.png"
    path.parent.mkdir(parents=True)
    (path.parent / "notes.txt").touch()
    assert verify_folder(root, TABLE, said.append) == [] and "no split" not in "".join(said)
    path.touch()
    assert verify_folder(root, TABLE, said.append) == []
    (line,) = (line for line in said if "is no split" in line)
    assert f"{root}/validation is no split, so that its pictures, such as {path}," in line


def test_a_world_file_that_is_no_numbers_is_told_once(root):
    """Also of an image alone, which may lie on the ground of another split."""
    (root / "train/town/masks/a.png").unlink()
    beside = root / "train/town/images/a.pgw"
    beside.write_text("0,5 0 0 -0,5 500000,25 4000000,25")
    lines = [faults(town(root)), faults(town(root), pixels=True)]
    lines.append(verify_folder(root, TABLE, lambda _: None))
    lines.append(faults(open_folder(root, TABLE, with_depth=False).tiles("train", "town")))
    for (line,) in lines:
        assert line.startswith(f"{beside}: could not convert") and "mend or delete it" in line


def test_splits_that_share_their_ground_are_told(root):
    """Tiles of one scene, cut with an overlap and split at random."""
    said = []
    for number, name in enumerate(NAMES):
        for kind in ("images", "masks", "depths"):
            placed(root / f"train/town/{kind}/{name}.png", 5e5 + 20 * number)
    for kind in ("images", "masks", "depths"):
        for split, domain in (("val", "town"), ("val", "other")):
            (root / split / domain / kind).mkdir(parents=True)
        shutil.copy(root / f"train/town/{kind}/d.tif", root / f"val/other/{kind}/d.tif")
        (root / f"train/town/{kind}/d.tif").rename(root / f"val/town/{kind}/d.tif")
    assert verify_folder(root, TABLE, said.append) == []
    (told,) = (line for line in said if "lie on the ground" in line)
    assert f"tiles of {root}/train/town that lie on the ground of tiles in {root}/val/town" in told
    assert "up to 33% of one" in told and told.endswith(f"1 of 3: {root}/train/town/images/c.tif")


def test_turned_copies_of_a_picture_are_told(root):
    images, said = root / "train/town/images", []
    for kind in ("images", "masks", "depths"):
        path = root / f"train/town/{kind}/b.png"
        pixels = png.decode(path.with_name("a.png").read_bytes())
        spoil(path, np.ascontiguousarray(np.rot90(pixels[:, ::-1], 2)))
    assert verify_folder(root, TABLE, said.append) == []
    assert any(f"{images}/a.png = {images}/b.png" in line for line in said)


def test_two_domains_may_share_their_masks(root):
    """One place in two seasons, say."""
    said, other = [], root / "train/winter"
    shutil.copytree(root / "train/town", other)
    rng = np.random.default_rng(9)
    for name in NAMES:
        spoil(other / f"images/{name}.png", rng.integers(0, 256, (*SIZE, 3), np.uint8))
    assert verify_folder(root, TABLE, said.append) == []
    assert not any("pixel for pixel" in line for line in said)


def test_a_mask_in_the_place_of_a_picture(root):
    """Colour masks are pictures, too: the labels would be what the network reads."""
    place = root / "train/town"
    (place / "images/a.png").write_bytes((place / "masks/a.png").read_bytes())
    assert any(
        f"a.png: no picture, but the same as {place}/masks/a" in s for s in faults(town(root))
    )


@pytest.fixture
def demo(tmp_path):
    """Four tiles that show something, in train/town; LoveDA's classes as 0..6."""
    for place in range(4):
        tile = DemoTiles("urban", "train", count=4, size=128)[place]
        files = {"images": tile["image"], "masks": tile["label"], "depths": tile["depth"][..., 0]}
        files["depths"] = (files["depths"] * 65535).astype(np.uint16)
        for kind, pixels in files.items():
            path = tmp_path / "train/town" / kind / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.encode(pixels))
    return tmp_path


SEVEN = ClassTable(tuple("abcdefg"), tuple(range(7)), ((1, 1, 1),) * 7, (255,))


def odd(root):
    """What verification tells but for how many tiles there are, and what before training."""
    said = []
    assert verify_folder(root, SEVEN, said.append) == []
    tiles = open_folder(root, SEVEN, with_depth=True).tiles("train", "town")
    return [line for line in said if "WARNING" in line and "classes that no" not in line], oddities(
        tiles
    )


def test_masks_that_do_not_fit_are_told(demo):
    assert odd(demo) == ([], [])
    for path in (demo / "train/town/masks").iterdir():
        spoil(path, np.flipud(png.decode(path.read_bytes())))
    (verified,), (told,) = odd(demo)
    assert verified.startswith(f"WARNING: {demo}/train/town: masks do not fit their pictures")
    assert "They would fit upside down." in verified and "They would fit upside down." in told
    assert told.endswith("upside down. Looked at were 4 (0.png, 1.png, 2.png, 3.png)")


def test_doubtful_depth_maps_are_told(demo):
    """All of them before training, too; one alone may be so."""
    place = demo / "train/town"
    for number in range(4):
        grey = png.decode((place / f"images/{number}.png").read_bytes()).mean(-1)
        spoil(place / f"depths/{number}.png", (grey * 257).astype(np.uint16))
        (verified,), told = odd(demo)
        assert f"so hardly of depth, {number + 1} of 4: {place}/depths/0.png" in verified
        assert len(told) == (number == 3)
    assert told[0].startswith("depth maps equal to the picture's own colours") and (
        "all 4 that were looked at of 4 (0.png" in told[0]
    )


def test_parts_of_pictures_in_other_splits_are_told(demo):
    train, val = demo / "train/town", demo / "val/town"
    for kind in ("images", "masks", "depths"):
        pixels = png.decode((train / kind / "2.png").read_bytes())
        (val / kind).mkdir(parents=True)
        (val / kind / "part.png").write_bytes(
            png.encode(np.roll(pixels, (-31, -44), (0, 1))[:97, :84])
        )
    (line,), _ = odd(demo)
    assert line.startswith(
        "WARNING: pictures of different splits or domains that show the same in part"
    )
    assert line.endswith(f"{train}/images/2.png and {val}/images/part.png")


def test_ground_of_another_zone_is_another(demo):
    train, val = demo / "train/town", demo / "val/town"
    shutil.copytree(train, val)
    for place in (train, val):
        for path in sorted((place / "images").iterdir()):
            if place == val:
                path.write_bytes(png.encode(png.decode(path.read_bytes())[::-1] // 2 + 20))
            placed(path, 5e5, zone=32)
    ground = [line for line in odd(demo)[0] if "lie on the ground" in line]
    assert len(ground) == 1 and "up to 100% of one" in ground[0]
    for path in sorted((val / "images").iterdir()):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        path.unlink()
        path.with_suffix(".png").write_bytes(png.encode(picture))
        placed(path.with_suffix(".png"), 5e5, zone=33)
    assert not [line for line in odd(demo)[0] if "lie on the ground" in line]


def test_pixels_of_other_sizes_are_told(demo):
    train, val = demo / "train/town", demo / "val/town"
    shutil.copytree(train, val)
    for place, size in ((train, 0.3), (val, 10)):
        for path in sorted((place / "images").iterdir()):
            placed(path, 5e5, size)
    (line,) = [line for line in odd(demo)[0] if "other sizes" in line]
    assert "train/town 0.3, val/town 10. Resample all alike." in line


def test_degrees_are_compared_with_metres_on_the_ground(demo):
    """A millionth of a degree is 0.11 m; and 5e6 is no latitude, so it is metres."""
    for path in sorted((demo / "train/town/images").iterdir()):
        placed(path, 5e5, zone=32)
    shutil.copytree(demo / "train/town", demo / "val/town")
    for path in sorted((demo / "val/town/images").iterdir()):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        path.unlink()
        path.with_suffix(".png").write_bytes(png.encode(picture))
        path.with_suffix(".pgw").write_text("4.5e-6 0 0 -4.5e-6 9 10")
    assert not [line for line in odd(demo)[0] if "other sizes" in line]


def test_bands_that_are_not_of_light_are_told(demo):
    for path in sorted((demo / "train/town/images").iterdir()):
        placed(path, 5e5, bands=("NIR", "Red", "Green"))
    (verified,), (told,) = odd(demo)
    assert verified == f"WARNING: {told}"
    assert told.startswith("4 of the 4 pictures describe their bands as others than red, green")
    assert "(0.tif NIR, Red, Green," in told


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        (("Red", "Green", "Blue"), ""),
        (("", "", ""), ""),
        (("Band 1", "Band 2", "Band 3"), ""),
        (("B4", "B3", "B2"), ""),
        (("B04", "B03", "B02"), ""),
        (("B2", "B3", "B4"), "B2, B3, B4"),
        (("B8", "B4", "B3"), "B8, B4, B3"),
        (("near infrared", "red", "green"), "near infrared, red, green"),
    ],
)
def test_what_bands_are_called(tmp_path, bands, told):
    path = tmp_path / "a.png"
    path.write_bytes(png.encode(np.zeros((4, 5, 3), np.uint8)))
    placed(path, 5e5, bands=bands)
    with path.with_suffix(".tif").open("rb") as file:
        assert invisible_bands(file) == told


def test_masks_that_are_mostly_ignored_are_told(demo):
    for path in (demo / "train/town/masks").iterdir():
        mask = png.decode(path.read_bytes())
        mask[:100] = 255
        spoil(path, mask)
    (verified,), (told,) = odd(demo)
    assert "town: 78% of the pixels of masks are ignored, and are neither trained on" in verified
    assert told.startswith("78% of the pixels of masks are ignored")
    assert "nor scored. Looked at were 4" in told


def test_depth_that_was_read_back_from_a_palette_is_told(demo):
    """Such as those that estimators show their maps in; a full range is no mark of it."""
    paths = sorted((demo / "train/town/depths").iterdir())
    maps = [(png.decode(path.read_bytes()) // 257).astype(np.uint8) for path in paths]
    for path, depth in zip(paths, maps, strict=True):
        spoil(path, depth)
    assert odd(demo) == ([], [])
    for path, depth in zip(paths, maps, strict=True):
        spoil(path, cv2.cvtColor(cv2.applyColorMap(depth, cv2.COLORMAP_JET), cv2.COLOR_BGR2GRAY))
    verified, told = odd(demo)
    assert any("depth maps of 8 bits all lie from" in line for line in verified)
    assert any("in a palette do that were read back as grey" in line for line in told)
