"""Tiles in one raw file that is mapped into memory: a crop reads its own pages, nothing is decoded.

The file is a plain ``.npy`` of records, 8 bytes a pixel and 16 a tile. Depth is kept as float32,
what networks see, and not as the stored 16 bits: the arrays are then views of the file whatever
made the depth, and no transform has to know of the cache. Every record carries a checksum that
begins with the cache's identity; all of them are checked when a cache is opened, so that neither a
damaged file nor another one under this name is taken.
"""

import io
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.atomic import remove_stale, writing

ARRAYS = ("image", "depth", "label")
_READING = 4  # tiles decoded or checked at once


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

    The file's name and its checksums hold the :func:`fingerprint`: a cache of other tiles is never
    taken.
    Says what it will check or write before it does, and what is damaged.

    Raises:
        ValueError: for tiles of several sizes, or with other arrays than a cache keeps.
        OSError: where the folder cannot be, or the disk has no room for it; nothing half-written
            stays behind.
    """
    _prepare(folder)
    record = _record_type(tiles[0])
    identity = fingerprint(tiles)
    path = folder / f"{identity}.npy"
    size = cache_bytes(tiles)
    amount = f"{size / 2**30:.2f} GiB for {len(tiles)} tiles"
    if path.is_file():
        notify(f"Checking the cache {path}: {amount}.")
        damage = _damage(path, record, len(tiles), identity)
        if not damage:
            return CachedTiles(path, tiles.labelled)
        notify(f"The cache {path} is damaged ({damage}): it is deleted.")
        path.unlink()
    remove_stale(folder)
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"The cache needs {amount}, but {folder} has {free / 2**30:.2f} GiB free; choose "
            "another --cache folder, or train without."
        )
    notify(f"Writing the cache {path}: {amount}, {free / 2**30:.1f} GiB are free.")
    _write(tiles, path, record, identity)
    return CachedTiles(path, tiles.labelled)


def _prepare(folder: Path) -> None:
    """Makes the folder; raises OSError, before any tile is read, where nothing can be written."""
    remedy = "choose another --cache folder, or train without."
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder} cannot be a folder ({error.strerror}); {remedy}") from error
    if not os.access(folder, os.W_OK | os.X_OK) and not any(folder.glob("*.npy")):
        raise PermissionError(f"Nothing may be written into {folder}; {remedy}")


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
            ("checksum", "<u8"),
            ("id", "<i8"),
            ("image", "u1", (height, width, 3)),
            ("depth", "<f4", (height, width, 1)),
            ("label", "u1", (height, width)),
        ]
    )


def _damage(path: Path, record: np.dtype, count: int, identity: str) -> str:
    """What is wrong with a cache of that shape, in words; nothing where it is sound."""
    header = _header(record, count)
    if path.stat().st_size != len(header) + count * record.itemsize:
        return "its length is not that of these tiles"
    content = np.memmap(path, np.uint8, "r")
    if content[: len(header)].tobytes() != header:
        return "its header is not that of these tiles"
    rows = np.asarray(content[len(header) :]).reshape(count, -1)
    with ThreadPoolExecutor(_READING) as pool:
        sound = list(pool.map(lambda row: _is_sound(row, identity), rows))
    if all(sound):
        return ""
    others = "" if any(sound) else "; perhaps it is that of others, renamed"
    return f"{sound.count(False)} of {count} tiles{others}"


def _is_sound(row: np.ndarray, identity: str) -> bool:
    return _checksum(row.data, identity) == int.from_bytes(row[:8].tobytes(), "little")


def _checksum(row: memoryview, identity: str) -> int:
    """CRC-32 of the cache's identity and a record's bytes but for the checksum, which is first."""
    return zlib.crc32(row[8:], zlib.crc32(identity.encode()))


def _header(record: np.dtype, count: int) -> bytes:
    description = np.lib.format.dtype_to_descr(record)
    content = {"descr": description, "fortran_order": False, "shape": (count,)}
    buffer = io.BytesIO()
    np.lib.format.write_array_header_2_0(buffer, content)
    return buffer.getvalue()


def _write(tiles: Tiles, path: Path, record: np.dtype, identity: str) -> None:
    # Written, not mapped: a full disk is then an error and no signal that ends the process.
    with writing(path) as partial, partial.open("wb") as file:
        file.write(_header(record, len(tiles)))
        for tile in _read(tiles):
            file.write(_pack(tile, record, identity))


def _read(tiles: Tiles) -> Iterator[Tile]:
    """Every tile in order, a few decoded at once."""
    with ThreadPoolExecutor(_READING) as pool:
        for start in range(0, len(tiles), _READING):
            yield from pool.map(tiles.__getitem__, range(start, min(start + _READING, len(tiles))))


def _check_arrays(tile: Tile, record: np.dtype) -> None:
    """Raises ValueError for arrays that a record would round, stretch or lose."""
    if others := sorted(tile.keys() - {"id", *ARRAYS}):
        raise ValueError(f"A cache keeps image, depth and label; a tile has {others}, too.")
    for name in ARRAYS:
        dtype, shape = record[name].subdtype or (record[name], ())
        array = np.asarray(tile[name])
        if (array.dtype, array.shape) != (dtype, shape):
            raise ValueError(
                f"A cache keeps {name} as {dtype} {shape}; tile {tile['id']} has it as "
                f"{array.dtype} {array.shape}. Train without a cache, or make it so."
            )


def _pack(tile: Tile, record: np.dtype, identity: str) -> bytes:
    expected, size = record["label"].shape, tile["label"].shape
    if size != expected:
        raise ValueError(
            f"A cache needs tiles of one size; tile {tile['id']} has {size[0]}x{size[1]} pixels, "
            f"the first one {expected[0]}x{expected[1]}. Train without --cache, or cut the tiles."
        )
    _check_arrays(tile, record)
    row = np.array((0, tile["id"], *(tile[name] for name in ARRAYS)), record)
    row["checksum"] = _checksum(memoryview(row.tobytes()), identity)
    return row.tobytes()
