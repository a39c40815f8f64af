"""Prepared files that are missing, cut or damaged are found and named."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rdepth_keras.data import png
from rdepth_keras.data.agreement import mask_fit
from rdepth_keras.data.loveda.census import oddities, verify
from rdepth_keras.data.loveda.checks import faults, flat_depths
from rdepth_keras.data.loveda.prepared import open_loveda

ROOT = Path(__file__).parents[3]
DUMMY = ROOT / "datasets/loveda_rdepth/dummy_data"


@pytest.fixture
def copy(data_dir, tmp_path):
    return shutil.copytree(data_dir, tmp_path / "copy")


def shard(folder, split):
    (path,) = folder.rglob(f"*{split}.array_record*")
    return path


def test_sound(data_dir):
    prepared = open_loveda(data_dir)
    for pair in prepared.splits():
        assert faults(prepared.tiles(*pair)) == faults(prepared.tiles(*pair), pixels=True) == []


def test_a_missing_and_a_cut_file(copy):
    shard(copy, "train_urban").unlink()
    path = shard(copy, "train_rural")
    path.write_bytes(path.read_bytes()[:-1])
    prepared = open_loveda(copy)
    for domain in ("urban", "rural"):
        for pixels in (False, True):
            (line,) = faults(prepared.tiles("train", domain), pixels)
            assert f"train_{domain}.array_record" in line and "holds 0 of 3 tiles; copy" in line
    assert faults(prepared.tiles("val", "urban")) == []
    wrong = [line for line in verify(prepared).wrong if "of 3 tiles; copy" in line]
    assert len(wrong) == 2


def test_a_damaged_record(copy):
    """Its checksum is known to the reader; the quick look does not read it."""
    path = shard(copy, "val_rural")
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 20] ^= 1
    path.write_bytes(data)
    prepared = open_loveda(copy)
    tiles = prepared.tiles("val", "rural")
    assert faults(tiles) == []
    (line,) = faults(tiles, pixels=True)
    assert "val_rural, record" in line and "hash mismatch" in line
    assert any("val_rural, record" in line for line in verify(prepared).wrong)


def test_flat_depths_are_those_noted_at_preparation(data_dir):
    prepared = open_loveda(data_dir)
    assert all(not flat_depths(prepared.tiles(*pair)) for pair in prepared.splits())


def test_foreign_tiles():
    with pytest.raises(TypeError, match="no prepared LoveDA tiles: list"):
        faults([])


def prepare_changed(folder, change):
    """The dummy data, with maps of Train/Rural as ``change`` makes them: data, and what is said."""
    raw = shutil.copytree(DUMMY, folder / "raw")
    maps = sorted((raw / "Train/Rural/depths_png").iterdir())
    for path, depth in zip(maps, change([png.decode(m.read_bytes()) for m in maps]), strict=True):
        path.write_bytes(png.encode(depth))
    command = [sys.executable, ROOT / "scripts/prepare.py", "--config", "depths_png"]
    command += ["--manual_dir", raw, "--data_dir", folder / "other"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120, text=True)
    return folder / "other", done.stdout


def test_records_of_another_preparation_are_told(copy, tmp_path):
    """As many tiles of the same numbers, in a file of the same name and size."""
    other, _ = prepare_changed(tmp_path, lambda maps: [depth.max() - depth for depth in maps])
    shutil.copy(shard(other, "train_rural"), shard(copy, "train_rural"))
    tiles = open_loveda(copy).tiles("train", "rural")
    assert faults(tiles) == []
    (line,) = faults(tiles, pixels=True)
    assert "records of train_rural hold" in line and "another preparation; copy" in line
    assert any(line in wrong for wrong in verify(open_loveda(copy)).wrong)


def test_a_map_of_several_tiles_is_told(data_dir, tmp_path):
    other, told = prepare_changed(tmp_path, lambda maps: [maps[0], maps[0], maps[2]])
    prepared = open_loveda(other)
    (said,) = oddities(prepared.tiles("train", "rural"))
    assert said.startswith("2 of the 3 tiles of train_rural have the depth map of another tile")
    assert f"WARNING: {said}" in told and verify(prepared).odd == [said]
    assert oddities(open_loveda(data_dir).tiles("train", "rural")) == []


def test_doubtful_maps_and_masks_that_do_not_fit_are_told(data_dir, tmp_path, monkeypatch):
    """Among prepared tiles; what the dummy tiles are too small to tell is told for them."""
    other, _ = prepare_changed(
        tmp_path, lambda maps: [m[::4, ::4].repeat(4, 0).repeat(4, 1) for m in maps]
    )
    (said,) = verify(open_loveda(other)).odd
    assert said.startswith("train_rural: depth maps of blocks of equal pixels, as where")
    assert said.endswith("3 of 3: 0, 1, 2")
    assert verify(open_loveda(data_dir)).odd == []
    monkeypatch.setattr("rdepth_keras.data.agreement._LEAST_SIDE", 48)
    lines = verify(open_loveda(data_dir)).odd
    assert all("classes explain 5" in line for line in lines), "they are painted by class"
    monkeypatch.setattr(
        "rdepth_keras.data.looks.mask_fit", lambda image, label: mask_fit(image, label.T)
    )
    assert any(
        "masks do not fit their pictures" in line for line in verify(open_loveda(data_dir)).odd
    )
