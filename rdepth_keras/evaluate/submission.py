"""The LoveDA benchmark's submission: written, and checked before the server sees it.

One flat zip with an 8-bit grey PNG of train ids 0..6 for every test tile, named as the tile. The
server scores a zip with a folder inside as 0, and masks of stored values 1..7 as mostly wrong.
Source: LoveDA UDA challenge, CodaBench competition 13037.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from rdepth_keras.arrays import Label
from rdepth_keras.atomic import writing
from rdepth_keras.data import png
from rdepth_keras.naming import shorten

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold: same labels, same bytes
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,  # encryption, unknown compression
)
_SHOWN = 5
MOST_FLAT = 0.5  # of the maps: few tiles of the published classes show one alone
_LEAST_MAPS = 8  # that tell whether all are cut off at one place
_CUT, _UNCUT = 0.9, 0.5  # shares of the maps: lines of one class there, and anywhere else
_LEAST_CUT = 1 / 16  # of the side


@dataclass(frozen=True)
class Expected:
    """What a submission must hold: tile numbers, side of a tile in pixels, number of classes."""

    ids: Sequence[int]
    side_pixels: int = 1024
    classes: int = 7

    @property
    def largest_bytes(self) -> int:
        """No tile takes more, however badly compressed: 16-bit RGBA and some text."""
        return 8 * self.side_pixels**2 + (1 << 20)


PUBLISHED = {"rural": Expected(range(4191, 5167)), "urban": Expected(range(5167, 5987))}


@dataclass(frozen=True)
class _Seen:
    """What a label map shows: its smallest and largest value, and which lines are one class.

    ``digest`` is of its pixels.
    """

    low: int
    high: int
    rows: np.ndarray
    columns: np.ndarray
    digest: bytes

    @property
    def flat(self) -> bool:
        return self.low == self.high


@dataclass
class Findings:
    """What is wrong with a submission, and what is merely suspicious; a fault lists its files."""

    faults: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, fault: str, name: str = "") -> None:
        self.faults.setdefault(fault, []).extend([name] if name else [])

    def __str__(self):
        lines = [_line(fault, names) for fault, names in self.faults.items()]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])


def write_submission(path: Path, labels: Iterable[tuple[int, Label]], expected: Expected) -> None:
    """Writes the zip, which is there once it is whole and passes :func:`check_submission`.

    Args:
        path: of the zip.
        labels: tile number and train ids (side, side), uint8, of every tile in any order.
        expected: what it must hold.

    Raises:
        FileExistsError: where there is such a file in the end.
        ValueError: for another name than *.zip, before the first label is asked for; for a tile
            that comes twice or has no uint8 label; or where the labels make no valid submission.
            Nothing is left behind.
    """
    if path.suffix.lower() != ".zip":
        raise ValueError(f"A submission is a zip; received the name {path}. Name it *.zip.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path, replace=False) as temporary:
        temporary.touch()  # a folder that takes no file is told before anything is predicted
        files: dict[int, bytes] = {}
        for number, label in labels:
            _check_label(number, label, files)
            files[number] = png.encode(label)
        with zipfile.ZipFile(temporary, "w") as archive:
            for number in sorted(files):
                entry = zipfile.ZipInfo(f"{number}.png", _EPOCH)
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, files[number])  # stored: PNG is compressed already
        found = check_submission(temporary, expected)
        if found.faults:
            raise ValueError(f"This makes no valid submission. {found}")


def _check_label(number: int, label: Label, earlier: Container[int]) -> None:
    if number in earlier:
        raise ValueError(f"Tile {number} has two labels; give one of each tile.")
    if label.dtype != np.uint8 or label.ndim != 2:
        raise ValueError(
            f"Tile {number}: a label is train ids, uint8 (H, W); received {label.dtype} "
            f"{label.shape}."
        )


def check_submission(path: Path, expected: Expected) -> Findings:
    """Looks at every file of a zip, ours or not, without unpacking it anywhere.

    A hostile zip costs no more than the file count times the size of a tile: nothing is read beyond
    what a tile can take, nor decoded before its header fits.

    Raises:
        FileNotFoundError: if there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    findings, seen = Findings(), {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            for entry in _check_names(entries, expected, findings):
                if found := _check_entry(archive, entry, expected, findings):
                    seen[entry] = found
    except _UNREADABLE as error:
        findings.add(f"no readable zip: truncated, damaged or another format ({error})")
        return findings
    _check_values(list(seen.values()), expected, findings)
    _check_variety(list(seen.values()), findings)
    _check_whole([found for found in seen.values() if not found.flat], findings)
    return findings


def _check_names(
    entries: Sequence[zipfile.ZipInfo], expected: Expected, findings: Findings
) -> list[zipfile.ZipInfo]:
    """The entries that are worth a look inside, each name once."""
    names = {f"{number}.png" for number in expected.ids}
    wanted: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.orig_filename
        if _leaves(name):
            findings.add("names that point out of the archive, or hold a \\ for a folder", name)
        elif entry.is_dir() or "/" in name:
            folder = name.split("/")[0]
            findings.add("a folder inside (scores 0): the PNGs belong at the root", f"{folder}/")
        elif name in wanted:
            findings.add("names that occur twice", name)
        elif name not in names:
            findings.add("files that are no tile of this test split", name)
        else:
            wanted[name] = entry
    missing = sorted(names - wanted.keys(), key=lambda name: int(name.removesuffix(".png")))
    for name in missing:
        findings.add("missing tiles", name)
    return list(wanted.values())


def _leaves(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return name.startswith("/") or "\\" in name or ":" in name or "\0" in name or ".." in parts


def _check_entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, expected: Expected, findings: Findings
) -> _Seen | None:
    """Looks into one file; what a readable label map shows, or None."""
    name = entry.filename
    if entry.flag_bits & 1:
        findings.add("encrypted files", name)
    elif entry.external_attr >> 28 == 0o12:
        findings.add("links instead of files", name)
    elif entry.file_size > expected.largest_bytes:
        findings.add("files too large for a tile", name)
    else:
        try:
            with archive.open(entry) as file:
                return _check_png(file.read(expected.largest_bytes), name, expected, findings)
        except _UNREADABLE as error:
            findings.add(f"unreadable files ({str(error).replace(name, 'it')})", name)
    return None


def _check_png(data: bytes, name: str, expected: Expected, findings: Findings) -> _Seen | None:
    header, side = png.read_header(data), expected.side_pixels
    kind, size = (header.colour, header.bits), (header.height, header.width)
    if kind != ("grey", 8):
        findings.add(f"not 8-bit single-channel but {header.bits}-bit {header.colour}", name)
    if size != (side, side):
        findings.add(f"not {side}x{side} pixels but {header.height}x{header.width}", name)
    if kind != ("grey", 8) or size != (side, side):
        return None
    label = png.decode(data)
    if label.max() >= expected.classes:
        findings.add(f"values outside 0..{expected.classes - 1}", name)
    rows, columns = ((label == label.take([0], axis)).all(axis) for axis in (1, 0))
    digest = blake2b(label.tobytes(), digest_size=16).digest()
    return _Seen(int(label.min()), int(label.max()), rows, columns, digest)


def _check_values(seen: Sequence[_Seen], expected: Expected, findings: Findings) -> None:
    """What only all tiles together show."""
    if not seen:
        return
    lowest, highest = min(found.low for found in seen), max(found.high for found in seen)
    if (lowest, highest) == (1, expected.classes):
        findings.add(f"values 1..{highest}, as masks are stored: subtract 1 everywhere")
    elif lowest > 0 and highest > lowest:
        findings.warnings.append("class 0, background, is nowhere: are all values one too high?")
    if lowest == highest:
        findings.warnings.append(f"every tile is class {lowest} and nothing else")


def _check_variety(seen: Sequence[_Seen], findings: Findings) -> None:
    """Tells of maps that other tiles bear as well, and of many that show one class alone."""
    rich = [found for found in seen if not found.flat]
    flat = len(seen) - len(rich)
    if len(seen) > flat > MOST_FLAT * len(seen):
        findings.warnings.append(f"{flat} of the {len(seen)} maps show one class alone")
    marks = Counter(found.digest for found in rich)
    if shared := sum(count for count in marks.values() if count > 1):
        findings.warnings.append(
            f"{shared} of the {len(seen)} maps are those of other tiles as well, pixel for pixel"
        )


def _check_whole(rich: Sequence[_Seen], findings: Findings) -> None:
    """Tells of rows or columns that are one class in nearly all maps, while others are not."""
    if len(rich) < _LEAST_MAPS:
        return
    for what in ("rows", "columns"):
        share = np.mean([getattr(found, what) for found in rich], axis=0)
        cut = np.flatnonzero(share > _CUT)
        if len(cut) > _LEAST_CUT * len(share) and share.min() < _UNCUT:
            findings.warnings.append(
                f"{len(cut)} {what} between {cut[0]} and {cut[-1]} show one class each in nearly "
                "all maps: are they cut off or drawn in part?"
            )


def _line(fault: str, names: Sequence[str]) -> str:
    if not names:
        return f"fault: {fault}"
    several = [name if name.isprintable() else repr(name) for name in dict.fromkeys(names)]
    count = f" ({len(names)} files)" if len(names) > 1 else ""
    return f"fault: {fault}: {shorten(several, _SHOWN)}{count}"
