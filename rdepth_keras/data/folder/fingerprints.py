"""A folder's files told from others of the same names: cheaply, whenever a run meets its data."""

import filecmp
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.fingerprints import describe, digest
from rdepth_keras.data.folder.folder import Files, FolderTiles

_READING = 4  # files read at once
_END_BYTES = 4096


def fingerprints(tiles: Tiles) -> dict[str, str]:
    """Kind of file, ``"images"``, ``"masks"`` or ``"depths"`` -> digest of all files of the kind.

    It goes by the names, the sizes, and the first and last 4 KiB of each file. At the end of a PNG
    stands a checksum of all its pixels, so that no change is missed; of a TIFF mask all bytes are
    read. What is missed: another JPEG or TIFF of the same size that differs in its middle alone,
    and a PNG with more than 4 KiB of text behind its pixels. A picture that was merely written
    anew, by another program, counts as another.
    """
    files = _files(tiles)
    kinds = {
        "images": [own.image for own in files],
        "masks": [own.mask for own in files if own.mask],
        "depths": [own.depth for own in files if own.depth],
    }
    return {kind: _digest(paths, kind == "masks") for kind, paths in kinds.items() if paths}


def twins(tiles: Tiles, others: Tiles) -> list[str]:
    """The pictures of ``tiles`` that ``others`` hold as well, under any name, byte for byte."""
    images, known = [files.image for files in _files(tiles)], dict[str, list[Path]]()
    theirs = [files.image for files in _files(others)]
    with ThreadPoolExecutor(_READING) as pool:
        for path, mark in zip(theirs, pool.map(_mark, theirs), strict=True):
            known.setdefault(mark, []).append(path)
        marks = list(pool.map(_mark, images))
    return [
        str(path)
        for path, mark in zip(images, marks, strict=True)
        if any(filecmp.cmp(path, other, shallow=False) for other in known.get(mark, ()))
    ]


def _mark(image: Path) -> str:
    return describe(image, _END_BYTES, _END_BYTES).removeprefix(image.name)


def _files(tiles: Tiles) -> tuple[Files, ...]:
    if not isinstance(tiles, FolderTiles):
        raise TypeError(f"These are no tiles of a folder: {type(tiles).__name__}.")
    return tiles.files


def _digest(paths: Iterable[Path], masks: bool) -> str:
    def line(path: Path) -> str:
        whole = masks and path.suffix.lower() != ".png"
        return describe(path, _END_BYTES, path.stat().st_size if whole else _END_BYTES)

    with ThreadPoolExecutor(_READING) as pool:
        return digest(pool.map(line, paths))
