"""A folder's files told from others of the same names: cheaply, whenever a run meets its data."""

import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.folder.folder import FolderTiles

_READING = 4  # files read at once
_END_BYTES = 4096


def fingerprints(tiles: Tiles) -> dict[str, str]:
    """Kind of file, ``"images"``, ``"masks"`` or ``"depths"`` -> digest of all files of the kind.

    It goes by the names, the sizes, and the first and last 4 KiB of each file. At the end of a PNG
    stands a checksum of all its pixels, so that no change is missed. What is missed: a JPEG or TIFF
    of the same size that differs in its middle alone, and a PNG with more than 4 KiB of text behind
    its pixels. A picture that was merely written anew, by
    another program, counts as another.
    """
    if not isinstance(tiles, FolderTiles):
        raise TypeError(f"These are no tiles of a folder: {type(tiles).__name__}.")
    kinds = {
        "images": [files.image for files in tiles.files],
        "masks": [files.mask for files in tiles.files if files.mask],
        "depths": [files.depth for files in tiles.files if files.depth],
    }
    return {kind: _digest(paths) for kind, paths in kinds.items() if paths}


def _digest(paths: Iterable[Path]) -> str:
    with ThreadPoolExecutor(_READING) as pool:
        return blake2b("\n".join(pool.map(_line, paths)).encode(), digest_size=8).hexdigest()


def _line(path: Path) -> str:
    """What is looked at of one file."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        start = file.read(_END_BYTES)
        file.seek(max(0, size - _END_BYTES))
        return f"{path.name} {size} {zlib.crc32(start)} {zlib.crc32(file.read())}"
