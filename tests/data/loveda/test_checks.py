"""Prepared files that are missing, cut or damaged are found and named."""

import shutil

import pytest

from rdepth_keras.data.loveda.census import verify
from rdepth_keras.data.loveda.checks import faults, flat_depths
from rdepth_keras.data.loveda.prepared import open_loveda


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
