"""Pictures that say their values are other colours than usual: a gamma, or a colour profile.

Values are read as they are, as by nearly all programs of this field; programs that manage colours
show others then. A profile or an sRGB chunk goes before gAMA (PNG, third edition, 4.3).
"""

import struct
from collections.abc import Callable, Collection
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from rdepth_keras.data import jpeg, png
from rdepth_keras.data.folder.headers import TIFF
from rdepth_keras.data.folder.oddities import invisible_bands
from rdepth_keras.naming import shorten

_USUAL, _NEAR = 1 / 2.2, 0.05  # of sRGB, and by how much one may differ and still mean it
_OTHERS = (b"sRGB", b"iCCP", b"cICP")
_SHOWN = 4  # names
_MOVED = 16  # of 255: what a profile may change and still mean sRGB
_KINDS: dict[bytes, Callable] = {  # Pillow's own readers, which look at headers alone
    png.SIGNATURE: PngImageFile,
    jpeg.START: JpegImageFile,
    **dict.fromkeys(TIFF, TiffImageFile),
    b"RIFF": WebPImageFile,
}


def unusual_colours(pictures: Collection[Path]) -> list[str]:
    """In words, which pictures name another gamma or profile than sRGB's, or bands than RGB."""
    looked = [(path, unusual_gamma(path), unusual_profile(path)) for path in pictures]
    found = [
        f"{path.name} {profile or f'gamma {gamma:.3g}'}"
        for path, gamma, profile in looked
        if gamma or profile
    ]
    bands = [f"{path.name} {told}" for path in pictures if (told := _bands(path))]
    said = [
        f"{len(bands)} of the {len(pictures)} pictures describe their bands as others than red, "
        f"green and blue ({shorten(bands, _SHOWN)}): give all domains the same bands"
    ]
    if not found:
        return said if bands else []
    return [
        *(said if bands else []),
        f"{len(found)} of the {len(pictures)} pictures name other colours than sRGB's "
        f"({shorten(found, _SHOWN)}), so that programs that manage colours show other values than "
        "are read: convert them to sRGB, or, where they look right here, take the mark away",
    ]


def unusual_profile(path: Path) -> str:
    """The colour profile of a picture, where its colours are not about those of sRGB; else empty.

    Damaged files say nothing here: they are refused where they are read.
    """
    with path.open("rb") as file:
        start = file.read(len(png.SIGNATURE))
        file.seek(0)
        kind = next((kind for mark, kind in _KINDS.items() if start.startswith(mark)), None)
        try:
            profile = kind(file).info.get("icc_profile") if kind else None
        except Exception:  # Pillow's readers raise of many kinds
            return ""
    return _judge(bytes(profile)) if profile else ""


def _bands(path: Path) -> str:
    with path.open("rb") as file:
        return invisible_bands(file)


@lru_cache(maxsize=32)
def _judge(profile: bytes) -> str:
    """A profile's name, and by how much its colours differ; empty for those of sRGB."""
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        name = (ImageCms.getProfileDescription(own).strip() or "a profile")[:40]
        change = ImageCms.buildTransform(
            own, ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (OSError, ImageCms.PyCMSError):
        return "a profile that cannot be read"
    levels = np.arange(0, 256, 51).astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    shown = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), change))
    moved = int(np.abs(shown.astype(int) - colours).max())
    return f"{name} (values differ by up to {moved})" if moved > _MOVED else ""


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
