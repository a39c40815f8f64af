"""LoveDA as published, on disk: which tiles there are and where their files lie.

The manual directory holds ``Train``, ``Val`` and ``Test``, each as a folder or as the published
zip, or only some of them. Zips are read in place. ``depths_png`` is ours, for ready-made depth.

    Train/Urban/images_png/1366.png     8-bit RGB
    Train/Urban/masks_png/1366.png      8-bit grey, values 0..7; the folder is absent for Test
    Train/Urban/depths_png/1366.png     8- or 16-bit grey, larger = nearer; optional
"""

import functools
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rdepth_keras.data.loveda.spelling import DOMAINS, KINDS, misspelled
from rdepth_keras.data.splits import SPLITS

RECORD = "https://zenodo.org/records/5706578"
LAYOUT = (
    "Train/Urban/images_png/1366.png with Train/Urban/masks_png/1366.png, ..., likewise for "
    "Train/Rural, Val/* and Test/* (folders, or Train.zip, Val.zip, Test.zip as downloaded)"
)
_FILE = re.compile(rf"(Train|Val|Test)/(Urban|Rural)/({'|'.join(KINDS)})/([^/]+)")

_OTHER_PICTURES = (".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_DAMAGED = (  # what zipfile raises for an archive that is not whole
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    RuntimeError,  # encryption, unknown compression
)


@dataclass(frozen=True)
class Source:
    """One file of the tree: on its own, or a member of a zip. Safe to pickle."""

    path: Path
    member: str | None = None

    def read(self) -> bytes:
        if self.member is None:
            return self.path.read_bytes()
        try:
            return _open_zip(self.path).read(self.member)
        except _DAMAGED as error:
            raise ValueError(
                f"{self}: the archive is damaged ({error}); download it again."
            ) from error

    def __str__(self):
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"


@functools.lru_cache(maxsize=4)
def _open_zip(path: Path) -> zipfile.ZipFile:
    """An archive, opened once a process: its directory lists thousands of members."""
    try:
        archive = zipfile.ZipFile(path)
        promised = _promised_members(path)
    except _DAMAGED as error:
        raise ValueError(
            f"{path} is no readable zip archive ({error}); download it again."
        ) from error
    if promised != 0xFFFF and len(archive.infolist()) != promised:  # 0xFFFF: more than it can say
        raise ValueError(
            f"{path} lists {len(archive.infolist())} of {promised} members; download it again."
        )
    unsafe = [name for name in archive.namelist() if _leaves_its_folder(name)]
    if unsafe:
        raise ValueError(f"{path} holds {unsafe[0]!r}, which points out of it; do not use it.")
    return archive


def _leaves_its_folder(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return name.startswith(("/", "\\")) or ".." in parts or ":" in name


def _promised_members(path: Path) -> int:
    """The count in the archive's end record, which zipfile does not hold against its list."""
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 1 << 16), 2)
        tail = file.read()
    return struct.unpack_from("<H", tail, tail.rindex(b"PK\5\6") + 10)[0]


@dataclass(frozen=True)
class TileFiles:
    """Where one tile lies. ``mask`` is None in an unlabelled folder, ``depth`` without a map."""

    id: int
    split: str
    domain: str
    image: Source
    mask: Source | None
    depth: Source | None


Tree = Mapping[tuple[str, str], tuple[TileFiles, ...]]


def find_tiles(root: Path, *, with_depth: bool = False) -> Tree:
    """(split, domain) -> its tiles by rising id, for every ``images_png`` under ``root``.

    ``with_depth``: every tile must have its ready-made depth map, as it must have its mask when
    its folder has masks at all. Raises FileNotFoundError where nothing is found, files are missing
    or folders are spelled wrongly, ValueError for names that are no tile number.
    """
    folders = _list_files(root)
    complaints = misspelled(root, _members(root), with_depth)
    if complaints:
        raise FileNotFoundError(
            f"Folders of {root} are not named as expected. {' '.join(complaints)} Rename what is "
            f"meant and move the rest away; expected {LAYOUT}, as in {RECORD}."
        )
    tree = {}
    for split in SPLITS:
        for domain in DOMAINS:
            kinds = {kind: folders.get((split, domain, kind)) for kind in KINDS}
            if kinds["images_png"] is not None:
                tree[split, domain] = _match(split, domain, kinds, with_depth)
    if not tree:
        raise FileNotFoundError(
            f"No LoveDA tiles in {root}; expected {LAYOUT}. Download them from {RECORD}."
        )
    return tree


def absent_places(tree: Tree) -> list[str]:
    """The published folders that are not in the tree, such as ``Test/Urban``."""
    pairs = ((split, domain) for split in SPLITS for domain in DOMAINS)
    return [f"{s.title()}/{d.title()}" for s, d in pairs if (s, d) not in tree]


def shadowed(root: Path) -> list[str]:
    """In words, which folders are read although an archive beside them holds them as well.

    An archive that was unpacked may be left where it is; a folder of one's own, of other masks
    perhaps, is read in the place of the published one.
    """
    found = []
    for split in ("Train", "Val", "Test"):
        archive = root / f"{split}.zip"
        kinds = _list_zip(archive, split) if archive.is_file() else {}
        places = ((domain, kind) for domain in ("Urban", "Rural") for kind in KINDS)
        found += [
            (f"{split}/{domain}/{kind}", archive.name)
            for domain, kind in places
            if (split.lower(), domain.lower(), kind) in kinds
            and (root / split / domain / kind).is_dir()
        ]
    return [f"{place} is read from the folder, not from {name} beside it" for place, name in found]


def _list_files(root: Path) -> dict[tuple[str, str, str], dict[int, Source]]:
    """(split, domain, kind) -> {id: file}; a folder wins over the same folder in a zip."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"The manual directory {root} does not exist; expected in it: {LAYOUT}. "
            f"Download LoveDA from {RECORD}."
        )
    found = {}
    for split in ("Train", "Val", "Test"):
        archive = root / f"{split}.zip"
        if archive.is_file():
            found |= _list_zip(archive, split)
    for split in ("Train", "Val", "Test"):
        for domain in ("Urban", "Rural"):
            for kind in KINDS:
                folder = root / split / domain / kind
                if folder.is_dir():
                    found[split.lower(), domain.lower(), kind] = _by_id(_list_folder(folder))
    return found


def _list_folder(folder: Path) -> list[Source]:
    paths = sorted(folder.iterdir())
    other = [path.name for path in paths if path.suffix.lower() in _OTHER_PICTURES]
    if other:
        raise ValueError(f"{folder} must hold PNG files alone; convert {', '.join(other)}.")
    return [Source(path) for path in paths if _is_png(path.name)]


def _members(root: Path) -> list[str]:
    """The names in all archives."""
    archives = [root / f"{split.title()}.zip" for split in SPLITS]
    return [name for path in archives if path.is_file() for name in _open_zip(path).namelist()]


def _list_zip(archive: Path, split: str) -> dict[tuple[str, str, str], dict[int, Source]]:
    files: dict[tuple[str, str, str], list[Source]] = {}
    for member in _open_zip(archive).namelist():
        match = _FILE.fullmatch(member)
        if match and match[1] == split and _is_png(match[4]):
            key = (split.lower(), match[2].lower(), match[3])
            files.setdefault(key, []).append(Source(archive, member))
    return {key: _by_id(sources) for key, sources in files.items()}


def _is_png(name: str) -> bool:
    return name.lower().endswith(".png") and not name.startswith(".")


def _by_id(files: Iterable[Source]) -> dict[int, Source]:
    numbered: dict[int, Source] = {}
    for file in sorted(files, key=str):
        stem = Path(file.member or file.path).stem
        if not (stem.isascii() and stem.isdigit()):
            raise ValueError(f"{file}: a tile is named by its number, such as 1366.png.")
        if int(stem) in numbered:
            raise ValueError(f"{file} and {numbered[int(stem)]} carry the same tile number.")
        numbered[int(stem)] = file
    return numbered


def _match(split, domain, kinds, with_depth: bool) -> tuple[TileFiles, ...]:
    """Pairs images with masks and depth maps of one folder by tile number."""
    place = f"{split.title()}/{domain.title()}"
    images, masks, depths = kinds["images_png"], kinds["masks_png"], kinds["depths_png"]
    if not images:
        raise FileNotFoundError(f"{place}/images_png holds no PNG; delete the folder or fill it.")
    if masks is not None:
        _require(images, masks, f"{place}: tiles without a mask in masks_png")
        _require(masks, images, f"{place}: masks without a tile in images_png")
    if with_depth:
        _require(images, depths or {}, f"{place}: tiles without a depth map in depths_png")
    return tuple(
        TileFiles(
            number,
            split,
            domain,
            image=images[number],
            mask=masks[number] if masks is not None else None,
            depth=depths.get(number) if depths and with_depth else None,
        )
        for number in sorted(images)
    )


def _require(wanted: Mapping[int, Source], present: Mapping[int, Source], what: str) -> None:
    missing = sorted(wanted.keys() - present.keys())
    if missing:
        shown = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
        raise FileNotFoundError(f"{what}: {len(missing)} of {len(wanted)} (ids {shown}).")
