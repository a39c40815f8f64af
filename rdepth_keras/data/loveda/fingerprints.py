"""Prepared LoveDA told from another of the same names: cheaply, whenever a run meets its data."""

import json

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.fingerprints import describe, digest
from rdepth_keras.data.loveda.checks import prepared

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
