import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data.loveda.raw import inspect
from rdepth_keras.data.loveda.tree import find_tiles


def test_what_is_found(root):
    tree = find_tiles(root)
    assert list(tree) == [("train", "urban"), ("test", "rural")]
    assert [tile.id for tile in tree["train", "urban"]] == [12, 1366, 1367]
    assert all(tile.mask and tile.depth is None for tile in tree["train", "urban"])
    assert tree["test", "rural"][0].mask is None


def test_zips_give_the_same_tiles(root, tmp_path_factory):
    zipped = tmp_path_factory.mktemp("zipped")
    for split in ("Train", "Test"):
        with zipfile.ZipFile(zipped / f"{split}.zip", "w") as archive:
            for path in sorted((root / split).rglob("*.png")):
                archive.write(path, path.relative_to(root))
            archive.writestr("__MACOSX/Train/Urban/images_png/._1366.png", b"junk")
    folders, archives = find_tiles(root), find_tiles(zipped)
    assert [t.id for t in archives["train", "urban"]] == [t.id for t in folders["train", "urban"]]
    for one, other in zip(folders["train", "urban"], archives["train", "urban"], strict=True):
        assert inspect(one) == inspect(pickle.loads(pickle.dumps(other)))


@pytest.mark.parametrize(
    "name", ["../9.png", "/etc/9.png", "a/../../9.png", "C:\\9.png", "\\9.png"]
)
def test_unsafe_zip_members_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "Train.zip", "w") as archive:
        archive.writestr("Train/Urban/images_png/9.png", b"")
        archive.writestr(name, b"")
    with pytest.raises(ValueError, match="points out of it"):
        find_tiles(tmp_path)


def test_damaged_zips_are_errors_or_read_as_they_were(root, tmp_path_factory, mutations):
    """Seeded changes: a ValueError, a tile that is missing, or the very same tiles."""
    folder = tmp_path_factory.mktemp("zipped")
    path = folder / "Train.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((root / "Train").rglob("*.png")):
            archive.write(file, file.relative_to(root))
    good = path.read_bytes()
    expected = [inspect(tile) for tile in find_tiles(root)["train", "urban"]]
    refused = 0
    for seed in range(mutations):
        random = np.random.default_rng(seed)
        mutant = bytearray(good)
        for position in random.integers(0, len(good), random.integers(1, 4)):
            mutant[position] = random.integers(0, 256)
        mutated = folder / f"{seed}"
        mutated.mkdir()
        (mutated / "Train.zip").write_bytes(
            mutant[: random.integers(len(good))] if seed % 10 == 0 else mutant
        )
        try:
            found = [inspect(tile) for tile in find_tiles(mutated)["train", "urban"]]
        except (ValueError, FileNotFoundError):
            refused += 1
        else:
            assert found == expected
    assert refused > mutations / 3


def test_a_folder_wins_over_its_zip(root):
    with zipfile.ZipFile(root / "Train.zip", "w") as archive:
        archive.writestr("Train/Urban/images_png/9.png", b"")
    assert [tile.id for tile in find_tiles(root)["train", "urban"]] == [12, 1366, 1367]


def damage(root: Path, what: str) -> None:
    folder = root / "Train/Urban"
    if what == "nothing there":
        (root / "Train").rename(root / "train_data")
        (root / "Test").rename(root / "test_data")
    elif what == "mask missing":
        (folder / "masks_png/1366.png").unlink()
        (folder / "masks_png/12.png").unlink()
    elif what == "mask folder empty":
        for path in (folder / "masks_png").iterdir():
            path.unlink()
    elif what == "image missing":
        (folder / "images_png/1366.png").unlink()
    elif what == "images empty":
        for path in (root / "Test/Rural/images_png").iterdir():
            path.unlink()
    elif what == "depth missing":
        (folder / "depths_png/1367.png").unlink()
    elif what == "name":
        (folder / "images_png/1366.png").rename(folder / "images_png/tile.png")
    elif what == "same number":
        shutil.copy(folder / "images_png/12.png", folder / "images_png/0012.png")
    elif what == "another kind":
        (folder / "images_png/1368.JPG").touch()
    elif what == "bad zip":
        (root / "Val.zip").write_bytes(b"PK no zip")


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("nothing there", FileNotFoundError, "expected Train/Urban/images_png.*5706578"),
        ("mask missing", FileNotFoundError, r"without a mask.*2 of 3 \(ids 12, 1366\)"),
        ("mask folder empty", FileNotFoundError, "3 of 3"),
        ("image missing", FileNotFoundError, r"masks without a tile.*1 of 3 \(ids 1366\)"),
        ("images empty", FileNotFoundError, "Test/Rural/images_png holds no PNG"),
        ("depth missing", FileNotFoundError, r"without a depth map.*1 of 3 \(ids 1367\)"),
        ("name", ValueError, "tile.png.*named by its number"),
        ("same number", ValueError, "0012.png.*same tile number|12.png.*same tile number"),
        ("another kind", ValueError, "PNG files alone; convert 1368.JPG"),
        ("bad zip", ValueError, "Val.zip is no readable zip"),
    ],
)
def test_trees_that_are_refused(root, what, error, message):
    damage(root, what)
    with pytest.raises(error, match=message) as caught:
        find_tiles(root, with_depth="depth" in what)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_names_what_belongs_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere does not exist; expected in it: Train"):
        find_tiles(tmp_path / "nowhere")
