"""A folder's files told from others of the same names: cheaply, whenever a run meets its data."""

import filecmp
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rdepth_keras.arrays import Tiles
from rdepth_keras.data import png
from rdepth_keras.data.doubts import Doubtful
from rdepth_keras.data.fingerprints import describe_picture, digest
from rdepth_keras.data.folder.colours import unusual_colours
from rdepth_keras.data.folder.coordinates import pixel_metres
from rdepth_keras.data.folder.depth_record import RECORD, DepthRecord
from rdepth_keras.data.folder.files import (
    PREDICTED,
    decode_depth,
    decode_image,
    decode_mask,
    fixed_range,
)
from rdepth_keras.data.folder.folder import Files, FolderTiles
from rdepth_keras.data.looks import KINDS, Look, look_at, odd_together
from rdepth_keras.naming import shorten

_READING = 4  # files read at once
_SHOWN = 4  # names
_LOOKED_AT = 8  # tiles, by their pixels


def fingerprints(tiles: Tiles) -> dict[str, str]:
    """Kind of file, ``"images"``, ``"masks"`` or ``"depths"`` -> digest of all files of the kind.

    It goes by the names, the sizes, and the first and last 4 KiB of each PNG and JPEG; of a TIFF,
    which may be as long whatever it shows, all bytes are read. At the end of a PNG stands a
    checksum of all its pixels. What is missed: another JPEG of the same size that differs in its
    middle alone, and a PNG with more than 4 KiB of text behind its pixels. A picture that was
    merely written anew, by another program, counts as another.
    """
    files = _files(tiles)
    kinds = {
        "images": [own.image for own in files],
        "masks": [own.mask for own in files if own.mask],
        "depths": [own.depth for own in files if own.depth],
    }
    return {kind: _digest(paths) for kind, paths in kinds.items() if paths}


def twins(tiles: Tiles, others: Tiles) -> list[str]:
    """The pictures of ``tiles`` that ``others`` hold as well, under any name, byte for byte."""
    images, theirs = ([files.image for files in _files(each)] for each in (tiles, others))
    known = set(theirs)
    groups = [group for group in same_bytes([*images, *theirs]) if not known.isdisjoint(group)]
    found = {path for group in groups for path in group}
    return [str(path) for path in images if path in found]


def oddities(tiles: Tiles) -> list[str]:
    """In words: pictures that are there several times, and masks that different pictures share.

    Byte for byte, under any names. A mask of one class alone may well be that of many pictures.
    And masks that are predictions, depth maps that are not those which the record beside them tells
    of, and pictures of unusual colours. Of 8 tiles the pixels are looked at: what is odd of them
    together, and whether there is a doubt that holds of all their pictures, masks or depth maps.
    """
    own, said = _files(tiles), []
    if groups := same_bytes([files.image for files in own]):
        count = sum(map(len, groups)) - len(groups)
        said.append(f"{count} of the {len(own)} pictures are there before, {_shown(groups)}")
    pictures = {files.mask: files.image for files in own if files.mask}
    shared = [
        group
        for group in same_bytes(list(pictures))
        if len(same_bytes([pictures[mask] for mask in group], least=1)) > 1
        and _several(tiles, group)
    ]
    if shared:
        count = sum(map(len, shared))
        said.append(
            f"{count} of the {len(own)} masks are those of other pictures, {_shown(shared)}"
        )
    images = [files.image for files in own]
    return [
        *said,
        *predicted_masks(tiles),
        *strange_depths(tiles),
        *unusual_colours(images),
        *_doubts(tiles),
    ]


def _looked_at(tiles: Tiles) -> Sequence[Files]:
    """Those whose pixels or places are read before the first step, evenly over all."""
    assert isinstance(tiles, FolderTiles)
    return tiles.files[:: max(1, len(tiles.files) // _LOOKED_AT)]


def median_metres(tiles: Tiles) -> float | None:
    """Side of pixels on the ground in metres, of the tiles that are looked at and say it."""
    sizes = (pixel_metres(files.image) for files in _looked_at(tiles))
    found = [size for size in sizes if size is not None]
    return float(np.median(found)) if found else None


def _doubts(tiles: Tiles) -> list[str]:
    """In words, what holds of all tiles that are looked at; nothing for none."""
    assert isinstance(tiles, FolderTiles)
    looked = _looked_at(tiles)
    looks = [_look(files, tiles) for files in looked]
    said = []
    for place, kind in enumerate(KINDS):
        paths = ((files.image, files.mask, files.depth)[place] for files in looked)
        doubts = (look.doubts[place] for look in looks)
        found = {path: one for path, one in zip(paths, doubts, strict=True) if path}
        said += _of_all(kind, found, tiles)
    together = (fixed_range([files.depth for files in looked if files.depth]), *odd_together(looks))
    names = _named([files.image for files in looked])
    where = f"Looked at were {len(looked)} ({names})"
    return said + [f"{odd}{'' if odd[-1] in '.?' else '.'} {where}" for odd in together if odd]


def _look(files: Files, tiles: FolderTiles) -> Look:
    image = decode_image(files.image)
    size = image.shape[:2]
    label = decode_mask(files.mask, size, tiles.table) if files.mask else None
    return look_at(image, label, decode_depth(files.depth, size) if files.depth else None)


def _of_all(kind: str, found: Mapping[Path, Doubtful | None], tiles: Tiles) -> list[str]:
    doubts = {one.doubt if one else None for one in found.values()}
    if len(doubts) != 1 or None in doubts:
        return []
    doubtful = max((one for one in found.values() if one), key=lambda one: one.share)
    return [
        f"{kind} {doubtful}, all {len(found)} that were looked at of {len(tiles)} "
        f"({_named(list(found))})"
    ]


def predicted_masks(tiles: Tiles) -> list[str]:
    """In words, which masks are none but what ``scripts/predict.py`` wrote; nothing for none."""
    masks = [files.mask for files in _files(tiles) if files.mask]
    if not (found := [path for path in masks if png.is_described(path, PREDICTED)]):
        return []
    return [
        f"{len(found)} of the {len(masks)} masks are predictions, as scripts/predict.py writes "
        f"them, and no ground truth ({_named(found)})"
    ]


def strange_depths(tiles: Tiles) -> list[str]:
    """In words, which depth maps are others than were made where they lie; nothing for none."""
    places: dict[Path, list[Path]] = {}
    for files in _files(tiles):
        if files.depth:
            places.setdefault(files.depth.parents[1], []).append(files.depth)
    said = []
    for place, depths in places.items():
        if strange := DepthRecord(place).strangers(depths):
            said.append(
                f"{len(strange)} of the {len(depths)} depth maps of {'/'.join(place.parts[-2:])} "
                f"are not those that its {RECORD} tells of ({_named(strange)}): are folders "
                f"exchanged? Where they are your own, delete {RECORD}"
            )
    return said


def _several(tiles: Tiles, group: Sequence[Path]) -> bool:
    """Whether a mask, one for all of a group, shows more than one class; not, if it is bad."""
    assert isinstance(tiles, FolderTiles)
    try:
        return len(np.unique(decode_mask(group[0], None, tiles.table))) > 1
    except (ValueError, OSError):  # told where the files are looked at
        return False


def same_bytes(paths: Sequence[Path], least: int = 2) -> list[list[Path]]:
    """Groups of ``least`` files or more that are the same byte for byte."""
    found = dict[str, list[list[Path]]]()
    with ThreadPoolExecutor(_READING) as pool:
        for path, mark in zip(paths, pool.map(_mark, paths), strict=True):
            groups = found.setdefault(mark, [])
            for group in groups:
                if filecmp.cmp(group[0], path, shallow=False):
                    group.append(path)
                    break
            else:
                groups.append([path])
    return [group for groups in found.values() for group in groups if len(group) >= least]


def _shown(groups: Sequence[Sequence[Path]]) -> str:
    names = [" = ".join(path.name for path in group[:_SHOWN]) for group in groups]
    return f"byte for byte: {shorten(names, _SHOWN)}"


def _named(paths: Sequence[Path]) -> str:
    return shorten([path.name for path in paths], _SHOWN)


def _mark(path: Path) -> str:
    return describe_picture(path).removeprefix(path.name)


def _files(tiles: Tiles) -> tuple[Files, ...]:
    if not isinstance(tiles, FolderTiles):
        raise TypeError(f"These are no tiles of a folder: {type(tiles).__name__}.")
    return tiles.files


def _digest(paths: Iterable[Path]) -> str:
    with ThreadPoolExecutor(_READING) as pool:
        return digest(pool.map(describe_picture, paths))
