"""Tiles in one raw file that is mapped into memory: a crop reads its own pages, nothing is decoded.

The file is a plain ``.npy`` of records, 8 bytes a pixel and 8 a tile. Depth is kept as float32,
what networks see, and not as the stored 16 bits: the arrays are then views of the file whatever
made the depth, and no transform has to know of the cache.
"""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.arrays import Tile, Tiles

ARRAYS = ("image", "depth", "label")
_READING = 4  # tiles decoded at once


@dataclass(frozen=True)
class CachedTiles:
    """Tiles of a cache file, see :class:`rdepth_keras.arrays.Tiles`; the arrays are read-only.

    Only the path is pickled; every process maps the file for itself.
    """

    path: Path
    labelled: bool = True

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Tile:
        """Views of one tile. Raises IndexError beyond the last one."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.path} holds {len(self)} tiles; received index {index}.")
        record = self._records[index]
        return Tile(
            id=int(record["id"]),
            image=record["image"],
            depth=record["depth"],
            label=record["label"],
        )

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "labelled": self.labelled}

    @cached_property
    def _records(self) -> np.ndarray:
        try:
            return np.asarray(np.lib.format.open_memmap(self.path, mode="r"))
        except (ValueError, EOFError) as error:
            raise ValueError(f"{self.path} is no whole cache; delete it.") from error


def cached(tiles: Tiles, folder: Path, notify: Callable[[str], None] = print) -> CachedTiles:
    """The tiles from ``folder``'s cache, which is written first where it is missing or damaged.

    The file's name holds the :func:`fingerprint`, so that a cache of other tiles is never taken.
    Says what it will write before it does.

    Raises:
        ValueError: for tiles of several sizes.
        OSError: where the disk has no room for it; nothing half-written stays behind.
    """
    record = _record_type(tiles[0])
    path = folder / f"{fingerprint(tiles)}.npy"
    if _is_whole(path, record, len(tiles)):
        return CachedTiles(path, tiles.labelled)
    size = cache_bytes(tiles)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    amount = f"{size / 2**30:.2f} GiB for {len(tiles)} tiles"
    if free < size:
        raise OSError(
            f"The cache needs {amount}, but {folder} has {free / 2**30:.2f} GiB free; choose "
            "another --cache folder, or train without."
        )
    notify(f"Writing the cache {path}: {amount}, {free / 2**30:.1f} GiB are free.")
    _write(tiles, path, record)
    return CachedTiles(path, tiles.labelled)


def cache_bytes(tiles: Tiles) -> int:
    """Size of the cache of ``tiles`` in bytes, but for a header below 4 KiB."""
    return len(tiles) * _record_type(tiles[0]).itemsize


def fingerprint(tiles: Tiles) -> str:
    """Hex digits that depend on every byte the tiles are read from.

    Tiles with a ``stored()`` method, their encoded bytes one by one, are not decoded for it.
    """
    digest = blake2b(f"{len(tiles)} {tiles.labelled}".encode(), digest_size=16)
    for piece in _pieces(tiles):
        digest.update(len(piece).to_bytes(8, "little"))
        digest.update(piece)
    return digest.hexdigest()


def _pieces(tiles: Tiles) -> Iterator[bytes]:
    stored = getattr(tiles, "stored", None)
    if stored is not None:
        yield from stored()
        return
    for index in range(len(tiles)):
        tile = tiles[index]
        yield str(tile["id"]).encode()
        for name in ARRAYS:
            yield str(tile[name].shape).encode()
            yield tile[name].tobytes()


def _record_type(tile: Tile) -> np.dtype:
    height, width = tile["label"].shape
    return np.dtype(
        [
            ("id", "<i8"),
            ("image", "u1", (height, width, 3)),
            ("depth", "<f4", (height, width, 1)),
            ("label", "u1", (height, width)),
        ]
    )


def _is_whole(path: Path, record: np.dtype, count: int) -> bool:
    """Whether the file has the header and the length of a cache of that shape."""
    header = _header(record, count)
    if not path.is_file() or path.stat().st_size != len(header) + count * record.itemsize:
        return False
    with path.open("rb") as file:
        return file.read(len(header)) == header


def _header(record: np.dtype, count: int) -> bytes:
    description = np.lib.format.dtype_to_descr(record)
    content = {"descr": description, "fortran_order": False, "shape": (count,)}
    buffer = io.BytesIO()
    np.lib.format.write_array_header_2_0(buffer, content)
    return buffer.getvalue()


def _write(tiles: Tiles, path: Path, record: np.dtype) -> None:
    # Written, not mapped: a full disk is then an error and no signal that ends the process.
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(_header(record, len(tiles)))
            for tile in _read(tiles):
                file.write(_pack(tile, record))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _read(tiles: Tiles) -> Iterator[Tile]:
    """Every tile in order, a few decoded at once."""
    with ThreadPoolExecutor(_READING) as pool:
        for start in range(0, len(tiles), _READING):
            yield from pool.map(tiles.__getitem__, range(start, min(start + _READING, len(tiles))))


def _pack(tile: Tile, record: np.dtype) -> bytes:
    expected, size = record["label"].shape, tile["label"].shape
    if size != expected:
        raise ValueError(
            f"A cache needs tiles of one size; tile {tile['id']} has {size[0]}x{size[1]} pixels, "
            f"the first one {expected[0]}x{expected[1]}. Train without --cache, or cut the tiles."
        )
    return np.array((tile["id"], *(tile[name] for name in ARRAYS)), record).tobytes()
