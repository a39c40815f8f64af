"""PNG pictures that say their values are of another gamma than is usual.

Values are read as they are, as by nearly all programs of this field; programs that manage colours
show others then. A profile or an sRGB chunk goes before gAMA (PNG, third edition, 4.3).
"""

import struct
from collections.abc import Collection
from pathlib import Path

from rdepth_keras.data import png
from rdepth_keras.naming import shorten

_USUAL, _NEAR = 1 / 2.2, 0.05  # of sRGB, and by how much one may differ and still mean it
_OTHERS = (b"sRGB", b"iCCP", b"cICP")
_SHOWN = 4  # names


def unusual_gamma(path: Path) -> float | None:
    """The gamma that a PNG names, where it is not about 1/2.2; None for others and other files."""
    found = None
    with path.open("rb") as file:
        if file.read(len(png.SIGNATURE)) != png.SIGNATURE:
            return None
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if kind in _OTHERS:
                return None
            if kind == b"IDAT":
                break
            if kind == b"gAMA" and len(content := file.read(4)) == length == 4:
                found = struct.unpack(">I", content)[0] / 100_000
                length = 0
            file.seek(length + 4, 1)
    return found if found and abs(found - _USUAL) > _NEAR else None


def unusual_gammas(pictures: Collection[Path]) -> list[str]:
    """In words, which pictures name another gamma than 1/2.2; nothing for none."""
    looked = ((path, unusual_gamma(path)) for path in pictures)
    found = [f"{path.name} {gamma:.3g}" for path, gamma in looked if gamma]
    if not found:
        return []
    return [
        f"{len(found)} of the {len(pictures)} pictures name a gamma that is not about 1/2.2 "
        f"({shorten(found, _SHOWN)}), so that programs that manage colours show other values than "
        "are read: convert them to sRGB, or, where they look right here, take the gAMA chunk away"
    ]
