"""What a tile's files hold, read once for all that verification tells."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdepth_keras.data.folder import files as reading
from rdepth_keras.data.folder.coordinates import footprint, pixel_metres, system
from rdepth_keras.data.folder.folder import Files
from rdepth_keras.data.looks import Look, look_at
from rdepth_keras.data.overlap import marks
from rdepth_keras.depth.normalise import is_flat
from rdepth_keras.labels import ClassTable


@dataclass(frozen=True)
class Content:
    """What a tile's files hold; of one that is bad, or not there, nothing.

    ``picture``, ``mask`` and ``depth`` are digests of their pixels, ``ids`` those of the mask,
    ``parts`` the picture's marks, ``shares`` the pixels of each class.
    """

    files: Files
    picture: str
    mask: str
    depth: str
    ids: tuple[int, ...]
    ground: tuple[float, float, float, float] | None
    system: tuple[int, ...]
    pixel: float | None
    flat: bool
    parts: np.ndarray
    shares: np.ndarray
    look: Look | None


def read_content(table: ClassTable, files: Files) -> Content:
    """Decodes a tile's files; what is wrong with them is told where all faults are."""
    image = _read(reading.decode_image, files.image)
    mask = _read(reading.decode_mask, files.mask, None, table)
    size = None if image is None else image.shape[:2]
    fitting = mask if mask is not None and mask.shape == size else None
    depth = _read(reading.decode_depth, files.depth, size)
    return Content(
        files,
        picture="" if image is None else _digest_of_all_turns(image),
        mask="" if mask is None else _digest_of_all_turns(mask),
        depth="" if depth is None else _digest_of_all_turns(depth),
        ids=() if mask is None else tuple(np.unique(mask).tolist()),
        ground=None if image is None else _read(footprint, files.image, image.shape[:2]),
        system=() if image is None else system(files.image),
        pixel=None if image is None else _read(pixel_metres, files.image),
        flat=depth is not None and is_flat(depth),
        parts=np.zeros(0, np.uint64) if image is None else marks(image),
        shares=np.bincount([] if mask is None else mask.ravel(), minlength=256)[: len(table)],
        look=None if image is None else look_at(image, fitting, depth),
    )


def _read(decode: Callable[..., Any], path: Path | None, *arguments: Any) -> Any:
    try:
        return None if path is None else decode(path, *arguments)
    except (ValueError, OSError):
        return None


def _digest_of_all_turns(image: np.ndarray) -> str:
    """The same for a picture that is turned by quarters or mirrored: tiles are multiplied so."""
    turned = (np.rot90(each, turns) for each in (image, image[:, ::-1]) for turns in range(4))
    whole = (repr(each.shape).encode() + each.tobytes() for each in turned)
    return min(hashlib.sha256(data).hexdigest() for data in whole)
