"""Pictures of any size: windows like tiles, each with depth of its own range."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from rdepth_keras import run
from rdepth_keras.data import png
from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.data.folder.dataset import MAPS, Folder
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.infer import Inference
from rdepth_keras.labels import LOVEDA
from rdepth_keras.run.pictures import PicturePredictor, load_picture_predictor, predict_tiles
from rdepth_keras.run.predictor import load_predictor, unfinished


def scene(height, width):
    """A picture with noise on a slope of brightness, since noise alone is told."""
    noise = np.random.default_rng(0).integers(1, 60, (height, width))
    slope = np.add.outer(np.linspace(0, 100, height), np.linspace(0, 90, width))
    return np.stack([noise + slope + shift for shift in range(3)], -1).astype(np.uint8)


@pytest.fixture(autouse=True)
def ended(monkeypatch):
    """The runs here were written by hand, and have no end."""
    monkeypatch.setattr("rdepth_keras.run.pictures.unfinished", lambda runs: [])


@pytest.fixture
def picture(tmp_path):
    """(height, width) -> image and 16-bit depth map, as files."""

    def write(height, width):
        image = scene(height, width)
        ramp = np.add.outer(np.arange(height), 3 * np.arange(width)).astype(np.uint16)
        paths = tmp_path / "image.png", tmp_path / "depth.png"
        for path, pixels in zip(paths, (image, ramp), strict=True):
            path.write_bytes(png.encode(pixels))
        return *paths, image, ramp

    return write


def predict(directory, path, depth, **options):
    options = {"inference": Inference(window_pixels=64), "estimates": depth is None, **options}
    return load_picture_predictor(run.Run(directory), **options)(path, depth)


class Spy:
    """Scores that tell the class an image's red stands for; notes the tiles it is given."""

    def __init__(self):
        self.tiles = []

    def __call__(self, tile):
        self.tiles.append(tile)
        return np.eye(7, dtype=np.float32)[tile["image"][..., 0] % 7]


@pytest.mark.parametrize("size", [(64, 64), (65, 64), (40, 200), (150, 131)])
def test_windows_cover_the_picture_and_stretch_their_own_depth(size):
    rng, spy = np.random.default_rng(0), Spy()
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    depth = 500 + cv2.GaussianBlur(rng.random(size, np.float32), (0, 0), 5)
    label = predict_tiles(spy, image, depth, 64)
    np.testing.assert_array_equal(label, image[..., 0] % 7)
    for tile in spy.tiles:
        assert tile["image"].shape[:2] == (min(size[0], 64), min(size[1], 64))
        assert (tile["depth"].min(), tile["depth"].max()) == (0, 1)
        assert tile["depth"].shape == (*tile["label"].shape, 1)
    assert (len(spy.tiles) == 1) == (max(size) <= 64)


def test_depth_travels_with_its_window():
    spy, ramp = Spy(), np.repeat(np.arange(200, dtype=np.float32)[None] ** 2, 64, 0)
    image = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    predict_tiles(spy, image, ramp, 64)
    for tile in spy.tiles:
        first = int(tile["image"][0, 0, 0])
        np.testing.assert_array_equal(tile["depth"], normalise(ramp[:, first : first + 64]))


def test_a_picture_of_a_tile_is_predicted_as_that_tile(copied, picture):
    path, depth_path, image, ramp = picture(64, 64)
    tile = {"id": 0, "image": image, "depth": normalise(ramp), "label": image[..., 0]}
    label = predict(copied[0], path, depth_path)
    np.testing.assert_array_equal(label, load_predictor(run.Run(copied[0])).label(tile))


def test_a_larger_picture_is_predicted_in_tiles(copied, picture):
    """Where only the first window reaches, the label is the one of that tile alone."""
    path, depth_path, image, ramp = picture(64, 150)
    label = predict(copied[0], path, depth_path)
    tile = {"image": image[:, :64], "depth": normalise(ramp[:, :64])}
    alone = load_predictor(run.Run(copied[0])).label({"id": 0, "label": image[..., 0], **tile})
    assert label.shape == (64, 150)
    np.testing.assert_array_equal(label[:, :43], alone[:, :43])


@pytest.fixture
def of_a_folder(copied, noted):
    """(**environment) -> a run of tiles of one's own."""

    def write(**environment):
        data = Folder(classes=LOVEDA, source_domain="A", target_domain="B")
        noted(copied[0], run.Run(copied[0]).experiment.changed(data=data), **environment)
        return copied[0]

    return write


def test_a_folder_s_pictures_are_seen_in_windows_like_its_tiles(of_a_folder, picture, monkeypatch):
    """Depth, too, is estimated in such windows, as it was of the tiles."""
    views = []

    def view(image, size):
        views.append((image.shape[:2], size))
        return image[: size[0], : size[1], 0].astype(np.float32)

    place = "rdepth_keras.depth.estimator.load_estimator"
    monkeypatch.setattr(place, lambda name: SimpleNamespace(view=view))
    directory, said = of_a_folder(tile_pixels=64), []
    path, depth_path, image, ramp = picture(64, 150)
    label = predict(directory, path, depth_path, notify=said.append)
    predictor = load_predictor(run.Run(directory))
    np.testing.assert_array_equal(label, predict_tiles(predictor, image, ramp, 64))
    assert not said and (label != predict_tiles(predictor, image, ramp, 1024)).any()
    predict(directory, path, None, depth_checkpoint="somebody/weights")
    assert len(views) == 5 and set(views[1:]) == {((64, 64), (64, 64))}


@pytest.mark.parametrize(
    ("trained", "now", "told"),
    [(0.3, 10, True), (10, 0.3, True), (0.3, 0.4, False), (None, 10, False), (0.3, None, False)],
)
def test_pixels_of_another_size_on_the_ground_are_told(of_a_folder, picture, trained, now, told):
    directory, said = of_a_folder(tile_pixels=64, pixel_metres=trained), []
    path, depth_path, _, _ = picture(64, 64)
    if now is not None:
        path.with_suffix(".pgw").write_text(f"{now} 0 0 {-now} 5e5 5e6")
    predict(directory, path, depth_path, notify=said.append)
    words = f"has pixels of {now} m on the ground by its coordinates, and the run was trained on"
    assert [words in line for line in said] == [True] * told


def test_an_earlier_run_of_a_folder_does_not_know_its_tiles(of_a_folder, picture):
    path, depth_path, image, ramp = picture(64, 150)
    directory, said = of_a_folder(), []
    label = predict(directory, path, depth_path, notify=said.append)
    predictor = load_predictor(run.Run(directory))
    np.testing.assert_array_equal(label, predict_tiles(predictor, image, ramp, 1024))
    assert (
        len(said) == 1
        and "does not say how large its tiles are: they are taken for 1024" in (said[0])
    )


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("keras_hub:depth_anything_v2_large", "Depth Anything V2, ViT-L (keras_hub:depth_anything"),
        ("keras_hub:depth_anything_v2_large", "weights under CC-BY-NC-4.0"),
        ("LiheYoung/depth-anything-large-hf", "weights under Apache-2.0"),
        ("somebody/weights", "weights under a licence of its own"),
    ],
)
def test_who_estimates_and_under_what_licence(copied, picture, monkeypatch, origin, expected):
    asked, said = [], []

    def load(name):
        asked.append(name)
        return SimpleNamespace(view=lambda image, size: image[..., 0].astype(np.float32))

    monkeypatch.setattr("rdepth_keras.depth.estimator.load_estimator", load)
    path, *_ = picture(70, 64)
    label = predict(copied[0], path, None, depth_checkpoint=origin, notify=said.append)
    assert label.shape == (70, 64) and asked == [origin]
    assert len(said) == 2 and expected in said[0]
    assert said[1].endswith("was trained with other depth, by procedural heights")


@pytest.mark.parametrize("source", ["checkpoint", "depths_png", "heights"])
def test_depth_that_no_name_leads_to(copied, noted, picture, source):
    path, *_ = picture(64, 64)
    depth = {"source": source, "origin": "depth_checkpoint"}
    noted(copied[0], run.Run(copied[0]).experiment, depth=depth)
    with pytest.raises(ValueError, match=f"from {source}, which cannot be estimated by name"):
        predict(copied[0], path, None)


@pytest.mark.parametrize(
    ("asked", "said"), [(None, 1), ("depth_anything_v2_small", 1), ("somebody/weights", 2)]
)
def test_depth_that_prepare_made_for_a_folder(of_a_folder, picture, monkeypatch, asked, said):
    """Is estimated alike; that another estimator is not the run's own is told."""
    heard, origin = [], "keras_hub:depth_anything_v2_small"
    estimator = SimpleNamespace(view=lambda image, size: image[..., 0].astype(np.float32))
    monkeypatch.setattr("rdepth_keras.depth.estimator.load_estimator", lambda name: estimator)
    depth = {"source": MAPS, "origin": origin}
    directory, path = of_a_folder(tile_pixels=64, depth=depth), picture(64, 64)[0]
    predict(directory, path, None, depth_checkpoint=asked, notify=heard.append)
    assert len(heard) == said and (said == 1) == (origin in heard[0])
    assert said == 1 or f"trained with other depth, by {origin}" in heard[1]


@pytest.mark.parametrize(("now", "lines"), [("1234", 1), ("9999", 2)])
def test_other_weights_under_the_run_s_own_name_are_told(
    of_a_folder, picture, monkeypatch, now, lines
):
    def view(image, size):
        return image[..., 0].astype(np.float32)

    estimator = SimpleNamespace(view=view, fingerprint=now)
    monkeypatch.setattr("rdepth_keras.depth.estimator.load_estimator", lambda name: estimator)
    depth = {"source": MAPS, "origin": "own/checkpoint", "fingerprint": "1234"}
    directory, heard = of_a_folder(tile_pixels=64, depth=depth), []
    predict(directory, picture(64, 64)[0], None, notify=heard.append)
    assert len(heard) == lines
    assert now == "1234" or heard[1].endswith("by other weights of own/checkpoint")


def test_a_map_that_is_too_coarse_for_its_windows_is_told(tmp_path):
    """Whole metres of a large picture: enough values in all, but not in each window."""
    said = []
    (tmp_path / "a.png").write_bytes(png.encode(scene(96, 96)[::-1]))
    ramp = np.add.outer(np.arange(96.0), np.arange(96.0))
    predict_one = PicturePredictor(Spy(), 32, True, None, said.append)
    for step, told in ((1, 0), (6, 1)):
        path = tmp_path / f"{step}.png"
        path.write_bytes(png.encode((ramp // step).astype(np.uint8)))
        predict_one(tmp_path / "a.png", path)
        assert len(said) == told
    assert "in 16 of the 16 windows that it is seen in, it holds at most 16 values" in said[0]


def test_windows_larger_than_the_tiles_are_refused(of_a_folder):
    directory = of_a_folder(tile_pixels=64)
    for pixels in (64, 32):
        options = {"inference": Inference(window_pixels=pixels), "estimates": False}
        load_picture_predictor(run.Run(directory), **options)
    large = Inference(window_pixels=96)
    with pytest.raises(ValueError, match=r"window-pixels 96 has no effect: .* in tiles of 64"):
        load_picture_predictor(run.Run(directory), inference=large, estimates=False)
    small = Inference(window_pixels=31)
    with pytest.raises(
        ValueError, match=r"window-pixels must be at least 32.*; received 31\. Give"
    ):
        load_picture_predictor(run.Run(directory), inference=small, estimates=False)


@pytest.mark.parametrize(
    ("depth", "other"),
    [
        ({"source": "maps of the folder"}, "maps of the folder"),
        ({"source": "checkpoint_own-weights", "origin": "own/weights"}, "own/weights"),
        ({"source": "checkpoint", "origin": "depth_checkpoint"}, "checkpoint"),
    ],
)
def test_depth_by_another_than_the_runs_own_is_told(
    of_a_folder, picture, monkeypatch, depth, other
):
    heard = []
    estimator = SimpleNamespace(view=lambda image, size: image[..., 0].astype(np.float32))
    monkeypatch.setattr("rdepth_keras.depth.estimator.load_estimator", lambda name: estimator)
    directory, path = of_a_folder(tile_pixels=64, depth=depth), picture(64, 64)[0]
    predict(directory, path, None, depth_checkpoint="other/weights", notify=heard.append)
    assert f"trained with other depth, by {other}" in heard[1]


def test_estimated_depth_that_is_flat_is_told(tmp_path):
    pixels, said = scene(64, 64), []
    (tmp_path / "a.png").write_bytes(png.encode(pixels))
    depths = iter((pixels[..., 0], pixels[..., 0] // 100))
    predict_one = PicturePredictor(Spy(), 64, True, lambda _: next(depths), said.append)
    predict_one(tmp_path / "a.png")
    assert not said
    predict_one(tmp_path / "a.png")
    assert len(said) == 1 and f"the one estimated of {tmp_path}/a.png" in said[0]


@pytest.mark.parametrize(
    ("depth", "origin"),
    [({"source": MAPS}, MAPS), ({"source": MAPS, "origin": "own/weights"}, "own/weights")],
)
def test_maps_of_ones_own_are_an_origin_too(of_a_folder, depth, origin):
    """A map that prepare made is no such one, and that is told."""
    directory = of_a_folder(tile_pixels=64, depth=depth)
    assert load_picture_predictor(run.Run(directory), estimates=False).origin == origin


@pytest.mark.parametrize(("origin", "told"), [("own", 0), ("other", 1), (None, 0)])
def test_a_map_of_another_estimator_than_the_run_s_is_told(mapped, origin, told):
    said = []
    predict_one = PicturePredictor(Spy(), 64, True, no_estimate, said.append, origin)
    predict_one(*mapped)
    assert len(said) == told and (not told or "made by own, and the run was trained" in said[0])


def test_a_run_that_has_not_come_to_its_end_is_told(copied, picture, monkeypatch):
    monkeypatch.setattr("rdepth_keras.run.pictures.unfinished", unfinished)
    path, depth, *_ = picture(64, 64)
    said = []
    predict(copied[0], path, depth, notify=said.append)
    assert said == [f"WARNING: {copied[0]} has not come to its end; go on with --resume."]


def no_estimate(_):
    raise AssertionError("there is a map")


def test_a_turned_or_damaged_picture_is_refused(tmp_path):
    """A map of it would not lie on the picture as other programs show it."""
    predict_one = PicturePredictor(Spy(), 64, False, lambda image: pytest.fail("no depth is read"))
    pixels, exif = scene(64, 64), Pillow.Exif()
    exif[274] = 6
    Pillow.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    Pillow.fromarray(pixels).save(tmp_path / "upright.jpg")
    Pillow.fromarray(pixels).save(tmp_path / "whole.tif", compression="tiff_deflate")
    data = bytearray((tmp_path / "whole.tif").read_bytes())
    data[1000] ^= 0xFF
    (tmp_path / "damaged.tif").write_bytes(data)
    for name in ("upright.jpg", "whole.tif"):
        assert predict_one(tmp_path / name).shape == (64, 64)
    for name, reason in (("turned.jpg", "turned or mirrored"), ("damaged.tif", "damaged TIFF")):
        with pytest.raises(ValueError, match=rf"{name}: .*{reason}"):
            predict_one(tmp_path / name)


def test_black_and_white_that_nothing_marks_are_told(tmp_path):
    """The collar of a scene, whose alpha was taken away."""
    path, said = tmp_path / "a.png", []
    for value, name in ((0, "black"), (255, "white")):
        image = np.random.default_rng(0).integers(1, 255, (32, 32, 3), np.uint8)
        said.clear()
        for rows, told in ((1, 0), (8, 1)):
            image[:rows] = value
            path.write_bytes(png.encode(image))
            PicturePredictor(Spy(), 32, False, no_estimate, said.append)(path)
            assert len(said) == told
        assert said[0].startswith(f"WARNING: a picture with 25% of {name} that is not ignored")


def test_a_picture_far_smaller_than_the_tiles_is_told(tmp_path):
    """Depth is stretched over a tile; a network without it sees the same pixels."""
    path, said = tmp_path / "a.png", []
    path.write_bytes(png.encode(np.random.default_rng(0).integers(1, 255, (24, 20, 3), np.uint8)))
    depth = tmp_path / "d.png"
    depth.write_bytes(png.encode(np.arange(24 * 20, dtype=np.uint16).reshape(24, 20)))
    for side, reads_depth, told in ((36, True, 0), (37, False, 0), (None, True, 0), (37, True, 1)):
        said.clear()
        parts = Spy(), 64, reads_depth, no_estimate, said.append, None, side
        PicturePredictor(*parts)(path, depth)
        assert len(said) == told
    assert "has 24 pixels a side, and tiles that trained up to 37: depth is relative" in said[0]


def test_a_map_of_another_picture_is_told(tmp_path):
    tiles, said = DemoTiles("urban", "train", count=2, size=256), []
    path, depth = tmp_path / "a.png", tmp_path / "d.png"
    path.write_bytes(png.encode(tiles[0]["image"]))
    for number, told in ((0, 0), (1, 1)):
        values = (tiles[number]["depth"][..., 0] * 65535).astype(np.uint16)
        depth.write_bytes(png.encode(values))
        PicturePredictor(Spy(), 256, True, no_estimate, said.append)(path, depth)
        assert len(said) == told
    assert said[0].startswith(f"WARNING: {depth}: depth maps do not fit their pictures")
