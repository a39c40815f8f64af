"""Depth maps for a folder: written once each, left alone where they are, gone on after a kill."""

import json

import cv2
import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.checks import faults
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.labels import ClassTable
from rdepth_keras.run.depths import write_depths


@pytest.fixture
def root(tmp_path):
    rng = np.random.default_rng(0)
    for place in ("train/A", "val/B"):
        for number in range(2):
            path = tmp_path / place / "images" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.encode(rng.integers(0, 256, (20, 30, 3), np.uint8)))
    return tmp_path


class Red:
    """Stands for the estimator: depth is the red channel."""

    fingerprint = "1234"

    def __call__(self, image):
        return image[..., 0].astype(np.float32)


@pytest.fixture
def estimated(monkeypatch):
    """Lists the origins of the estimators that were asked for."""
    origins = []

    def load(origin):
        origins.append(origin)
        return Red()

    monkeypatch.setattr("rdepth_keras.depth.estimator.load_estimator", load)
    return origins


def test_every_image_gets_a_map_once(root, estimated):
    said, told = [], []
    count = write_depths(
        root, "depth_anything_v2_small", said.append, lambda *numbers: told.append(numbers)
    )
    assert count == 4 and told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    origin = "keras_hub:depth_anything_v2_small"
    assert said == [f"depth by Depth Anything V2, ViT-S ({origin}); weights under Apache-2.0"]
    assert estimated == ["keras_hub:depth_anything_v2_small"]
    image = png.decode((root / "val/B/images/1.png").read_bytes())[..., 0].astype(float)
    depth = png.decode((root / "val/B/depths/1.png").read_bytes())
    assert depth.dtype == np.uint16
    stretched = (image - image.min()) / (image.max() - image.min())
    np.testing.assert_allclose(depth / 65535, stretched, atol=1e-5)

    (root / "train/A/depths/0.png").unlink()
    before = (root / "val/B/depths/1.png").stat().st_mtime_ns
    assert write_depths(root, "depth_anything_v2_small", said.append, lambda *_: None) == 1
    assert (root / "val/B/depths/1.png").stat().st_mtime_ns == before
    assert write_depths(root, "depth_anything_v2_small", said.append, lambda *_: None) == 0
    assert len(estimated) == 2, "nothing is loaded where nothing is wanted"


def test_maps_of_two_estimators_are_refused(root, estimated):
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    with pytest.raises(ValueError, match=r"A/depths were made by .*checkpoint, .*other.*: delete"):
        write_depths(root, "own/other", print, lambda *_: None)
    assert len(estimated) == 1


def test_a_checkpoint_whose_weights_were_replaced_is_refused(root, estimated, monkeypatch):
    """Before any map; records that do not say by which weights are taken as they are."""
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    depth, record = root / "val/B/depths/0.png", root / "train/A/depths.json"
    depth.unlink()
    monkeypatch.setattr(Red, "fingerprint", "9999")
    with pytest.raises(
        ValueError, match=r"A/depths were made .* other weights, .*B/depths .*: del"
    ):
        write_depths(root, "own/checkpoint", print, lambda *_: None)
    assert not depth.exists()
    for path in (record, root / "val/B/depths.json"):
        content = json.loads(path.read_text())
        assert content.pop("fingerprint") == "1234"
        path.write_text(json.dumps(content))
    assert write_depths(root, "own/checkpoint", print, lambda *_: None) == 1
    assert json.loads((root / "val/B/depths.json").read_text())["fingerprint"] is None


def test_the_map_of_a_changed_image_is_made_anew(root, estimated):
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    image, said = root / "val/B/images/0.png", []
    picture = png.decode(image.read_bytes())
    image.write_bytes(png.encode(np.ascontiguousarray(picture[::-1])))
    assert write_depths(root, "own/checkpoint", said.append, lambda *_: None) == 1
    assert "changed since" in said[0] and "val/B/depths/0.png" in said[0]
    assert write_depths(root, "own/checkpoint", said.append, lambda *_: None) == 0
    red = picture[::-1, :, 0].astype(float)
    depth = png.decode((root / "val/B/depths/0.png").read_bytes())
    np.testing.assert_allclose(depth / 65535, (red - red.min()) / np.ptp(red), atol=1e-5)


def test_the_map_of_an_image_in_another_format_is_made_anew(root, estimated):
    """It is known by the file that it was made of; the tile may have been cut anew."""
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    image, said = root / "val/B/images/0.png", []
    picture = png.decode(image.read_bytes())[::-1]
    cv2.imwrite(str(image.with_suffix(".tif")), picture[..., ::-1])
    image.unlink()
    table = ClassTable(("ground",), (0,), ((0, 0, 0),))
    tiles = open_folder(root, table, with_depth=True).tiles("val", "B")
    (fault,) = faults(tiles)
    assert "0.png: made of another picture than" in fault and "0.tif is now" in fault
    assert write_depths(root, "own/checkpoint", said.append, lambda *_: None) == 1
    assert "changed since" in said[0] and "val/B/depths/0.png" in said[0]
    assert write_depths(root, "own/checkpoint", said.append, lambda *_: None) == 0
    assert DepthRecord(root / "val/B").covers() and faults(tiles) == []


@pytest.mark.parametrize("noted", [True, False], ids=["record", "older record"])
def test_a_map_of_ones_own_in_the_place_of_a_made_one_is_left_alone(root, estimated, noted):
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    image, depth = root / "val/B/images/0.png", root / "val/B/depths/0.png"
    if not noted:  # by its name alone it is told
        path = root / "val/B/depths.json"
        content = json.loads(path.read_text())
        path.write_text(json.dumps({name: content[name] for name in ("source", "images")}))
        depth.unlink()
        depth = depth.with_suffix(".TIF")
    own = np.arange(600, dtype=np.uint16).reshape(20, 30)
    cv2.imwrite(str(depth), own)
    image.write_bytes(png.encode(np.zeros((20, 30, 3), np.uint8)))
    assert write_depths(root, "own/checkpoint", print, lambda *_: None) == 0
    np.testing.assert_array_equal(cv2.imread(str(depth), cv2.IMREAD_UNCHANGED), own)
    assert len(list(depth.parent.iterdir())) == 2


@pytest.mark.parametrize("name", ["0.TIF", "0.PNG"])
def test_suffixes_of_any_case_are_seen(root, estimated, name):
    place = root / "train/A/depths" / name
    place.parent.mkdir()
    cv2.imwrite(str(place), np.arange(600, dtype=np.uint16).reshape(20, 30))
    assert write_depths(root, "own/checkpoint", print, lambda *_: None) == 3
    assert sorted(path.name for path in place.parent.iterdir()) == [name, "1.png"]


def test_maps_of_ones_own_are_left_alone_but_looked_at(root, estimated):
    place = root / "train/A/depths/0.tif"
    place.parent.mkdir()
    grey = np.arange(600, dtype=np.uint16).reshape(20, 30)
    cv2.imwrite(str(place), grey)
    assert write_depths(root, "own/checkpoint", print, lambda *_: None) == 3
    assert not place.with_suffix(".png").exists()
    place.write_bytes(b"")
    with pytest.raises(ValueError, match=r"0\.tif: .*empty|0\.tif: "):
        write_depths(root, "own/checkpoint", print, lambda *_: None)
    cv2.imwrite(str(place), grey[:, :29])
    with pytest.raises(ValueError, match=r"0\.tif: 20x29 pixels, but its image has 20x30"):
        write_depths(root, "own/checkpoint", print, lambda *_: None)


def test_maps_of_ones_own_are_told_where_they_are_mixed_with_others(root, estimated):
    place, said = root / "train/A/depths/0.png", []
    place.parent.mkdir()
    own = png.encode(np.arange(600, dtype=np.uint16).reshape(20, 30))
    place.write_bytes(own)
    for count, lines in ((3, 2), (0, 1)):
        assert write_depths(root, "own/checkpoint", said.append, lambda *_: None) == count
        assert said[0].startswith("depth maps of another origin, which were not made here and stay")
        assert said[0].endswith(f", 1: {place}") and len(said) == lines
        said.clear()
    for path in root.glob("*/*/depths/*.png"):
        path.write_bytes(own)
    assert write_depths(root, "own/checkpoint", said.append, lambda *_: None) == 0 and not said


def test_a_damaged_record_is_told(root, estimated):
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    for text in ("", "[]", '{"source": 1}'):
        (root / "val/B/depths.json").write_text(text)
        with pytest.raises(ValueError, match=r"B/depths\.json is damaged .*delete it"):
            write_depths(root, "own/checkpoint", print, lambda *_: None)


def test_the_folder_opens_with_them(root, estimated):
    table = ClassTable(("ground",), (0,), ((0, 0, 0),))
    with pytest.raises(FileNotFoundError, match=r"prepare.py --folder .* lacks the maps"):
        open_folder(root, table, with_depth=True).tiles("train", "A")
    write_depths(root, "own/checkpoint", print, lambda *_: None)
    tile = open_folder(root, table, with_depth=True).tiles("train", "A")[0]
    assert tile["depth"].shape == (20, 30, 1) and tile["depth"].max() == 1


def test_bad_images_are_named_before_the_work(root, estimated):
    for place in ("train/A/images/1.png", "val/B/images/0.png"):
        (root / place).write_bytes((root / place).read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"A/images/1\.png: trunc.*B/images/0\.png: trunc"):
        write_depths(root, "own/checkpoint", print, lambda *_: None)
    assert not estimated and not list(root.rglob("depths"))


def test_constant_maps_are_told(root, estimated):
    path = root / "val/B/images/0.png"
    path.write_bytes(png.encode(np.full((20, 30, 3), 7, np.uint8)))
    said = []
    write_depths(root, "own/checkpoint", said.append, lambda *_: None)
    assert said[-1].startswith("WARNING: 1 depth map is flat")
    assert str(root / "val/B/depths/0.png") in said[-1]


def test_an_unknown_source(root, estimated):
    with pytest.raises(ValueError, match="depth_anything_v2_small, .*; or a folder with"):
        write_depths(root, "depth_anything_v3", print, lambda *_: None)


def test_no_tiles(tmp_path, estimated):
    with pytest.raises(FileNotFoundError, match="There are no tiles"):
        write_depths(tmp_path, "own/checkpoint", print, lambda *_: None)
