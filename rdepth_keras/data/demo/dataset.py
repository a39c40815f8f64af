"""Procedural scenes as a part of an experiment."""

from dataclasses import dataclass

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.dataset import Dataset, Opened, Place, TestSplit
from rdepth_keras.data.demo.tiles import DemoTiles


@dataclass(frozen=True)
class Demo(Dataset):
    """Procedural scenes of both domains, made on the fly: nothing to download.

    Attributes:
        train_tiles: in each domain's train split.
        val_tiles: in each val split.
        test_tiles: in each test split.
        tile_pixels: side of a tile.
        scenes_seed: of the scenes.
    """

    train_tiles: int = 256
    val_tiles: int = 16
    test_tiles: int = 16
    tile_pixels: int = 256
    scenes_seed: int = 0

    @property
    def is_made(self) -> bool:
        return True

    def open(self, place: Place, with_depth: bool = True) -> Opened:
        return Opened({"source": "procedural heights"}, self._tiles)

    def title(self, place: Place) -> str:
        if (self.tile_pixels, self.scenes_seed) == (Demo().tile_pixels, Demo().scenes_seed):
            return "demo scenes"
        return f"demo scenes of {self.tile_pixels} pixels and seed {self.scenes_seed}"

    def test_split(self, domain: str) -> TestSplit:
        first = self._tiles("test", domain)[0]["id"]
        return TestSplit(range(first, first + self.test_tiles), self.tile_pixels)

    def _tiles(self, split: str, domain: str) -> Tiles:
        counts = {"train": self.train_tiles, "val": self.val_tiles, "test": self.test_tiles}
        return DemoTiles(domain, split, self.scenes_seed, counts[split], self.tile_pixels)
