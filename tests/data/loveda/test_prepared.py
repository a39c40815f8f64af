import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.cache import cached, fingerprint
from rdepth_keras.data.loveda.prepared import default_data_dir, open_loveda, prepared_configs
from rdepth_keras.data.rarity import count_pixels
from rdepth_keras.labels import IGNORE, LOVEDA

ROOT = Path(__file__).parents[3]
DUMMY = ROOT / "datasets/loveda_rdepth/dummy_data"


def source(kind: str, number: int) -> np.ndarray:
    (path,) = DUMMY.glob(f"*/*/{kind}/{number}.png")
    return png.decode(path.read_bytes())


def test_what_is_prepared(data_dir):
    assert prepared_configs(data_dir) == ("depths_png",)
    prepared = open_loveda(data_dir)
    assert prepared.config == "depths_png"
    assert prepared.depth["source"] == "depths_png"
    pairs = [(s, d) for s in ("train", "val", "test") for d in ("urban", "rural")]
    assert list(prepared.splits()) == pairs
    assert [len(prepared.tiles(*pair)) for pair in pairs] == [3, 3, 2, 2, 1, 1]


@pytest.mark.parametrize("domain", ["urban", "rural"])
def test_tiles_are_the_files(data_dir, domain):
    """Image and label as they lie on disk; depth stretched over its own range."""
    tiles = open_loveda(data_dir).tiles("train", domain)
    assert tiles.labelled
    numbers = set()
    for tile in (tiles[index] for index in range(len(tiles))):
        numbers.add(tile["id"])
        np.testing.assert_array_equal(tile["image"], source("images_png", tile["id"]))
        np.testing.assert_array_equal(LOVEDA.decode(tile["label"]), source("masks_png", tile["id"]))
        depth = source("depths_png", tile["id"]).astype(np.float64)
        depth = (depth - depth.min()) / (depth.max() - depth.min())
        assert tile["depth"].dtype == np.float32
        assert tile["depth"].shape == (48, 48, 1)
        np.testing.assert_allclose(tile["depth"][..., 0], depth, atol=1e-5)
    assert numbers == {"urban": {1366, 1367, 1368}, "rural": {0, 1, 2}}[domain]


def test_unlabelled_tiles_are_all_ignored(data_dir):
    tiles = open_loveda(data_dir).tiles("test", "urban")
    assert not tiles.labelled
    assert (tiles[0]["label"] == IGNORE).all()
    assert open_loveda(data_dir).pixels_per_value("test", "urban") is None


def test_class_statistics(data_dir):
    prepared = open_loveda(data_dir)
    counts = prepared.pixels_per_value("val", "rural")
    for number, row in zip(prepared.statistics["val_rural"]["ids"], counts, strict=True):
        np.testing.assert_array_equal(
            row, np.bincount(source("masks_png", number).ravel(), minlength=8)
        )


@pytest.mark.parametrize("place", [("train", "urban"), ("val", "rural"), ("test", "rural")])
def test_classes_are_counted_without_decoding(data_dir, place, monkeypatch):
    tiles = open_loveda(data_dir).tiles(*place)
    expected = [np.bincount(tile["label"].ravel(), minlength=256)[:7] for tile in tiles]
    monkeypatch.setattr(png, "decode_trusted", None)
    counts = count_pixels(tiles, len(LOVEDA))
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)


def test_counts_of_a_part_are_those_of_its_tiles(tmp_path):
    """Statistics are of all tiles, the records of some."""
    command = [sys.executable, ROOT / "scripts/prepare.py", "--config", "depths_png"]
    flags = ["--manual_dir", DUMMY, "--data_dir", tmp_path, "--max_examples_per_split", "2"]
    subprocess.run([*command, *flags], check=True, capture_output=True, timeout=120)
    tiles = open_loveda(tmp_path).tiles("train", "rural")
    expected = [np.bincount(tile["label"].ravel(), minlength=256)[:7] for tile in tiles]
    np.testing.assert_array_equal(count_pixels(tiles, len(LOVEDA)), expected)


def test_records_of_another_split_are_no_count(data_dir, monkeypatch):
    """As where the files of two splits were exchanged."""
    tiles = open_loveda(data_dir).tiles("train", "urban")
    other = open_loveda(data_dir).tiles("train", "rural").statistics
    monkeypatch.setattr(type(tiles), "statistics", other)
    with pytest.raises(ValueError, match="train_urban holds tiles that were not prepared for it"):
        tiles.pixels_per_class()


def test_tiles_travel_to_another_process(data_dir):
    tiles = open_loveda(data_dir).tiles("train", "urban")
    first = tiles[0]
    copy = pickle.loads(pickle.dumps(tiles))
    np.testing.assert_array_equal(copy[0]["image"], first["image"])
    assert len(pickle.dumps(tiles)) < 1000


def test_indices(data_dir):
    tiles = open_loveda(data_dir).tiles("train", "urban")
    assert tiles[-1]["id"] == tiles[2]["id"]
    for index in (3, -4):
        with pytest.raises(IndexError, match="holds 3 tiles"):
            tiles[index]


def test_reading_imports_neither_tensorflow_nor_the_network_stack(data_dir):
    code = (
        "import sys; from rdepth_keras.data.loveda.prepared import open_loveda;"
        f"open_loveda({str(data_dir)!r}).tiles('train', 'urban')[0];"
        "print([m for m in ('tensorflow', 'jax', 'keras', 'torch') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout.strip() == "[]"


def test_a_split_that_is_not_there(data_dir):
    with pytest.raises(ValueError, match="no val sub tiles; prepared are: train urban, train"):
        open_loveda(data_dir).tiles("val", "sub")


def test_nothing_prepared_names_the_command_and_the_tree(tmp_path):
    assert prepared_configs(tmp_path) == ()
    with pytest.raises(FileNotFoundError) as caught:
        open_loveda(tmp_path)
    message = str(caught.value)
    assert "python scripts/prepare.py datasets/loveda_rdepth --config" in message
    assert f"--data_dir {tmp_path}" in message
    assert "Train/Urban/images_png/1366.png" in message
    assert "\n" not in message


def test_another_config_names_what_is_there(data_dir):
    with pytest.raises(FileNotFoundError, match=r"\(prepared there: depths_png\)"):
        open_loveda(data_dir, "depth_anything_v2_small")


def copied(data_dir, root, name, source):
    """What is prepared, as another config whose metadata name a source."""
    folder = root / "loveda_rdepth" / name / "1.0.0"
    shutil.copytree(data_dir / "loveda_rdepth/depths_png/1.0.0", folder)
    content = json.loads((folder / "metadata.json").read_text())
    content["depth"]["source"] = source
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder


def test_several_configs_must_be_chosen_from(data_dir, tmp_path):
    for name in ("depths_png", "checkpoint"):
        copied(data_dir, tmp_path, name, source=name)
    with pytest.raises(ValueError, match=r"checkpoint, depths_png. Choose one with --config"):
        open_loveda(tmp_path)
    assert open_loveda(tmp_path, "checkpoint").config == "checkpoint"


def test_depth_of_another_source_than_its_name_says_is_refused(data_dir, tmp_path):
    folder = copied(data_dir, tmp_path, "depth_anything_v1_large", source="depths_png")
    for config in (None, "depth_anything_v1_large"):
        said = f"{folder} is named as depth by depth_anything_v1_large, and holds depth by depths_"
        with pytest.raises(ValueError, match=f"{said}png: rename depth_anything_v1_large back to"):
            open_loveda(tmp_path, config)


def test_unfinished_builds_do_not_count(data_dir, tmp_path):
    folder = tmp_path / "loveda_rdepth/depths_png/incomplete.ABC_1.0.0"
    folder.mkdir(parents=True)
    for path in (data_dir / "loveda_rdepth/depths_png/1.0.0").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    assert prepared_configs(tmp_path) == ()


def test_the_default_folder_is_that_of_tfds(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "/some/where")
    assert default_data_dir() == Path("/some/where")
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert default_data_dir() == Path.home() / "tensorflow_datasets"


def test_cached(data_dir, tmp_path):
    """The cache holds the same tiles; its name follows the stored bytes."""
    prepared = open_loveda(data_dir)
    tiles = prepared.tiles("train", "urban")
    cache = cached(tiles, tmp_path, lambda _: None)
    for one, other in zip(tiles, cache, strict=True):
        assert one["id"] == other["id"]
        for name in ("image", "depth", "label"):
            np.testing.assert_array_equal(one[name], other[name])
    assert fingerprint(tiles) == cache.path.stem
    assert fingerprint(prepared.tiles("train", "rural")) != cache.path.stem
