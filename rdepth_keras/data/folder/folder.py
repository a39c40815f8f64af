"""Anyone's own tiles: a plain tree of files and a class file, no builder.

    train/town/images/a1.png    8-bit RGB; PNG, JPEG or TIFF, any size
    train/town/masks/a1.png     8-bit grey, the values of the class file; PNG or TIFF
    train/town/depths/a1.png    8- or 16-bit grey, or float TIFF, larger = nearer; optional

The folders are ``<split>/<domain>/<kind>``: splits are ``train``, ``val`` and ``test``, domains
bear any names. A domain without ``masks`` is unlabelled. Files belong together by name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rdepth_keras.arrays import Tile
from rdepth_keras.data.folder.files import SUFFIXES, decode_depth, decode_image, decode_mask
from rdepth_keras.labels import IGNORE, ClassTable

SPLITS = ("train", "val", "test")
LAYOUT = "<split>/<domain>/images/NAME.png with masks/NAME.png and, for depth, depths/NAME.png"
_SIDECARS = (".xml", ".tfw", ".txt", ".db", ".ini")  # what desktop and GIS programs leave behind


@dataclass(frozen=True)
class Files:
    """One tile's files; ``mask`` and ``depth`` are None where there is none."""

    id: int
    image: Path
    mask: Path | None
    depth: Path | None


@dataclass(frozen=True)
class FolderTiles:
    """The tiles of one folder; see :class:`rdepth_keras.arrays.Tiles`. Files are read on demand.

    Without depth maps, depth is 0 everywhere; ``id`` is the number a file is named by, or else the
    place of its name in the order of names.
    """

    files: tuple[Files, ...]
    table: ClassTable
    labelled: bool

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Tile:
        """Reads one tile. Raises ValueError, naming file and remedy, for files that do not fit."""
        files = self.files[index]
        image = decode_image(files.image)
        size = image.shape[:2]
        return Tile(
            id=files.id,
            image=image,
            depth=decode_depth(files.depth, size) if files.depth else np.zeros((*size, 1), "f4"),
            label=decode_mask(files.mask, size, self.table)
            if files.mask
            else np.full(size, IGNORE, np.uint8),
        )

    def stored(self) -> Iterator[bytes]:
        """The bytes behind the tiles: for a fingerprint."""
        yield repr(self.table).encode()
        for files in self.files:
            yield str(files.id).encode()
            yield from (
                path.read_bytes() if path else b""
                for path in (files.image, files.mask, files.depth)
            )


@dataclass(frozen=True)
class Folder:
    """A tree of tiles: ``places`` are (split, domain) pairs with their folders."""

    root: Path
    table: ClassTable
    places: Mapping[tuple[str, str], Path]
    with_depth: bool

    def tiles(self, split: str, domain: str) -> FolderTiles:
        """The tiles of a split and domain; one of them is read, to see early what does not fit.

        Raises ValueError for a pair that is not there and FileNotFoundError for missing files.
        """
        place = self.places.get((split, domain))
        if place is None:
            present = ", ".join("/".join(pair) for pair in sorted(self.places))
            raise ValueError(f"{self.root} holds no {split}/{domain}; there are: {present}.")
        files = _match(place, self.with_depth)
        tiles = FolderTiles(files, self.table, files[0].mask is not None)
        tiles[0]
        return tiles


def open_folder(root: Path, table: ClassTable, *, with_depth: bool) -> Folder:
    """The tree under ``root``; ``with_depth`` says that every tile must have its depth map.

    Raises FileNotFoundError, telling the layout, where there are no tiles.
    """
    places = {
        (split, domain.name): domain
        for split in SPLITS
        for domain in sorted((root / split).glob("*"))
        if (domain / "images").is_dir()
    }
    if not places:
        raise FileNotFoundError(f"There are no tiles in {root}; expected: {LAYOUT}.")
    return Folder(root, table, places, with_depth)


def image_files(root: Path) -> list[Path]:
    """Every image of the tree under ``root``, in order; raises as :func:`open_folder`."""
    places = sorted(path for split in SPLITS for path in (root / split).glob("*/images"))
    found = [path for place in places for path in _by_name(place).values()]
    if not found:
        raise FileNotFoundError(f"There are no tiles in {root}; expected: {LAYOUT}.")
    return found


def _match(place: Path, with_depth: bool) -> tuple[Files, ...]:
    """The files of one folder, matched by name and in its order."""
    images = _by_name(place / "images")
    masks = _by_name(place / "masks") if (place / "masks").is_dir() else {}
    depths = _by_name(place / "depths") if with_depth and (place / "depths").is_dir() else {}
    if not images:
        raise FileNotFoundError(f"{place / 'images'} holds no image; expected: {LAYOUT}.")
    if masks:
        _require(images, masks, f"{place / 'masks'} lacks the masks of")
        _require(masks, images, f"{place / 'images'} lacks the images of")
    if with_depth:
        _require(
            images,
            depths,
            "The network has a depth encoder. Estimate depth maps (python scripts/prepare.py "
            f"--folder {place.parents[1]}), or choose a network of the image alone "
            "(--segmenter.depth-encoder None). "
            f"{place / 'depths'} lacks the maps of",
        )
    return tuple(
        Files(number, images[name], masks.get(name), depths.get(name))
        for number, name in _numbered(sorted(images))
    )


def _numbered(names: list[str]) -> list[tuple[int, str]]:
    """(id, name): the names' own numbers where every one is a number of its own."""
    if all(re.fullmatch(r"[0-9]{1,18}", name) for name in names):
        numbers = [int(name) for name in names]
        if len(set(numbers)) == len(numbers):
            return sorted(zip(numbers, names, strict=True))
    return list(enumerate(names))


def _by_name(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or suffix in _SIDECARS:
            continue
        if suffix not in SUFFIXES:
            raise ValueError(f"{path}: expected are files ending in {', '.join(SUFFIXES)}.")
        if path.stem in found:
            raise ValueError(f"{path} and {found[path.stem]} bear the same name; remove one.")
        found[path.stem] = path
    return found


def _require(wanted: Mapping[str, Path], present: Mapping[str, Path], what: str) -> None:
    missing = sorted(wanted.keys() - present.keys())
    if missing:
        shown = ", ".join(missing[:6]) + (", ..." if len(missing) > 6 else "")
        raise FileNotFoundError(f"{what} {len(missing)} of {len(wanted)} tiles: {shown}.")
