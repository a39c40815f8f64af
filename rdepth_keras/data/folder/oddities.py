"""What picture files say that decoded pixels do not show: turned, other colours, no data.

Decoders differ in what they make of it, and OpenCV hands out damaged TIFFs with a warning.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import BinaryIO

from PIL.TiffImagePlugin import TiffImageFile

from rdepth_keras.data.folder.headers import BIG_TIFF, TIFF, tiff_tags

Tags = Mapping[int, tuple]
_PLAIN, _DEFLATE = 1, (8, 32946)  # compressions of TIFF; the latter carries a checksum
_LOSSY = {
    **{6: "JPEG", 7: "JPEG", 34887: "LERC", 50001: "WebP"},
    **dict.fromkeys((33003, 33005, 34712), "JPEG 2000"),
}  # compressions that change values, or may
_COLOURS = {
    0: "reversed (0 is white)",
    5: "CMYK",
    8: "Lab",
    9: "Lab",
    10: "Lab",
}  # photometric interpretations
_COMPRESSION, _ORIENTATION = 259, 274  # tags of TIFF, and so of Exif
_GDAL_METADATA, _NO_DATA = 42112, 42113  # GDAL's own
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")  # chunks of PNG
_XMP = 700  # tag of TIFF
_BANDS = ("red", "green", "blue")


def refuse_odd(file: BinaryIO, unpack: bool = False) -> None:
    """Raises ValueError, with the remedy, where a picture is not what its pixels seem to be.

    That is: a JPEG, TIFF, PNG or WebP turned by a tag, a TIFF of several pages, of several bands of
    grey, of colours in another order, of values that are no whole bytes, half floats or count
    downwards, or with blocks that are not there,
    an animated PNG or WebP, CMYK, Lab or reversed grey, a PNG of which one colour is transparent, a
    BigTIFF, of which no tag would be looked at. ``unpack`` also looks for damage in a packed TIFF's
    pixels.
    Other kinds of files, and damaged headers, are left to their decoders.
    """
    file.seek(0)
    start = file.read(4)
    try:
        if start.startswith(b"\xff\xd8"):
            _refuse_odd_jpeg(file)
        elif start in (b"\x89PNG", b"RIFF"):
            _refuse_odd_chunks(file, start == b"RIFF")
        elif start in TIFF + BIG_TIFF:
            tags = tiff_tags(file)
            _refuse_turned(tags)
            _refuse_turned_xmp(_text(tags, _XMP))
            _refuse_pages(file, tags)
            _refuse_colours(_COLOURS.get(_first(tags, 262, 1)))
            _refuse_bands(tags)
            _refuse_reversed(_text(tags, _GDAL_METADATA))
            _refuse_order(_text(tags, _GDAL_METADATA))
            _refuse_bits(tags)
            _refuse_holes(tags)
            if unpack and _first(tags, _COMPRESSION, _PLAIN) != _PLAIN:
                _unpack(file, tags)
    except struct.error:
        return


def no_data(file: BinaryIO) -> float | None:
    """The value that a TIFF marks pixels without data by, as GDAL writes it; None for none.

    Raises ValueError for a mark that is no number.
    """
    return number(_text(tags_of(file), _NO_DATA).rstrip(b"\0 ").decode("ascii", "replace"))


def number(text: str) -> float | None:
    """What a mark of no data says; None for an empty one, ValueError for other words."""
    try:
        return float(text) if text.strip() else None
    except ValueError as error:
        raise ValueError(f"its mark of no data, {text!r}, is no number") from error


def lossy(file: BinaryIO) -> str:
    """By what a TIFF is packed, where that may change its values; else empty."""
    return _LOSSY.get(_first(tags_of(file), _COMPRESSION, _PLAIN), "")


def tags_of(file: BinaryIO) -> Tags:
    """The known tags of a TIFF; none for other and for damaged files."""
    file.seek(0)
    try:
        return tiff_tags(file) if file.read(4) in TIFF else {}
    except (struct.error, ValueError):
        return {}


def _refuse_odd_jpeg(file: BinaryIO) -> None:
    for kind, content in _segments(file):
        if kind == 0xE1 and content.startswith(b"Exif\0\0"):
            _refuse_turned(tiff_tags(BytesIO(content[6:])))
        if kind == 0xE1:
            _refuse_turned_xmp(content)
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC) and len(content) > 5:
            _refuse_colours("CMYK" if content[5] == 4 else None)


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Kind and content of a JPEG's segments up to its pixels (ITU-T T.81, B.1.1)."""
    file.seek(2)
    while True:
        marker, kind, length = struct.unpack(">BBH", file.read(4))
        if marker != 0xFF or kind == 0xDA:
            return
        yield kind, file.read(max(0, length - 2))


def _refuse_odd_chunks(file: BinaryIO, webp: bool) -> None:
    for kind, content in _chunks(file, webp):
        if kind.upper() == b"EXIF":
            _refuse_turned(tiff_tags(BytesIO(content.removeprefix(b"Exif\0\0"))))
        if kind == b"XMP ":
            _refuse_turned_xmp(content)
        if kind in _TEXTS:
            _refuse_turned_text(kind, content)
        if kind == b"tRNS":
            raise ValueError("one of its colours is transparent, RGB or grey alone is expected")
        if kind in (b"acTL", b"ANIM"):
            raise ValueError("it is animated, a single picture is expected")


def _chunks(file: BinaryIO, webp: bool) -> Iterator[tuple[bytes, bytes]]:
    """Kind of each chunk of a PNG (third edition, 5.3) or WebP (RFC 9649, 2.3), and what tags say.

    Ends in struct.error where the file stops.
    """
    place = 12 if webp else 8
    while True:
        file.seek(place)
        head = struct.unpack("<4sI" if webp else ">I4s", file.read(8))
        kind, length = head if webp else head[::-1]
        told = kind.upper() == b"EXIF" or kind in (*_TEXTS, b"XMP ")
        yield kind, file.read(length) if told else b""
        place += 8 + length + (length % 2 if webp else 4)


def _refuse_turned_text(kind: bytes, content: bytes) -> None:
    """ImageMagick writes Exif as hexadecimal text, others write XMP."""
    name, _, text = content.partition(b"\0")
    try:
        if kind == b"zTXt":
            text = zlib.decompress(text[1:])
        elif kind == b"iTXt" and text.startswith(b"\1"):  # packed, after two more names
            text = zlib.decompress(text[2:].split(b"\0", 2)[-1])
        profile = name in (b"Raw profile type exif", b"Raw profile type APP1")
        exif = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii")) if profile else b""
    except (zlib.error, ValueError):
        return  # readers of damaged text turn nothing
    _refuse_turned_xmp(text)
    if exif.startswith(b"Exif\0\0"):
        _refuse_turned(tiff_tags(BytesIO(exif[6:])))


def _refuse_turned_xmp(text: bytes) -> None:
    found = re.search(rb"tiff:Orientation\W{1,3}(\d)", text)
    _refuse_turned({_ORIENTATION: (int(found[1]),)} if found else {})


def _refuse_bands(tags: Tags) -> None:
    """Decoders drop a second band, and make of further ones what they like."""
    bands = _first(tags, 277, 1)
    if bands > 1 and _first(tags, 262, 1) in (0, 1):
        raise ValueError(
            f"it has {bands} bands of grey, grey or RGB alone is expected: `gdal_translate -b 1 IN "
            "OUT` takes the first, `-b 1 -b 2 -b 3 -co PHOTOMETRIC=RGB` calls three red, green and "
            "blue"
        )


def _refuse_reversed(metadata: bytes) -> None:
    """A negative scale, as GDAL writes it."""
    if re.search(rb"role=.scale.[^>]*>\s*-", metadata):
        raise ValueError(
            "its scale is negative, so that larger values mean less: `gdal_translate -unscale -ot "
            "Float32 IN OUT` counts them upwards"
        )


def invisible_bands(file: BinaryIO) -> str:
    """How a TIFF describes its first three bands, as GDAL writes it, where that is not of light.

    That is: near infrared and such, or numbers of bands as of Sentinel-2 and Landsat, where red,
    green and blue are B4, B3 and B2. Empty for others.
    """
    first = _described(_text(tags_of(file), _GDAL_METADATA))
    words = " ".join(first).lower()
    numbers = [
        int(found[1]) for name in first if (found := re.fullmatch(r"B0*(\d+)", name.strip()))
    ]
    odd = re.search(r"nir|infra|swir|edge|thermal|\btir\b", words)
    return ", ".join(first) if odd or (numbers and numbers != [4, 3, 2]) else ""


def _described(metadata: bytes) -> list[str]:
    """The descriptions of the first three bands; empty ones for none."""
    told = re.findall(rb'sample="(\d+)"[^>]*role="description"[^>]*>([^<]*)<', metadata)
    names = {int(band): name.decode("ascii", "replace") for band, name in told}
    return [names.get(band, "") for band in range(3)]


def _refuse_order(metadata: bytes) -> None:
    """Bands that are described as red, green and blue, as GDAL writes it, but in another order."""
    first = _described(metadata)
    words = [re.findall(r"(?<![a-z])(?:red|green|blue)(?![a-z])", name.lower()) for name in first]
    found = [word for own in words for word in own]
    if found != list(_BANDS) and sorted(found) == sorted(_BANDS) and all(map(len, words)):
        raise ValueError(
            f"its bands are described as {', '.join(first)}; {', '.join(_BANDS)} is expected: "
            "`gdal_translate -b RED -b GREEN -b BLUE IN OUT`, by their numbers"
        )


def _refuse_bits(tags: Tags) -> None:
    """OpenCV stretches single bits to 0 and 255, others in its way, and reads no half floats."""
    bits = set(tags.get(258, (1,)))
    if 16 in bits and 3 in tags.get(339, (1,)):
        raise ValueError(
            "its values are floats of 16 bits, of 32 or 64 are expected: `gdal_translate -ot "
            "Float32 IN OUT`"
        )
    if not bits <= {8, 16, 32, 64}:
        raise ValueError(
            f"its values have {', '.join(map(str, sorted(bits)))} bit(s) each, whole bytes are "
            "expected: `gdal_translate -ot Byte -co NBITS=8 IN OUT`"
        )


def _refuse_holes(tags: Tags) -> None:
    """Blocks of a sparse TIFF that lie nowhere: decoders make of them what they like."""
    if not all(all(tags.get(tag, (1,))) for tag in (273, 324, 279, 325)):
        raise ValueError(
            "a sparse TIFF, some of its blocks are not there: `gdal_translate -co SPARSE_OK=FALSE "
            "IN OUT`"
        )


def _refuse_turned(tags: Tags) -> None:
    if _first(tags, _ORIENTATION, 1) not in (0, 1):
        raise ValueError(
            "a tag says that its pixels lie turned or mirrored, and not all programs obey it; turn "
            "the pixels themselves (`mogrify -auto-orient FILE`), and look whether mask and depth "
            "map still fit"
        )


def _refuse_pages(file: BinaryIO, tags: Tags) -> None:
    """Smaller copies of the same picture are no pages (tag 254, bit 0); a mask is one (bit 2)."""
    passed: set[int] = set()
    while (place := _first(tags, 0, 0)) and place not in passed:
        passed.add(place)
        tags = tiff_tags(file, place)
        kind = _first(tags, 254, 0)
        if kind & 4:
            raise ValueError(mask_words("inside it"))
        if not kind & 1:
            raise ValueError("a TIFF of several pages, one is expected")


def mask_words(place: str) -> str:
    """What is said of a mask in the file or beside it."""
    return (
        f"a mask {place} says which pixels hold data, and is not read here: `gdal_translate -mask "
        "none IN OUT` leaves it out"
    )


def _refuse_colours(name: str | None) -> None:
    if name:
        raise ValueError(f"its colours are {name}, RGB or grey is expected")


def _unpack(file: BinaryIO, tags: Tags) -> None:
    if _first(tags, _COMPRESSION, _PLAIN) not in _DEFLATE:
        return _load(file)
    places, lengths = (tags.get(a, ()) or tags.get(b, ()) for a, b in ((273, 324), (279, 325)))
    for place, length in zip(places, lengths, strict=False):
        file.seek(place)
        try:
            zlib.decompress(file.read(length))
        except zlib.error as error:
            raise ValueError("damaged TIFF (its pixels cannot be unpacked)") from error


def _load(file: BinaryIO) -> None:
    """Pillow alone takes what its unpacker misses for damage; its errors are of many kinds."""
    file.seek(0)
    try:
        TiffImageFile(file).load()
    except Exception as error:
        raise ValueError(
            f"damaged TIFF, or packed in a way whose damage does not show ({error}); where it is "
            "sound, `gdal_translate -co COMPRESS=DEFLATE IN OUT` packs it anew"
        ) from error


def _text(tags: Tags, tag: int) -> bytes:
    """Of a tag of any type that bytes can be in."""
    values = tags.get(tag, ())
    return b"".join(v if isinstance(v, bytes) else bytes([v % 256]) for v in values)


def _first(tags: Tags, tag: int, default: int) -> int:
    """Raises ValueError for a text where a number belongs."""
    value = (tags.get(tag) or (default,))[0]
    if not isinstance(value, int):
        raise ValueError(f"damaged TIFF (its tag {tag} holds no number)")
    return value
