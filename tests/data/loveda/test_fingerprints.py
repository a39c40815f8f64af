"""Prepared tiles that were exchanged are told from those of before; a copy of them is not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from rdepth_keras.data import png
from rdepth_keras.data.loveda.census import verify
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.data.loveda.fingerprints import fingerprints
from rdepth_keras.data.loveda.prepared import open_loveda
from rdepth_keras.run.files import trained_on_too

ROOT = Path(__file__).parents[3]
DUMMY = ROOT / "datasets/loveda_rdepth/dummy_data"


@pytest.fixture
def copied(data_dir, tmp_path):
    shutil.copytree(data_dir, tmp_path / "data")
    return tmp_path / "data"


def found(place, split="train", domain="rural"):
    opened = LoveDA().open(place)
    return opened.fingerprints(opened.tiles(split, domain))


def test_a_copy_is_the_same_and_other_tiles_are_others(data_dir, copied):
    assert found(copied) == found(data_dir) and list(found(copied)) == ["records", "statistics"]
    assert not found(copied).items() & found(copied, "val").items()


def test_a_longer_record_is_seen(data_dir, copied):
    """One byte more, in a field that nobody reads: the pixels are the same."""
    (path,) = copied.rglob("*train_rural*")
    reader = ArrayRecordReader(str(path))
    records = reader.read_all()
    reader.close()
    for more in (b"", b"\x78\x00"):
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for place, record in enumerate(records):
            writer.write(record + more * (place == 1))
        writer.close()
        same = found(copied) == found(data_dir)
        assert same == (not more), "written anew it is the same, with another record it is not"


def test_counted_pixels_are_a_part_of_it(data_dir, copied):
    """Tiles are drawn by them."""
    (path,) = copied.rglob("1.0.0/metadata.json")
    content = json.loads(path.read_text())
    content["tiles"]["train_rural"]["pixels_per_value"][0][1] += 1
    path.write_text(json.dumps(content))
    now, then = found(copied), found(data_dir)
    assert now["records"] == then["records"] and now["statistics"] != then["statistics"]
    assert found(copied, "val") == found(data_dir, "val")


@pytest.fixture
def mixed(tmp_path):
    """Train/Rural holds both tiles of Val/Urban, too, as 3 and 4; one of them with another mask."""
    raw = tmp_path / "raw"
    shutil.copytree(DUMMY, raw)
    for kind in ("images_png", "masks_png", "depths_png"):
        for number, copied in ((3514, 3), (3515, 4)):
            theirs = raw / f"Val/Urban/{kind}/{number}.png"
            shutil.copy(theirs, raw / f"Train/Rural/{kind}/{copied}.png")
    mask = raw / "Train/Rural/masks_png/4.png"
    mask.write_bytes(png.encode(np.full_like(png.decode(mask.read_bytes()), 3)))
    command = [sys.executable, ROOT / "scripts/prepare.py", "--config", "depths_png"]
    command += ["--manual_dir", raw, "--data_dir", tmp_path / "data"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return tmp_path / "data"


def test_scored_tiles_among_those_that_train_are_told(data_dir, mixed):
    for place, names in ((data_dir, []), (mixed, ["val_urban 3514"])):
        opened = LoveDA().open(place)
        val, train = opened.tiles("val", "urban"), opened.tiles("train", "rural")
        assert opened.twins(val, train) == names, "one with another mask is missed"
        assert opened.twins(val, opened.tiles("test", "rural")) == [], "without labels"
        said = trained_on_too(["train/rural"], opened, "val", "urban")
        told = "1 of the 2 tiles of val/urban are trained on as well, byte for byte, with labels"
        assert said == (f"{told}: val_urban 3514" if names else "")


def test_published_tiles_are_told_apart_without_reading_records(data_dir, monkeypatch):
    """Of thousands of tiles, that would take minutes."""
    opened = LoveDA().open(data_dir)
    tiles = [opened.tiles("val", "urban"), opened.tiles("train", "rural")]
    monkeypatch.setattr(type(tiles[0]), "_records", [None] * 3)
    assert opened.twins(*tiles) == []


def test_pictures_that_are_there_twice_are_told_of_a_whole_dataset(data_dir, mixed):
    assert verify(open_loveda(data_dir)).odd == []
    (line,) = verify(open_loveda(mixed)).odd
    assert line.startswith("2 pictures are there more than once, pixel for pixel")
    assert "train_rural 3 = val_urban 3514" in line and "train_rural 4 = val_urban 3515" in line


def test_tiles_of_other_kinds_are_refused():
    with pytest.raises(TypeError, match="no prepared LoveDA tiles"):
        fingerprints([])
