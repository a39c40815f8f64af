"""What is refused before a training: a target that is nowhere, masks that cannot be scored."""

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.dataset import Folder
from rdepth_keras.labels import ClassTable
from rdepth_keras.recipes import recipe
from rdepth_keras.run.checks import check_scored

TABLE = ClassTable(("ground", "roof"), (0, 1), ((1, 1, 1), (2, 2, 2)), (255,))


def check(root, target):
    data = Folder(classes=TABLE, source_domain="North", target_domain=target)
    check_scored(recipe("demo").changed(data=data), data.open(root, with_depth=False))


@pytest.fixture
def root(tmp_path):
    """North in train and val; East, without labels, in test alone."""
    for place, kinds in (
        *(("train/North", ("images", "masks")), ("val/North", ("images", "masks"))),
        ("test/East", ("images",)),
    ):
        for kind in kinds:
            (tmp_path / place / kind).mkdir(parents=True)
            for name in "ab":
                pixels = np.zeros((32, 32, 3) if kind == "images" else (32, 32), np.uint8)
                (tmp_path / place / kind / f"{name}.png").write_bytes(png.encode(pixels))
    return tmp_path


def test_a_target_that_is_nowhere_is_refused_and_one_without_labels_is_not(root):
    check(root, "North")
    check(root, "East")
    with pytest.raises(ValueError, match="'South' is in no split.*there are: .*train/North"):
        check(root, "South")
    (root / "test/East/images/a.png").rename(root / "test/East/images/b.txt.gz")
    check(root, "East")


def test_every_mask_that_the_end_is_scored_on_is_read_before(root):
    for name in "ab":
        mask = np.full((32, 32), 99, np.uint8)
        (root / f"val/North/masks/{name}.png").write_bytes(png.encode(mask))
    with pytest.raises(ValueError, match=r"2 files are bad: .*a\.png.*\[99\].*b\.png.*\[99\]"):
        check(root, "North")
