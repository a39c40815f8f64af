"""All files of a folder's tiles held against what is expected, before anything uses them."""

import filecmp
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.folder import files as reading
from rdepth_keras.data.folder.coordinates import footprint, refuse_elsewhere
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.data.folder.folder import Files, FolderTiles
from rdepth_keras.depth.normalise import is_flat
from rdepth_keras.labels import ClassTable

_READING = 4  # files read at once
_FLAT_BYTES = 0.25  # a pixel: a packed map that takes more is not flat


def faults(tiles: Tiles, pixels: bool = False) -> list[str]:
    """What is wrong with the files of these tiles: a line for each, with the file and the remedy.

    Headers and ends of files are looked at: kind, size, place on Earth, whether a file is whole,
    and whether a depth map was made of another picture. ``pixels`` reads everything: checksums,
    values of masks, finite depth.
    """
    own = _folder_tiles(tiles)
    try:
        places = {files.image.parents[1] for files in own.files if files.depth is not None}
        records = {place: DepthRecord(place) for place in places}
    except ValueError as error:
        return [str(error)]
    look = partial(_look, pixels, own.table, records)
    with ThreadPoolExecutor(_READING) as pool:
        return [line for lines in pool.map(look, own.files) for line in lines]


def mask_faults(tiles: Tiles) -> list[str]:
    """The same of every pixel of the masks alone."""
    own = _folder_tiles(tiles)
    masks = [files.mask for files in own.files if files.mask is not None]
    with ThreadPoolExecutor(_READING) as pool:
        return [line for line in pool.map(partial(_mask_fault, own.table), masks) if line]


def flat_depths(tiles: Tiles, pixels: bool = False) -> list[str]:
    """The depth maps that are flat, by file: see :func:`rdepth_keras.depth.normalise.is_flat`.

    Without ``pixels``, only maps that may be flat by the size of their file are decoded.
    Files that :func:`faults` complains of are left out.
    """
    paths = [files.depth for files in _folder_tiles(tiles).files if files.depth is not None]
    with ThreadPoolExecutor(_READING) as pool:
        flat = pool.map(partial(_has_flat_depth, pixels), paths)
        return [str(path) for path, found in zip(paths, flat, strict=True) if found]


def _mask_fault(table: ClassTable, path: Path) -> str:
    try:
        reading.decode_mask(path, None, table)
    except (ValueError, OSError) as error:
        return str(error)
    return ""


def _folder_tiles(tiles: Tiles) -> FolderTiles:
    if not isinstance(tiles, FolderTiles):
        raise TypeError(f"These are no tiles of a folder: {type(tiles).__name__}.")
    return tiles


def _look(
    pixels: bool, table: ClassTable, records: Mapping[Path, DepthRecord], files: Files
) -> Iterable[str]:
    said: list[str] = []

    def tried(read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except (ValueError, OSError) as error:
            said.append(str(error))
            return None

    if pixels:
        image = tried(reading.decode_image, files.image)
        size = None if image is None else image.shape[:2]
    else:
        size = tried(reading.peek_image, files.image)

    if size is not None:
        tried(footprint, files.image, size)

    def fit(check: Callable[..., Any], path: Path, *arguments: Any) -> None:
        check(path, size, *arguments)
        if size is not None:
            refuse_elsewhere(path, files.image, size)

    if files.mask is not None:
        tried(fit, reading.decode_mask if pixels else reading.peek_mask, files.mask, table)
        if filecmp.cmp(files.image, files.mask, shallow=False):
            said.append(f"{files.image}: no picture, but the same as {files.mask}; replace it.")
    if files.depth is not None:
        tried(fit, reading.decode_depth if pixels else reading.peek_depth, files.depth)
        for other in filter(None, (files.mask, files.image)):
            if filecmp.cmp(other, files.depth, shallow=False):
                said.append(f"{files.depth}: no depth map, but the same as {other}; replace it.")
        record = records[files.image.parents[1]]
        if tried(partial(record.outdated, whole=pixels), files.image, files.depth):
            said.append(
                f"{files.depth}: made of another picture than {files.image} is now; "
                "scripts/prepare.py --folder makes it anew."
            )
    return dict.fromkeys(said)  # the place of an image is held against that of each other file


def _has_flat_depth(pixels: bool, path: Path) -> bool:
    try:
        if not pixels and path.suffix.lower() not in (".tif", ".tiff"):  # they may be unpacked
            form = reading.read_form(path)
            area = form.height * form.width if form else 0
            if form and path.stat().st_size > _FLAT_BYTES * area + 1024:
                return False
        return is_flat(reading.decode_depth(path, None))
    except (ValueError, OSError):
        return False
