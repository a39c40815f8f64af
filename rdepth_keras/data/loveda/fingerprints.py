"""Prepared LoveDA told from another of the same names: cheaply, whenever a run meets its data."""

import json

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.fingerprints import describe, digest
from rdepth_keras.data.loveda.checks import prepared
from rdepth_keras.data.loveda.prepared import LovedaTiles

_START_BYTES, _END_BYTES = 1 << 16, 1 << 18


def fingerprints(tiles: Tiles) -> dict[str, str]:
    """``"records"`` -> digest of the record files, ``"statistics"`` -> of the pixels counted.

    It goes by the name, the size, the first 64 KiB and the last 256 KiB of each record file, where
    array_record keeps the place of every record: whatever makes one tile's record longer or shorter
    is seen. What is missed: a record in the middle whose bytes alone differ. If damage did it, its
    checksum tells when it is read; ``scripts/prepare.py --verify`` reads all.
    """
    own = prepared(tiles)
    said = json.dumps(own.statistics, sort_keys=True)
    lines = [describe(path, _START_BYTES, _END_BYTES) for path, _ in own.shards()]
    return {"records": digest(lines), "statistics": digest([said])}


def twins(tiles: Tiles, others: Tiles) -> list[str]:
    """The tiles whose picture ``others`` hold as well, under any number, byte for byte.

    Pictures are held against each other where their masks show as many pixels of each class, which
    was counted at preparation: of tiles as they were published no record is read. What is missed: a
    picture whose masks differ, or show one class alone.
    """
    own, theirs = prepared(tiles), prepared(others)
    mine, known = _by_pixels(own), _by_pixels(theirs)
    alike = mine.keys() & known.keys()
    pictures = set(theirs.pictures({number for key in alike for number in known[key]}).values())
    found = own.pictures({number for key in alike for number in mine[key]})
    return [f"{own.name} {number}" for number in sorted(found) if found[number] in pictures]


def _by_pixels(tiles: LovedaTiles) -> dict[tuple[int, ...], list[int]]:
    """Pixels of each mask value -> numbers of the tiles that show so many, of several values."""
    found: dict[tuple[int, ...], list[int]] = {}
    if tiles.labelled:
        entry = tiles.statistics
        for number, pixels in zip(entry["ids"], entry["pixels_per_value"], strict=True):
            if sum(map(bool, pixels)) > 1:
                found.setdefault(tuple(pixels), []).append(int(number))
    return found
