"""PNG files in and out, checked: a damaged file is an error, never a half-grey picture.

Decoders differ in what they forgive. :func:`decode` therefore holds the chunks against their
checksums first (PNG specification, third edition, sections 5.3 and 11.2.1), so that the message
is ours and the same with every OpenCV. Messages speak of the contents only; callers add the name.
"""

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
_HEADED = len(SIGNATURE) + 25  # where the chunk behind the header begins
_END = b"\0\0\0\0IEND\xaeB`\x82"  # the last chunk, whole
_LARGEST_PIXELS = 1 << 28  # 16384 x 16384: no tile, and a bound for a forged header


@dataclass(frozen=True)
class Header:
    """What a PNG says of itself: size in pixels, bits per sample and colour type."""

    height: int
    width: int
    bits: int
    colour: str

    def __str__(self):
        return f"{self.height}x{self.width} {self.bits}-bit {self.colour}"


def read_header(data: bytes) -> Header:
    """The header of a whole, undamaged PNG stream.

    Raises ValueError when the stream is no PNG, is truncated, or fails a checksum.
    """
    kinds = list(_walk(data))
    if not kinds or kinds[0][0] != b"IHDR" or len(kinds[0][1]) != 13:
        raise ValueError("damaged PNG (no header)")
    if kinds[-1][0] != b"IEND":
        raise ValueError("truncated PNG (it stops before its end)")
    width, height, bits, colour = struct.unpack(">IIBB", kinds[0][1][:10])
    if colour in COLOUR_TYPES and width * height > _LARGEST_PIXELS:
        raise ValueError(
            f"too large a PNG ({height}x{width}; at most {_LARGEST_PIXELS} pixels are read): "
            "cut it into parts"
        )
    if colour not in COLOUR_TYPES or not width * height:
        raise ValueError(f"damaged PNG (header says {height}x{width}, colour type {colour})")
    return Header(height, width, bits, COLOUR_TYPES[colour])


def peek(path: Path) -> Header:
    """The header of a file that begins and ends as a PNG does; what lies between is not read.

    Raises ValueError as :func:`decode` does, but for damage in between.
    """
    with path.open("rb") as file:
        start = file.read(_HEADED)
        file.seek(max(0, file.seek(0, 2) - len(_END)))
        whole = file.read() == _END
    header = read_header(start + _END if whole else path.read_bytes())
    _require_plain(header)
    return header


def _require_plain(header: Header) -> None:
    if header.colour not in ("grey", "RGB") or header.bits not in (8, 16):
        numbers = ", whose numbers mean other colours in another file: go by its colours"
        but = numbers if header.colour == "palette" else ""
        raise ValueError(f"8- or 16-bit grey or RGB is expected, the file is {header}{but}")


def _walk(data: bytes):
    """Yields (kind, contents) of every chunk up to IEND."""
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG file" if data else "empty file")
    position, view = len(SIGNATURE), memoryview(data)
    while position < len(data):
        if position + 12 > len(data):
            raise ValueError("truncated PNG (it stops inside a chunk)")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            raise ValueError("truncated PNG (it stops inside a chunk)")
        if zlib.crc32(view[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            raise ValueError("damaged PNG (a checksum does not fit)")
        yield kind, bytes(view[position + 8 : end]) if kind == b"IHDR" else b""
        if kind == b"IEND":
            return
        position = end + 4


def decode(data: bytes) -> np.ndarray:
    """PNG stream -> (H, W) for grey or (H, W, 3) RGB, uint8 or uint16.

    Raises ValueError for a damaged stream, and for palettes, alpha and fewer than 8 bits.
    """
    header = read_header(data)
    _require_plain(header)
    pixels = decode_trusted(data)
    if pixels.shape[:2] != (header.height, header.width):
        raise ValueError("damaged PNG (its header does not fit its pixels)")
    return pixels


def decode_trusted(data: bytes) -> np.ndarray:
    """The same without the checks: for streams that passed :func:`decode` when they were stored."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("damaged PNG (its pixels cannot be decoded)")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels


def encode(pixels: np.ndarray, description: str = "") -> bytes:
    """(H, W) grey or (H, W, 3) RGB, uint8 or uint16 -> PNG stream.

    A description, in ASCII, stands in its text chunk of that name (11.3.3), right behind the
    header: see :func:`is_described`.
    Raises ValueError for anything else: OpenCV would round or cut it to 8 bits.
    """
    drawn = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)
    if not drawn or not pixels.size or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"a {pixels.dtype} array of shape {pixels.shape} makes no PNG; (H, W) or (H, W, 3), "
            "uint8 or uint16, does"
        )
    if pixels.ndim == 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".png", pixels)
    if not done:
        raise ValueError(f"a {pixels.dtype} array of shape {pixels.shape} makes no PNG")
    stream = data.tobytes()
    return stream[:_HEADED] + _text(description) + stream[_HEADED:] if description else stream


def is_described(path: Path, description: str) -> bool:
    """Whether a file is a PNG that :func:`encode` gave this description."""
    text = _text(description)
    with path.open("rb") as file:
        return file.read(_HEADED + len(text))[_HEADED:] == text


def _text(description: str) -> bytes:
    content = b"tEXtDescription\0" + description.encode("ascii")
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
