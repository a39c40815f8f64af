"""Pictures without coordinates in, class maps out."""

import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image
from rdepth_keras.atomic import write_bytes
from rdepth_keras.data import png
from rdepth_keras.depth.normalise import normalise


def read_image(path: Path) -> Image:
    """An 8-bit picture of any format OpenCV reads, as RGB uint8 (H, W, 3)."""
    picture = _read(path)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        channels = 1 if picture.ndim == 2 else picture.shape[2]
        raise ValueError(
            f"{path}: an 8-bit RGB picture is expected; this one has {channels} channel(s) of "
            f"{8 * picture.itemsize} bits. Convert it first."
        )
    return picture


def read_depth(path: Path, height: int, width: int) -> Depth:
    """A ready-made 8- or 16-bit depth map, stretched to [0, 1]: float32 (height, width, 1).

    Larger must mean nearer. Three equal channels count as grey.
    """
    depth = _read(path)
    if depth.ndim == 3 and (depth == depth[..., :1]).all():
        depth = depth[..., 0]
    if depth.ndim != 2 or depth.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{path}: a depth map must be 8- or 16-bit grey.")
    if depth.shape != (height, width):
        raise ValueError(
            f"{path}: {depth.shape[0]}x{depth.shape[1]} pixels, but its image has "
            f"{height}x{width}. Use the depth map of this image."
        )
    return normalise(depth)


def check_output(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raises ValueError or OSError where a map cannot be written, before any work is done.

    Args:
        path: of the PNG to be written.
        inputs: files that are read, which it must not replace, be it by another name or a link.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"Maps are written as PNG; received the name {path}. Name it *.png.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name the file to write.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}. Create it first.")
    folder = path.resolve().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: nothing may be written into {folder}. Choose another.")
    for source in inputs if path.exists() else ():
        if source.exists() and path.samefile(source):
            raise ValueError(
                f"{path} is the file that is read ({source}) and would be lost. Write the map to "
                "another name."
            )


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Writes (H, W), or RGB (H, W, 3), as PNG, whole or not at all.

    Class maps and pictures are uint8, depth maps uint16. Raises as :func:`check_output`.
    """
    check_output(path)
    write_bytes(path, png.encode(pixels))


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    data = path.read_bytes()
    try:
        # OpenCV alone would hand out half of a truncated PNG.
        return png.decode(data) if data.startswith(png.SIGNATURE) else _decode_other(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; replace the file.") from error


def _decode_other(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if picture is None:
        raise ValueError("not a picture of a known format")
    colour = picture.ndim == 3 and picture.shape[2] == 3
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if colour else picture
