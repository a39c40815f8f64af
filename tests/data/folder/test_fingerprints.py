"""Files of the same names are told from others."""

import cv2
import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.data.folder.fingerprints import fingerprints, oddities, twins
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.folder.verify import verify_folder
from rdepth_keras.labels import ClassTable
from rdepth_keras.predict.picture import write_map

TABLE = ClassTable(("ground", "roof"), (0, 10), ((1, 1, 1), (2, 2, 2)), (99,))
SIZE = (120, 160)  # of PNG files that are larger than what is read of them


def write(root, seed=0):
    rng = np.random.default_rng(seed)
    for name in "ab":
        masks = np.kron(rng.choice([0, 10, 99], (6, 8)), np.ones((20, 20), int))
        ramp = np.add.outer(np.arange(SIZE[0]), rng.integers(50, 200) * np.arange(SIZE[1]))
        roofs = masks == 10
        image = rng.integers(0, 150, SIZE) + 100 * roofs
        files = {
            "images": np.stack([image, image + 1, image + 2], -1).astype(np.uint8),
            "masks": masks.astype(np.uint8),
            "depths": (rng.integers(0, 256, SIZE) + ramp + 9000 * roofs).astype(np.uint16),
        }
        for kind, pixels in files.items():
            path = root / "train/town" / kind / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.encode(pixels))
    return root


def found(root, with_depth=True):
    return fingerprints(open_folder(root, TABLE, with_depth=with_depth).tiles("train", "town"))


def changed(before, after):
    return [kind for kind in before if before[kind] != after[kind]]


def test_the_same_tiles_elsewhere_are_the_same(tmp_path):
    one, other = found(write(tmp_path / "one")), found(write(tmp_path / "deep/other"))
    assert one == other and list(one) == ["images", "masks", "depths"]
    assert found(write(tmp_path / "one"), with_depth=False).keys() == {"images", "masks"}


@pytest.mark.parametrize("kind", ["images", "masks", "depths"])
def test_one_pixel_in_the_middle_is_noticed(tmp_path, kind):
    before = found(write(tmp_path))
    path = tmp_path / "train/town" / kind / "b.png"
    pixels = png.decode(path.read_bytes())
    pixels[60, 80] = 10 if (pixels[60, 80] == 0).all() else 0
    path.write_bytes(png.encode(pixels))
    assert changed(before, found(tmp_path)) == [kind]


@pytest.mark.parametrize("kind", ["images", "masks", "depths"])
def test_any_byte_of_a_tiff_is_noticed(tmp_path, kind):
    """No checksum stands at its end, and unpacked it is as long whatever it shows."""
    old = write(tmp_path) / "train/town" / kind / "b.png"
    path = old.with_suffix(".tif")
    pixels = png.decode(old.read_bytes())
    assert cv2.imwrite(str(path), pixels, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    old.unlink()
    before, data = found(tmp_path), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert len(data) > 2 * 4096 and changed(before, found(tmp_path)) == [kind]


def test_inverted_depth_and_other_names_are_noticed(tmp_path):
    before = found(write(tmp_path))
    for path in (tmp_path / "train/town/depths").iterdir():
        path.write_bytes(png.encode(65535 - png.decode(path.read_bytes())))
    assert changed(before, found(tmp_path)) == ["depths"]
    for path in (tmp_path / "train/town/images").iterdir():
        path.rename(path.with_name(f"z{path.name}"))
        for kind in ("masks", "depths"):
            place = tmp_path / "train/town" / kind
            (place / path.name).rename(place / f"z{path.name}")
    assert changed(before, found(tmp_path)) == ["images", "masks", "depths"]


def test_twins_have_other_names_but_the_same_bytes(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "other", seed=1)
    one, other = (
        open_folder(tmp_path / root, TABLE, with_depth=False).tiles("train", "town")
        for root in ("one", "other")
    )
    assert twins(one, other) == []
    picture = (tmp_path / "one/train/town/images/b.png").read_bytes()
    (tmp_path / "other/train/town/images/a.png").write_bytes(picture)
    assert twins(one, other) == [str(tmp_path / "one/train/town/images/b.png")]
    assert twins(other, one) == [str(tmp_path / "other/train/town/images/a.png")]


def test_other_tiles_are_no_folder():
    with pytest.raises(TypeError, match="no tiles of a folder"):
        fingerprints([])


def test_pictures_that_are_there_twice_and_masks_of_several_are_told(tmp_path):
    def told():
        tiles = open_folder(tmp_path, TABLE, with_depth=False).tiles("train", "town")
        return oddities(tiles)

    write(tmp_path)
    assert told() == []
    images, masks = (tmp_path / "train/town" / kind for kind in ("images", "masks"))
    names = sorted(path.name for path in masks.iterdir())
    (masks / names[1]).write_bytes((masks / names[0]).read_bytes())
    (shared,) = told()
    assert shared.startswith(f"2 of the {len(names)} masks are those of other pictures")
    assert f"{names[0]} = {names[1]}" in shared
    (images / names[1]).write_bytes((images / names[0]).read_bytes())
    (twice,) = told()  # of one picture the masks may well be the same
    assert twice.startswith(f"1 of the {len(names)} pictures are there before, byte for byte")


def test_a_mask_of_one_class_may_be_that_of_many_pictures(tmp_path):
    write(tmp_path)
    for path in (tmp_path / "train/town/masks").iterdir():
        path.write_bytes(png.encode(np.zeros_like(png.decode(path.read_bytes()))))
    tiles = open_folder(tmp_path, TABLE, with_depth=False).tiles("train", "town")
    assert oddities(tiles) == []


def test_depth_maps_of_another_domain_are_told(tmp_path):
    """Exchanged, they bear the names of those that were made here."""
    places = []
    for seed, name in enumerate(("one", "other")):
        place = write(tmp_path / name, seed) / "train/town"
        record = DepthRecord(place)
        record.begin("own/checkpoint", "1234")
        for image in sorted((place / "images").iterdir()):
            record.note(image, place / "depths" / image.name)
        places.append(place)

    def told(root, with_depth=True):
        tiles = open_folder(root, TABLE, with_depth=with_depth).tiles("train", "town")
        return oddities(tiles)

    assert told(tmp_path / "one") == []
    (places[0] / "depths").rename(tmp_path / "aside")
    (places[1] / "depths").rename(places[0] / "depths")
    (tmp_path / "aside").rename(places[1] / "depths")
    for name in ("one", "other"):
        (line,) = told(tmp_path / name)
        assert line.startswith("2 of the 2 depth maps of train/town are not those that its")
        assert "depths.json tells of (a.png, b.png): are folders exchanged?" in line
        assert told(tmp_path / name, with_depth=False) == []
    verified = []
    assert verify_folder(tmp_path / "one", TABLE, verified.append) == []
    assert f"WARNING: {told(tmp_path / 'one')[0]}" in verified
    (places[0] / "depths.json").write_text("{")
    (line,) = verify_folder(tmp_path / "one", TABLE, lambda _: None)
    assert "is damaged" in line
    (places[1] / "depths.json").unlink()
    assert told(tmp_path / "other") == [], "maps of one's own"


def test_a_domain_whose_range_was_not_stretched_is_told(tmp_path):
    """Where all pictures that are looked at are dark; one alone may be of water."""
    write(tmp_path)
    tiles = open_folder(tmp_path, TABLE, with_depth=True).tiles("train", "town")
    for name, told in (("a", 0), ("b", 1)):
        path = tmp_path / f"train/town/images/{name}.png"
        path.write_bytes(png.encode(png.decode(path.read_bytes()) // 7))
        assert len(found := oddities(tiles)) == told
    assert found[0].startswith("pictures in the lowest sixth of the range alone")


def test_predictions_that_are_taken_for_masks_are_told(tmp_path):
    place = write(tmp_path) / "train/town"
    path = place / "masks/a.png"
    write_map(place / "masks/new.png", png.decode(path.read_bytes()))
    (place / "masks/new.png").replace(path)
    tiles = open_folder(tmp_path, TABLE, with_depth=True).tiles("train", "town")
    (told,) = oddities(tiles)
    assert told.startswith("1 of the 2 masks are predictions, as scripts/predict.py writes them")
    said = []
    assert verify_folder(tmp_path, TABLE, said.append) == [] and f"WARNING: {told}" in said
