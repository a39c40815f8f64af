"""What a folder's depth was made by, as a run notes it."""

import json

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.labels import ClassTable

OWN = {"source": "maps of the folder"}


@pytest.fixture
def root(tmp_path):
    """Two domains, whose maps one checkpoint made."""
    for place in (tmp_path / "train/A", tmp_path / "val/B"):
        for kind, shape in (("images", (9, 8, 3)), ("depths", (9, 8))):
            (place / kind).mkdir(parents=True)
            pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
            (place / kind / "0.png").write_bytes(png.encode(pixels))
        record = DepthRecord(place)
        record.begin("keras_hub:some", "1234")
        record.note(place / "images/0.png", place / "depths/0.png")
    return tmp_path


def depth(root, with_depth=True):
    table = ClassTable(("ground",), (0,), ((0, 0, 0),))
    data = Folder(classes=table, source_domain="A", target_domain="B")
    return data.open(root, with_depth).depth


def test_maps_that_one_checkpoint_made(root):
    assert depth(root) == OWN | {"origin": "keras_hub:some", "fingerprint": "1234"}
    assert depth(root, with_depth=False) == {"source": "none"}
    path = root / "val/B/depths.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: content[name] for name in ("source", "images")}))
    assert depth(root) == OWN | {"origin": "keras_hub:some"}, "an older record"
    path.write_text(json.dumps(content | {"fingerprint": "another"}))
    assert depth(root) == OWN
    path.write_text(json.dumps(content | {"source": "another"}))
    assert depth(root) == OWN | {"origins": "another and keras_hub:some"}


@pytest.mark.parametrize("name", ["0.png", "1.PNG"])
def test_one_map_of_ones_own_among_them(root, name):
    (root / "val/B/depths" / name).write_bytes(png.encode(np.eye(9, 8, dtype=np.uint8)))
    assert depth(root) == OWN | {"origins": "keras_hub:some and others"}


def test_no_record(root):
    (root / "train/A/depths.json").unlink()
    (root / "train/A/depths/notes.doc").write_text("where it is not asked for, nothing is listed")
    assert depth(root) == OWN | {"origins": "keras_hub:some and others"}
