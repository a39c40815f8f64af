"""The contract of a dataset: *which* tiles there are and what they show, never how they are used.

A dataset is a frozen dataclass; its fields are what decides which data a run sees, and so a part of
its experiment. Where the data lie is none of them: the same tiles elsewhere are the same data, so
the place is an argument. A new dataset is one file with such a class, and one line in
``rdepth_keras.data.datasets.DATASETS``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, Self

from rdepth_keras.arrays import Tiles
from rdepth_keras.labels import LOVEDA, ClassTable

Direction = Literal["r2u", "u2r", "r2r", "u2u"]
DOMAINS = {"r": "rural", "u": "urban"}
Place = str | Path | None


class TestSplit(NamedTuple):
    """The published tiles of a test split: their ids, and the side of the square tiles."""

    ids: Sequence[int]
    side_pixels: int


@dataclass(frozen=True)
class Opened:
    """A dataset that was found.

    Attributes:
        depth: what made the depth, e.g. its source and licence; goes into the run's records.
        tiles: (split, domain) -> tiles; raises
            :class:`~rdepth_keras.data.splits.AbsentSplit` where there are none.
        faults: (tiles, pixels) -> what is wrong with their files, a line for each; headers alone,
            or every pixel. Empty where all is well.
        flat_depths: tiles -> names of those whose depth holds few values, or only one: legal, but
            it tells too little.
        fingerprints: tiles -> kind of file -> digest, by which tiles are told from others of the
            same names; empty where the experiment and ``depth`` say all there is to say.
        mask_faults: tiles -> what is wrong with the pixels of their masks, a line for each; None
            where masks were read when they were written, or are made.
        lacking: tiles -> that they are but a part of what was published, in words; else empty.
        twins: (tiles, others) -> those of the first whose picture is among the others' as well.
        oddities: tiles -> by what they can hardly be what they should be, in words, a line each:
            pictures that are there twice, masks of several pictures, tiles of another split.
        pixel_metres: tiles -> side of their pixels on the ground in metres; None: nobody knows.
    """

    depth: Mapping[str, str]
    tiles: Callable[[str, str], Tiles]
    faults: Callable[[Tiles, bool], list[str]] = field(default=lambda tiles, pixels: [])
    flat_depths: Callable[[Tiles], list[str]] = field(default=lambda tiles: [])
    fingerprints: Callable[[Tiles], Mapping[str, str]] = field(default=lambda tiles: {})
    mask_faults: Callable[[Tiles], list[str]] | None = None
    lacking: Callable[[Tiles], str] = field(default=lambda tiles: "")
    twins: Callable[[Tiles, Tiles], list[str]] = field(default=lambda tiles, others: [])
    oddities: Callable[[Tiles], list[str]] = field(default=lambda tiles: [])
    pixel_metres: Callable[[Tiles], float | None] = field(default=lambda tiles: None)


@dataclass(frozen=True)
class Dataset:
    """Base of all datasets; :meth:`open` is all that one must define.

    Attributes:
        direction: source and target: r2u trains on rural tiles and is scored on urban ones. For a
            folder, whose domains are named, only whose settings are taken where a recipe's differ.
    """

    direction: Direction = "r2u"

    def open(self, place: Place, with_depth: bool = True) -> Opened:
        """Finds the data at ``place``; None is where they lie by custom.

        Raises FileNotFoundError or ValueError, with the remedy, where they are not there, or have
        no depth and ``with_depth`` asks for it.
        """
        raise TypeError(f"{type(self).__name__} does not say how it is opened.")

    @property
    def source(self) -> str:
        """Domain of the labelled training tiles."""
        return DOMAINS[self.direction[0]]

    @property
    def target(self) -> str:
        """Domain a run is scored on."""
        return DOMAINS[self.direction[2]]

    @property
    def route(self) -> str:
        """From where to where, for a table."""
        return self.direction

    @property
    def is_made(self) -> bool:
        """Whether its tiles are made when asked for, and lie nowhere."""
        return False

    @property
    def classes(self) -> ClassTable:
        """The classes of its masks."""
        return LOVEDA

    @property
    def tile_pixels(self) -> int | None:
        """Side of its tiles, for runs that did not note it; None where they may have any."""
        return None

    def folders(self, place: Place) -> list[Path]:
        """Where its tiles lie and nothing else may."""
        return []

    def settled(self, place: Place) -> Self:
        """The same with what was left open filled in, so that a run never changes its data."""
        return self

    def title(self, place: Place) -> str:
        """Whose tiles they are, for a protocol: scores on others are never compared."""
        raise TypeError(f"{type(self).__name__} has no title.")

    def test_split(self, domain: str) -> TestSplit:
        """What a submission must hold; ValueError where there is nothing to submit to."""
        raise ValueError(f"Submissions are for LoveDA's test tiles, not for {self.title(None)}.")

    def departures(self) -> list[str]:
        """Where the depth is not the one behind the published numbers, in words."""
        return []

    def census(self, place: Place) -> tuple[bool, str] | None:
        """Reads all of it and holds it against what was published: whether it agrees, in words."""
        return None
