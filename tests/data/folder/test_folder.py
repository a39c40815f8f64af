"""A plain folder of tiles: matched, checked, and refused with a remedy."""

import os
import pickle
import shutil

import cv2
import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.cache import cached
from rdepth_keras.data.folder.folder import image_files, open_folder
from rdepth_keras.data.splits import AbsentSplit, labelled_part
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.labels import IGNORE, ClassTable

TABLE = ClassTable(
    ("ground", "roof", "tree"), (0, 10, 20), ((1, 1, 1), (2, 2, 2), (3, 3, 3)), (99,)
)
SIZE = (20, 33)


def pixels(kind, number, size=SIZE):
    rng = np.random.default_rng([number, len(kind)])
    if kind == "images":
        return rng.integers(0, 256, (*size, 3), np.uint8)
    if kind == "masks":
        return rng.choice(np.array([0, 10, 20, 99], np.uint8), size)
    return rng.integers(0, 65536, size, np.uint16)


@pytest.fixture
def root(tmp_path):
    """Two domains; town's third tile has another size; field is unlabelled."""
    for domain, kinds in (("town", ("images", "masks", "depths")), ("field", ("images",))):
        for kind in kinds:
            folder = tmp_path / "train" / domain / kind
            folder.mkdir(parents=True)
            for number, name in enumerate(("b", "a", "c c")):
                size = (40, 16) if name == "c c" else SIZE
                (folder / f"{name}.png").write_bytes(png.encode(pixels(kind, number, size)))
    return tmp_path


def town(root, with_depth=True):
    return open_folder(root, TABLE, with_depth=with_depth).tiles("train", "town")


def test_tiles_are_the_files(root):
    tiles = town(root)
    assert len(tiles) == 3 and tiles.labelled
    assert [tile["id"] for tile in tiles] == [0, 1, 2]
    tile = pickle.loads(pickle.dumps(tiles))[1]  # "b" comes after "a"
    np.testing.assert_array_equal(tile["image"], pixels("images", 0))
    np.testing.assert_array_equal(TABLE.decode(tile["label"]), pixels("masks", 0))
    np.testing.assert_array_equal(tile["depth"], normalise(pixels("depths", 0)))
    assert tiles.longest_side() == 40 and tiles.shortest_side() <= 40
    assert tiles[2]["image"].shape == (40, 16, 3) and tiles[2]["depth"].shape == (40, 16, 1)


def test_without_masks_and_depth(root):
    tiles = open_folder(root, TABLE, with_depth=False).tiles("train", "field")
    assert not tiles.labelled
    assert (tiles[0]["label"] == IGNORE).all() and (tiles[0]["depth"] == 0).all()
    assert tiles[0]["depth"].dtype == np.float32


def test_numbers_are_ids(root):
    for kind in ("images", "masks", "depths"):
        folder = root / "train/town" / kind
        for name, number in (("a", "12"), ("b", "007"), ("c c", "3")):
            (folder / f"{name}.png").rename(folder / f"{number}.png")
    assert [tile["id"] for tile in town(root)] == [3, 7, 12]


def test_jpeg_and_tiff(root):
    folder = root / "train/town"
    image = cv2.cvtColor(pixels("images", 1), cv2.COLOR_RGB2BGR)
    depth = np.random.default_rng(0).random(SIZE, np.float32)
    for kind in ("images", "masks", "depths"):
        (folder / kind / "a.png").unlink()
    cv2.imwrite(str(folder / "images/a.tif"), image)
    cv2.imwrite(str(folder / "masks/a.TIF"), pixels("masks", 1))
    cv2.imwrite(str(folder / "depths/a.tiff"), depth)
    for name in ("tfw", "tfwx", "pgw", "jgw", "wld", "prj", "aux", "tif.ovr", "tif.aux.xml"):
        for kind in ("images", "masks", "depths"):
            (folder / f"{kind}/a.{name}").write_text("<what/>")
    tile = town(root)[0]
    np.testing.assert_array_equal(tile["image"], pixels("images", 1))
    np.testing.assert_array_equal(TABLE.decode(tile["label"]), pixels("masks", 1))
    np.testing.assert_array_equal(tile["depth"], normalise(depth))
    (folder / "images/a.tif").unlink()
    smooth = cv2.resize(image[:3, :3], SIZE[::-1])
    cv2.imwrite(str(folder / "images/a.jpg"), smooth, [cv2.IMWRITE_JPEG_QUALITY, 100])
    difference = town(root)[0]["image"].astype(int) - cv2.cvtColor(smooth, cv2.COLOR_BGR2RGB)
    assert np.abs(difference).mean() < 6


def put(place, array, suffix=".png"):
    def change(root):
        (root / "train/town" / place / "a.png").unlink()
        done, data = cv2.imencode(suffix, array)
        assert done
        (root / "train/town" / place / f"a{suffix}").write_bytes(data.tobytes())

    return change


def cut(place, array, suffix):
    def change(root):
        put(place, array, suffix)(root)
        path = root / "train/town" / place / f"a{suffix}"
        path.write_bytes(path.read_bytes()[:-9])

    return change


RGB, GREY = np.zeros((*SIZE, 3), np.uint8), np.zeros(SIZE, np.uint8)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (put("images", RGB.astype(np.uint16)), "uint16 with 3.*-ot Byte -scale"),
        (put("images", RGB.astype(np.uint16), ".tif"), "uint16 with 3.*-ot Byte -scale"),
        (put("images", np.zeros((*SIZE, 4), np.uint8)), "RGBA"),
        (put("images", np.zeros((*SIZE, 4), np.uint8), ".tif"), "uint8 with 4.*-b 1 -b 2 -b 3"),
        (put("images", GREY), "uint8 with 1.*-b 1 -b 1"),
        (put("masks", RGB), "8-bit grey"),
        (put("masks", GREY.astype(np.uint16)), "8-bit grey"),
        (put("masks", GREY, ".jpg"), "JPEG can change values"),
        (put("masks", GREY[:-1]), "19x33 pixels, but its image has 20x33"),
        (put("masks", GREY + 5), r"holds the values \[5\]"),
        (put("depths", GREY[:, :-1]), "20x32 pixels, but"),
        (put("depths", pixels("images", 0)), "in colour"),
        (put("depths", np.full(SIZE, np.nan, np.float32), ".tif"), "finite"),
        (cut("images", RGB, ".jpg"), "truncated"),
        (cut("images", RGB, ".png"), "truncated"),
        (cut("images", RGB, ".tif"), "TIFF"),
        (lambda root: (root / "train/town/images/a.png").unlink(), "lacks the images of 1 of 3"),
        (lambda root: (root / "train/town/depths/a.png").unlink(), "lacks the maps of 1 of 3"),
        (lambda root: shutil.rmtree(root / "train/town/depths"), "depth-encoder None"),
        (lambda root: (root / "train/town/images/a.jpg").touch(), "same name"),
        (lambda root: (root / "train/town/images/a.bmp").touch(), "ending in"),
    ],
)
def test_refused(root, change, expected):
    change(root)
    with pytest.raises((ValueError, FileNotFoundError), match=expected) as refused:
        list(town(root))
    assert "\n" not in str(refused.value) and "town" in str(refused.value)


def test_what_does_not_belong_there_is_named_all_at_once(root):
    images = root / "train/town/images"
    (images / "a.jpg").write_bytes(b"")
    (images / "more").mkdir()
    (images / "linked").symlink_to(images / "more")
    (images / "gone.png").symlink_to("nowhere.png")
    (root / "train/town/masks/notes.doc").write_bytes(b"")
    os.mkfifo(images / "pipe.png")  # who read it would wait for ever
    with pytest.raises(ValueError, match="same name") as refused:
        town(root)
    assert not isinstance(refused.value, AbsentSplit)
    for name in ("a.jpg", "more", "linked", "gone.png", "notes.doc", "pipe.png"):
        assert f"/{name}" in str(refused.value)
    with pytest.raises(ValueError, match=r"gone\.png is a link to nothing"):
        image_files(root)


def test_linked_files_and_folders_of_tiles_are_followed(root):
    (root / "train/town/images/a.png").rename(root / "a.png")
    (root / "train/town/images/a.png").symlink_to(root / "a.png")
    (root / "train/town").rename(root / "away")
    (root / "train/town").symlink_to(root / "away")
    np.testing.assert_array_equal(town(root)[0]["image"], pixels("images", 1))


def test_some_tiles_have_labels(root):
    """The labelled ones are a part of their own, with the same ids; the rest stays unlabelled."""
    (root / "train/town/masks/b.png").unlink()
    tiles = town(root)
    assert not tiles.labelled and len(tiles) == 3
    assert (tiles[1]["label"] == IGNORE).all()
    part = labelled_part(tiles)
    assert part.labelled and [tile["id"] for tile in part] == [0, 2]
    np.testing.assert_array_equal(part[1]["label"], tiles[2]["label"])
    assert labelled_part(part) is part
    for name in ("a", "c c"):
        (root / f"train/town/masks/{name}.png").unlink()
    with pytest.raises(FileNotFoundError, match="holds no mask; fill it, or remove it"):
        town(root)
    (root / "train/town/masks").rmdir()
    assert labelled_part(town(root)) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("train/town/masks", "train/town/Masks", "train/town has no masks, but Masks, depths, im"),
        ("train/town/images", "train/town/image", "train/town has no images, but depths, image,"),
        ("train", "Train", "Train is no split; splits are train, val, test"),
    ],
)
def test_a_folder_that_is_spelled_wrongly(root, old, new, expected):
    (root / old).rename(root / new)
    for opened in (lambda: town(root), lambda: image_files(root)):
        with pytest.raises(ValueError, match=expected):
            opened()


@pytest.mark.parametrize("place", ["train/town/masks", "train/field", "val"])
def test_a_folder_that_is_a_link_to_nothing(root, place):
    """It would be taken for one that is absent."""
    path = root / place
    if path.exists():
        shutil.rmtree(path)
    path.symlink_to(root / "unmounted")
    with pytest.raises(ValueError, match=f"{place} is a link to nothing"):
        open_folder(root, TABLE, with_depth=False)


def test_no_such_place(root):
    folder = open_folder(root, TABLE, with_depth=False)
    with pytest.raises(AbsentSplit, match="no val/town; there are: train/field, train/town"):
        folder.tiles("val", "town")
    with pytest.raises(FileNotFoundError, match="expected: <split>"):
        open_folder(root / "train", TABLE, with_depth=False)


def test_cached_tiles_follow_the_files(root):
    (root / "train/town/images/c c.png").write_bytes(png.encode(pixels("images", 2)))
    for kind in ("masks", "depths"):
        (root / f"train/town/{kind}/c c.png").write_bytes(png.encode(pixels(kind, 2)))
    before = cached(town(root), root / "cache", lambda _: None)
    (root / "train/town/images/a.png").write_bytes(png.encode(pixels("images", 9)))
    after = cached(town(root), root / "cache", lambda _: None)
    assert after.path != before.path
    np.testing.assert_array_equal(after[0]["image"], pixels("images", 9))


def test_names_that_look_the_same_and_such_as_are_no_text(root):
    masks = root / "train/town/masks"
    (root / "train/town/images/a.png").rename(root / "train/town/images/\u00e9.png")
    (root / "train/town/depths/a.png").rename(root / "train/town/depths/\u00e9.png")
    (masks / "a.png").rename(masks / "e\u0301.png")
    with pytest.raises(FileNotFoundError, match="other Unicode characters"):
        town(root)
    (masks / "e\u0301.png").rename(masks / os.fsdecode(b"\xe9.png"))
    with pytest.raises(ValueError, match="its name is no UTF-8; rename it"):
        town(root)


@pytest.mark.parametrize("more", [0, 5])
def test_names_in_another_case_are_told(root, more):
    """Of some tiles, and of so many that not all are named."""
    place = root / "train/town"
    for number in range(more):
        for kind in ("images", "masks", "depths"):
            shutil.copy(place / kind / "a.png", place / kind / f"d{number}.png")
    for path in sorted((place / "masks").iterdir()):
        path.rename(path.with_stem(path.stem.upper()))
    with pytest.raises(FileNotFoundError, match="spelled with upper and lower case exchanged"):
        town(root)
