"""A tile's files as published: what a look at them gives, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda.raw import inspect, inspect_all, read_depth
from rdepth_keras.data.loveda.tree import find_tiles

RANDOM = np.random.default_rng(0)


def write(path: Path, pixels: np.ndarray) -> None:
    path.write_bytes(png.encode(pixels))


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
    assert next(inspect_all(find_tiles(root, with_depth=True)["test", "rural"])).flat_depth
    assert not facts.flat_depth


def test_depth_saved_as_three_equal_channels_is_grey(root):
    path = root / "Train/Urban/depths_png/12.png"
    grey = np.repeat(RANDOM.integers(0, 256, (8, 10, 1), dtype=np.uint8), 3, axis=2)
    write(path, grey)
    tile = find_tiles(root, with_depth=True)["train", "urban"][0]
    np.testing.assert_array_equal(read_depth(tile, (8, 10)), grey[..., 0])


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


def test_all_bad_files_are_named(root):
    cut(root / "Train/Urban/images_png/12.png")
    (root / "Train/Urban/masks_png/1367.png").unlink()
    (root / "Train/Urban/masks_png/1367.png").symlink_to("nowhere.png")
    tiles = find_tiles(root)["train", "urban"]
    found, inspected = [], inspect_all(tiles)
    with pytest.raises(ValueError, match=r"images_png/12\.png: trunc.*masks_png/1367\.png"):
        found.extend(inspected)
    assert [facts.id for facts in found] == [1366]
