"""Anyone's own tiles: a plain tree of files and a class file, no builder.

    train/town/images/a1.png    8-bit RGB; PNG, JPEG or TIFF, any size
    train/town/masks/a1.png     8-bit grey, the values of the class file; PNG or TIFF
    train/town/depths/a1.png    8- or 16-bit grey, or float TIFF, larger = nearer; optional

The folders are ``<split>/<domain>/<kind>``: splits are ``train``, ``val`` and ``test``, domains
bear any names. A domain without ``masks`` is unlabelled; where some tiles have masks, those are the
labelled part. Files belong together by name; those that begin with a dot are left out, as hidden.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rdepth_keras.arrays import Tile
from rdepth_keras.data.folder.files import (
    SUFFIXES,
    decode_depth,
    decode_image,
    decode_mask,
    peek_image,
)
from rdepth_keras.data.splits import SPLITS, AbsentSplit
from rdepth_keras.labels import IGNORE, ClassTable

KINDS = ("images", "masks", "depths")
LAYOUT = "<split>/<domain>/images/NAME.png with masks/NAME.png and, for depth, depths/NAME.png"
MOVED = "If they were moved, name their place with --data-dir."
# What desktop and GIS programs leave behind; a mask of pixels without data, .msk, is told with its
# picture.
_SIDECARS = (".xml", ".txt", ".db", ".ini", ".tfw", ".tfwx", ".pgw", ".jgw", ".wld", ".prj")
_SIDECARS += (".ovr", ".aux", ".msk")


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

    @property
    def labelled(self) -> bool:
        """Whether every tile has a mask."""
        return all(files.mask for files in self.files)

    def labelled_part(self) -> "FolderTiles | None":
        """The tiles that have a mask; None where none has."""
        part = tuple(files for files in self.files if files.mask)
        return replace(self, files=part) if part else None

    def longest_side(self) -> int:
        """Of all images, in pixels, by their headers."""
        return max(max(peek_image(files.image)) for files in self.files)

    def shortest_side(self) -> int:
        """Likewise."""
        return min(min(peek_image(files.image)) for files in self.files)

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
class FolderTree:
    """A tree of tiles: ``places`` are (split, domain) pairs with their folders."""

    root: Path
    table: ClassTable
    places: Mapping[tuple[str, str], Path]
    with_depth: bool

    def tiles(self, split: str, domain: str) -> FolderTiles:
        """The tiles of a split and domain, matched by name; no file is opened, see ``checks``.

        Raises AbsentSplit for a pair that is not there, FileNotFoundError for missing files and
        ValueError for files that do not belong there, naming all of them.
        """
        place = self.places.get((split, domain))
        if place is None:
            present = ", ".join("/".join(pair) for pair in sorted(self.places))
            raise AbsentSplit(f"{self.root} holds no {split}/{domain}; there are: {present}.")
        return FolderTiles(_match(place, self.with_depth), self.table)


def open_folder(root: Path, table: ClassTable, *, with_depth: bool) -> FolderTree:
    """The tree under ``root``; ``with_depth`` says that every tile must have its depth map.

    Raises FileNotFoundError, telling the layout, where there are no tiles, and ValueError for
    folders that are named as none is expected to be.
    """
    places = {
        (split, domain.name): domain
        for split in SPLITS
        for domain in _folders(root / split)
        if (domain / "images").is_dir()
    }
    _refuse_strange(root)
    if not places:
        raise FileNotFoundError(f"There are no tiles in {root}; expected: {LAYOUT}. {MOVED}")
    return FolderTree(root, table, places, with_depth)


def image_files(root: Path) -> list[Path]:
    """Every image of the tree under ``root``, in order; raises as :func:`open_folder`."""
    _refuse_strange(root)
    places = sorted(path for split in SPLITS for path in (root / split).glob("*/images"))
    strange: list[str] = []
    found = [path for place in places for path in _by_name(place, strange).values()]
    _refuse(strange)
    if not found:
        raise FileNotFoundError(f"There are no tiles in {root}; expected: {LAYOUT}. {MOVED}")
    return found


def depth_maps(domain: Path) -> dict[str, Path]:
    """A domain's depth maps by name without suffix; ValueError for what does not belong there."""
    strange: list[str] = []
    place = domain / "depths"
    found = _by_name(place, strange) if place.is_dir() else {}
    _refuse(strange)
    return found


def _folders(place: Path) -> list[Path]:
    """The folders in a place, but for hidden ones."""
    return sorted(path for path in place.glob("[!.]*") if path.is_dir())


def _refuse_strange(root: Path) -> None:
    """Folders that are spelled wrongly would be left out of a dataset, and nobody would see it."""
    strange = [
        f"{path} is no split; splits are {', '.join(SPLITS)}."
        for path in _folders(root)
        if path.name not in SPLITS and any(path.glob("*/[iI]mage*/"))
    ]
    places = [root / split for split in SPLITS]
    for split in places[:]:
        places += [*split.glob("[!.]*"), *(d / kind for d in _folders(split) for kind in KINDS)]
        strange += filter(None, map(_misspelled, _folders(split)))
    strange += [
        f"{path} is a link to nothing; mend or remove it."
        for path in places
        if path.is_symlink() and not path.exists()
    ]
    _refuse(strange)


def _misspelled(domain: Path) -> str:
    """What a domain lacks while it holds something unknown, in words; else empty."""
    there = {path.name for path in _folders(domain)}
    missing = sorted({"images", "masks"} - there)
    if "images" not in missing and not (missing and there - set(KINDS)):
        return ""
    seen = ", ".join(sorted(there)) or "nothing"
    return (
        f"{domain} has no {' and no '.join(missing)}, but {seen}; rename what is meant, and move "
        "the rest away."
    )


def _match(place: Path, with_depth: bool) -> tuple[Files, ...]:
    """The files of one folder, matched by name and in its order."""
    strange: list[str] = []
    kinds = KINDS if with_depth else KINDS[:2]
    images, masks, depths = (
        _by_name(place / kind, strange) if kind in kinds and (place / kind).is_dir() else {}
        for kind in KINDS
    )
    _refuse(strange)
    if not images:
        raise FileNotFoundError(f"{place / 'images'} holds no image; expected: {LAYOUT}.")
    if (place / "masks").is_dir() and not masks:
        raise FileNotFoundError(
            f"{place / 'masks'} holds no mask; fill it, or remove it if the tiles have no labels."
        )
    _require(masks, images, f"{place / 'images'} lacks the images of")
    if with_depth:
        _require(depths, images, f"{place / 'images'} lacks, of those in depths, the images of")
        _require(
            images,
            depths,
            "The network has a depth encoder. Estimate depth maps (python scripts/prepare.py "
            f"--folder {place.parents[1]}), or choose a network of the image alone "
            "(--network.depth-encoder None). "
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


def _by_name(folder: Path, strange: list[str]) -> dict[str, Path]:
    """Files by name without suffix; what does not belong there is told to ``strange``."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or suffix in _SIDECARS:
            continue
        if path.is_dir():
            strange.append(f"{path} is a folder; files are expected, move it away.")
        elif not path.exists():
            strange.append(f"{path} is a link to nothing; mend or remove it.")
        elif not path.is_file():
            strange.append(f"{path} is no file; files are expected, move it away.")
        elif not _is_text(path.name):
            strange.append(f"{str(path)!r}: its name is no UTF-8; rename it.")
        elif suffix not in SUFFIXES:
            strange.append(f"{path}: expected are files ending in {', '.join(SUFFIXES)}.")
        elif path.stem in found:
            strange.append(f"{path} and {found[path.stem]} bear the same name; remove one.")
        else:
            found[path.stem] = path
    return found


def _is_text(name: str) -> bool:
    """Whether a name can be written down; another is of bytes that are no UTF-8."""
    return name == name.encode(errors="replace").decode()


def _refuse(strange: list[str]) -> None:
    if strange:
        raise ValueError(" ".join(strange))


def _require(wanted: Mapping[str, Path], present: Mapping[str, Path], what: str) -> None:
    missing = sorted(wanted.keys() - present.keys())
    if len(missing) == len(wanted) > 6:
        raise FileNotFoundError(
            f"{what} all {len(wanted)} tiles.{spelled_otherwise(missing, present)}"
        )
    if missing:
        raise FileNotFoundError(
            f"{what} {len(missing)} of {len(wanted)} tiles: {', '.join(missing)}."
            f"{spelled_otherwise(missing, present)}"
        )


def spelled_otherwise(missing: Iterable[str], present: Iterable[str]) -> str:
    """A hint, where names are there in another case, or in Unicode that looks the same."""
    for told, plain in (
        ("other Unicode characters, as archives made on a Mac are", _composed),
        ("upper and lower case exchanged", lambda name: _composed(name).casefold()),
    ):
        looks = {plain(name) for name in present}
        if any(plain(name) in looks for name in missing):
            return f" A file of that name is there, spelled with {told}: rename one as the other."
    return ""


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
