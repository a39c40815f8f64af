import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda.raw import inspect, inspect_all, read_depth
from rdepth_keras.data.loveda.tree import find_tiles

RANDOM = np.random.default_rng(0)


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png.encode(pixels))


@pytest.fixture
def root(tmp_path) -> Path:
    """Train/Urban with three labelled tiles and depth, Test/Rural with one unlabelled tile."""
    for number in (1366, 1367, 12):
        folder = tmp_path / "Train/Urban"
        image = RANDOM.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        write(folder / f"images_png/{number}.png", image)
        write(folder / f"masks_png/{number}.png", RANDOM.integers(0, 8, (8, 10), dtype=np.uint8))
        depth = RANDOM.integers(0, 65536, (8, 10), dtype=np.uint16)
        write(folder / f"depths_png/{number}.png", depth)
    write(tmp_path / "Test/Rural/images_png/4191.png", np.zeros((8, 10, 3), np.uint8))
    write(tmp_path / "Test/Rural/depths_png/4191.png", np.zeros((8, 10), np.uint8))
    return tmp_path


def test_what_is_found(root):
    tree = find_tiles(root)
    assert list(tree) == [("train", "urban"), ("test", "rural")]
    assert [tile.id for tile in tree["train", "urban"]] == [12, 1366, 1367]
    assert all(tile.mask and tile.depth is None for tile in tree["train", "urban"])
    assert tree["test", "rural"][0].mask is None


def test_facts(root):
    tile = find_tiles(root, with_depth=False)["train", "urban"][1]
    facts = inspect(tile)
    image = png.decode((root / "Train/Urban/images_png/1366.png").read_bytes())
    mask = png.decode((root / "Train/Urban/masks_png/1366.png").read_bytes())
    assert (facts.id, facts.height, facts.width) == (1366, 8, 10)
    np.testing.assert_allclose(facts.channel_mean, image.reshape(-1, 3).mean(0))
    assert facts.pixels_per_value == tuple(int((mask == value).sum()) for value in range(8))
    unlabelled = find_tiles(root)["test", "rural"]
    assert next(inspect_all(unlabelled)).pixels_per_value is None


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


def test_depth_saved_as_three_equal_channels_is_grey(root):
    path = root / "Train/Urban/depths_png/12.png"
    grey = np.repeat(RANDOM.integers(0, 256, (8, 10, 1), dtype=np.uint8), 3, axis=2)
    write(path, grey)
    tile = find_tiles(root, with_depth=True)["train", "urban"][0]
    np.testing.assert_array_equal(read_depth(tile, (8, 10)), grey[..., 0])


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
        write(folder / "images_png/0012.png", np.zeros((8, 10, 3), np.uint8))
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


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


FILES = {
    "truncated image": (lambda p: cut(p / "images_png/12.png"), "images_png/12.png: truncated"),
    "truncated mask": (lambda p: cut(p / "masks_png/12.png"), "masks_png/12.png: truncated"),
    "truncated depth": (lambda p: cut(p / "depths_png/12.png"), "depths_png/12.png: truncated"),
    "empty image": (lambda p: (p / "images_png/12.png").write_bytes(b""), "12.png: empty file"),
    "grey image": (
        lambda p: write(p / "images_png/12.png", np.zeros((8, 10), np.uint8)),
        "must be 8-bit RGB; this one is 8-bit grey",
    ),
    "16-bit mask": (
        lambda p: write(p / "masks_png/12.png", np.zeros((8, 10), np.uint16)),
        "must be 8-bit grey; this one is 16-bit grey",
    ),
    "mask of another size": (
        lambda p: write(p / "masks_png/12.png", np.zeros((8, 9), np.uint8)),
        "masks_png/12.png: 8x9 pixels, but its image has 8x10",
    ),
    "depth of another size": (
        lambda p: write(p / "depths_png/12.png", np.zeros((4, 5), np.uint8)),
        "depths_png/12.png: 4x5 pixels, but its image has 8x10",
    ),
    "mask value 9": (
        lambda p: write(p / "masks_png/12.png", np.full((8, 10), 9, np.uint8)),
        r"masks_png/12.png: The mask holds the values \[9\]",
    ),
    "coloured depth": (
        lambda p: write(p / "depths_png/12.png", RANDOM.integers(0, 255, (8, 10, 3)).astype("u1")),
        "depths_png/12.png.*in colour",
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_files_that_are_refused(root, what):
    spoil, message = FILES[what]
    spoil(root / "Train/Urban")
    tiles = find_tiles(root, with_depth=True)["train", "urban"]
    with pytest.raises(ValueError, match=message) as caught:
        list(inspect_all(tiles))
    assert "\n" not in str(caught.value)
