"""The prepared LoveDA as a part of an experiment."""

from dataclasses import dataclass, replace
from typing import Self

from rdepth_keras.data.dataset import Dataset, Opened, Place, TestSplit
from rdepth_keras.data.loveda.census import (
    PIXEL_METRES,
    SIDE,
    lacking,
    load_census,
    oddities,
    verify,
)
from rdepth_keras.data.loveda.checks import faults, flat_depths
from rdepth_keras.data.loveda.fingerprints import fingerprints, twins
from rdepth_keras.data.loveda.prepared import open_loveda
from rdepth_keras.depth.presets import PUBLISHED


@dataclass(frozen=True)
class LoveDA(Dataset):
    """LoveDA as ``scripts/prepare.py`` wrote it, in TFDS's folder or another.

    Attributes:
        config: of the prepared data, i.e. the source of its depth; None is the only one there.
    """

    config: str | None = None

    def open(self, place: Place, with_depth: bool = True) -> Opened:
        prepared = open_loveda(place, self.config)
        depth = {"config": prepared.config, **prepared.depth}
        found = Opened(depth, prepared.tiles, faults, flat_depths, fingerprints)
        found = replace(found, lacking=lacking, twins=twins, oddities=oddities)
        return replace(found, pixel_metres=lambda tiles: PIXEL_METRES)

    @property
    def tile_pixels(self) -> int:
        return SIDE

    def settled(self, place: Place) -> Self:
        return replace(self, config=open_loveda(place, self.config).config)

    def title(self, place: Place) -> str:
        return "LoveDA"

    def test_split(self, domain: str) -> TestSplit:
        published = load_census()[f"test_{domain}"]
        return TestSplit(range(published["first_id"], published["last_id"] + 1), SIDE)

    def departures(self) -> list[str]:
        published = self.config in (None, PUBLISHED)
        return [] if published else [f"depth: {PUBLISHED} -> {self.config}"]

    def census(self, place: Place) -> tuple[bool, str]:
        verdict = verify(open_loveda(place, self.config))
        lines = str(verdict).splitlines()
        return not (verdict.missing or verdict.wrong), "; ".join([lines[-1], *lines[:-1]])
