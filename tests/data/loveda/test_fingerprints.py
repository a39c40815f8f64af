"""Prepared tiles that were exchanged are told from those of before; a copy of them is not."""

import json
import shutil

import pytest
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.data.loveda.fingerprints import fingerprints


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


def test_tiles_of_other_kinds_are_refused():
    with pytest.raises(TypeError, match="no prepared LoveDA tiles"):
        fingerprints([])
