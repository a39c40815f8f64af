"""What PNG, JPEG and TIFF files say of themselves, read without decoding: kind, size, wholeness."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rdepth_keras.data import png

JPEG = (".jpg", ".jpeg")
TIFF, BIG_TIFF = (b"II*\0", b"MM\0*"), (b"II+\0", b"MM\0+")  # beginnings
# Those that are read here and in oddities: others may be large, or point to nowhere.
_TAGS = {254, 256, 257, 258, 259, 262, 273, 274, 277, 279, 284, 324, 325, 339}
_TAGS |= {700, 34735, 42112, 42113}  # of XMP, GeoTIFF and GDAL
_PLACES = {33550, 33922, 34264}  # of GeoTIFF, in numbers of eight bytes
# Whole numbers, text and bytes of no said kind among a TIFF's field types.
_TIFF_TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i"}
_KINDS = {1: "uint", 3: "float"}  # a TIFF's sample formats that are read


@dataclass(frozen=True)
class Form:
    """Height and width in pixels, number of bands, and the name of the values' dtype."""

    height: int
    width: int
    bands: int
    dtype: str


def form_of(pixels: np.ndarray) -> Form:
    """The form of decoded pixels, (H, W) or (H, W, bands)."""
    bands = 1 if pixels.ndim == 2 else pixels.shape[-1]
    return Form(pixels.shape[0], pixels.shape[1], bands, str(pixels.dtype))


def read_form(path: Path) -> Form | None:
    """The form of a file, or None for an unusual kind whose form only its decoder tells.

    Raises ValueError for a file that is truncated or of another kind than its name says.
    """
    if path.suffix.lower() == ".png":
        header = png.peek(path)
        bands = 1 if header.colour == "grey" else 3
        return Form(header.height, header.width, bands, f"uint{header.bits}")
    with path.open("rb") as file:
        size = file.seek(0, 2)
        try:
            return _jpeg(file, size) if path.suffix.lower() in JPEG else _tiff(file, size)
        except struct.error as error:
            kind = "JPEG" if path.suffix.lower() in JPEG else "TIFF"
            raise ValueError(f"truncated or no {kind}") from error


def _jpeg(file: BinaryIO, size: int) -> Form | None:
    """From the frame header (ITU-T T.81, B.2.2), which follows any number of other segments."""
    file.seek(max(0, size - 64))
    if not file.read().rstrip(b"\0").endswith(b"\xff\xd9"):
        return None  # its decoder looks for the end, wherever it is
    file.seek(0)
    if file.read(2) != b"\xff\xd8":
        raise ValueError("truncated or no JPEG")
    while True:
        marker, kind, length = struct.unpack(">BBH", file.read(4))
        if marker != 0xFF:
            return None
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            bits, height, width, bands = struct.unpack(">BHHB", file.read(6))
            return Form(height, width, bands, "uint8") if bits == 8 and bands in (1, 3) else None
        file.seek(length - 2, 1)


def _tiff(file: BinaryIO, size: int) -> Form | None:
    """From the first directory (TIFF 6.0, section 2), with its pixels' place held against ``size``.

    Numbers without a comment are the tags of that specification.
    """
    tags = tiff_tags(file)
    starts = tags.get(273, ()) or tags.get(324, ())
    lengths = tags.get(279, ()) or tags.get(325, ())
    if any(first + count > size for first, count in zip(starts, lengths, strict=False)):
        raise ValueError("truncated TIFF (it stops before its pixels end)")
    bits, kinds = set(tags.get(258, (1,))), set(tags.get(339, (1,)))
    bands, colour = tags.get(277, (1,))[0], tags.get(262, (None,))[0]
    plain = (bands, colour) in ((1, 1), (3, 2), (4, 2)) and tags.get(284, (1,)) == (1,)
    one_kind = len(bits) == len(kinds) == 1 and kinds <= _KINDS.keys() and bits <= {8, 16, 32, 64}
    if tags[0] or not (plain and one_kind and {256, 257} <= tags.keys()):
        return None
    return Form(tags[257][0], tags[256][0], bands, f"{_KINDS[kinds.pop()]}{bits.pop()}")


def tiff_tags(file: BinaryIO, place: int | None = None) -> dict[int, tuple]:
    """The numbers and texts of known tags in a TIFF's directory; under 0, where the next begins.

    It is the first one, or the one at ``place``. Raises ValueError for another kind of file and a
    truncated one, or struct.error.
    """
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(8)
    if start.startswith(BIG_TIFF):
        raise ValueError(
            "a BigTIFF, a plain TIFF is expected: `gdal_translate -co BIGTIFF=NO -co "
            "COMPRESS=DEFLATE IN OUT`, in parts where it is larger than 4 GB"
        )
    if not start.startswith(TIFF):
        raise ValueError("no TIFF file")
    order = "<" if start.startswith(b"II") else ">"
    first = struct.unpack(f"{order}I", start[4:])[0]
    return dict(_entries(file, order, first if place is None else place, size))


def _entries(file: BinaryIO, order: str, place: int, size: int) -> Iterator[tuple[int, tuple]]:
    """Yields (tag, numbers or text) of a directory, and last (0, ...): the place of the next."""
    file.seek(place)
    (count,) = struct.unpack(f"{order}H", file.read(2))
    directory = file.read(12 * count + 4)
    if len(directory) < 12 * count + 4:
        raise ValueError("truncated TIFF (it stops inside its directory)")
    for index in range(count):
        tag, kind, length = struct.unpack_from(f"{order}HHI", directory, 12 * index)
        types = {12: "d"} if tag in _PLACES else _TIFF_TYPES if tag in _TAGS else {}
        if kind not in types:
            continue
        layout = f"{order}{length}{types[kind]}"
        width = struct.calcsize(layout)
        if width > size:
            raise ValueError("truncated TIFF (it stops inside its directory)")
        data = directory[12 * index + 8 :]
        if width > 4:
            file.seek(struct.unpack_from(f"{order}I", data)[0])
            data = file.read(width)
        yield tag, struct.unpack_from(layout, data)
    following = struct.unpack_from(f"{order}I", directory, 12 * count)[0]
    yield 0, (following,) if following else ()
