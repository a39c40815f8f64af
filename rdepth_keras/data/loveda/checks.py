"""All files of prepared LoveDA tiles held against what was written, before anything uses them."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from array_record.python.array_record_module import ArrayRecordReader

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.loveda.prepared import LovedaTiles

_READING = 4  # tiles decoded at once
_READ = 16  # records at once
REMEDY = "copy the prepared data again, or prepare again with --overwrite."


def faults(tiles: Tiles, pixels: bool = False) -> list[str]:
    """What is wrong with the files of these tiles: a line for each, with the file and the remedy.

    Every file must be there, whole, with its number of tiles. ``pixels`` reads and decodes every
    tile: checksums, sizes, values of masks.
    """
    own = prepared(tiles)
    lines = [
        f"{path} holds {found} of {promised} tiles; {REMEDY}"
        for path, promised in own.shards()
        if (found := _count_records(str(path))) != promised
    ]
    if lines or not pixels:
        return lines
    if said := others(own):
        return said
    with ThreadPoolExecutor(_READING) as pool:
        said = pool.map(partial(_decode, own), range(len(own)))
        return [line for line in said if line]


def others(tiles: Tiles) -> list[str]:
    """In words, that the records are others than were written, by their bytes together.

    Files of two preparations bear the same names, and may hold as many tiles of the same numbers.
    """
    own = prepared(tiles)
    try:
        found, promised = sum(_bytes(str(path)) for path, _ in own.shards()), own.written_bytes
    except RuntimeError:  # damaged: whoever decodes the records one by one tells which
        return []
    if found == promised:
        return []
    folder = own.shards()[0][0].parent
    return [
        f"{folder}: the records of {own.name} hold {found} bytes, and {promised} were written: "
        f"they are of another preparation; {REMEDY}"
    ]


def flat_depths(tiles: Tiles, pixels: bool = False) -> list[str]:
    """The tiles whose depth is flat, by number: see :func:`rdepth_keras.depth.normalise.is_flat`.

    Ready-made maps were looked at when they were prepared; ``pixels`` looks at estimated ones, too.
    """
    own = prepared(tiles)
    return [f"{own.name} {number}" for number in own.flat_depths(pixels)]


def prepared(tiles: Tiles) -> LovedaTiles:
    """The tiles themselves; TypeError for any others."""
    if not isinstance(tiles, LovedaTiles):
        raise TypeError(f"These are no prepared LoveDA tiles: {type(tiles).__name__}.")
    return tiles


def _count_records(path: str) -> int:
    """0 for a file that is missing, cut or no array_record: the reader says no more."""
    reader = ArrayRecordReader(path)
    count = reader.num_records()
    with contextlib.suppress(RuntimeError):  # closing tells of what could not be opened
        reader.close()
    return count


def _bytes(path: str) -> int:
    reader = ArrayRecordReader(path)
    count = reader.num_records()
    parts = range(0, count, _READ)
    total = sum(len(r) for start in parts for r in reader.read(start, min(start + _READ, count)))
    reader.close()
    return total


def _decode(tiles: LovedaTiles, index: int) -> str:
    try:
        tiles.checked(index)
    except (ValueError, RuntimeError) as error:  # RuntimeError: the checksum of a record
        return f"{error}; {REMEDY}"
    return ""
