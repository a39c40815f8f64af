"""A folder dataset's files: PNG, JPEG and TIFF in, checked; errors name file and remedy."""

from pathlib import Path

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.data import png
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.labels import ClassTable

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_JPEG = (".jpg", ".jpeg")


def decode_image(path: Path) -> Image:
    """(H, W, 3) uint8 RGB. More bits or bands are refused: how to drop them is the user's choice.

    Raises ValueError for everything else.
    """
    pixels = _decode(path)
    if pixels.ndim == 3 and pixels.shape[-1] == 3 and pixels.dtype == np.uint8:
        return pixels
    bands = 1 if pixels.ndim == 2 else pixels.shape[-1]
    remedy = "choose three with `gdal_translate -b 1 -b 2 -b 3 IN OUT`"
    if bands < 3:
        remedy = "repeat it with `gdal_translate -b 1 -b 1 -b 1 IN OUT`"
    elif bands == 3:
        remedy = "stretch it with `gdal_translate -ot Byte -scale IN OUT`"
    raise ValueError(
        f"{path}: an image must be 8-bit with three bands (RGB), this one is {pixels.dtype} with "
        f"{bands}; {remedy}."
    )


def decode_mask(path: Path, size: tuple[int, int], table: ClassTable) -> Label:
    """(H, W) uint8 train ids of a mask that holds the table's stored values."""
    if path.suffix.lower() in _JPEG:
        raise ValueError(f"{path}: JPEG changes values; a mask must be PNG or TIFF.")
    mask = _decode(path)
    if mask.ndim != 2 or mask.dtype != np.uint8:
        raise ValueError(
            f"{path}: a mask must be 8-bit grey, its values those of the class file; this one is "
            f"{mask.dtype} of shape {mask.shape}."
        )
    _check_size(path, mask, size)
    try:
        return table.encode(mask)
    except ValueError as error:
        raise ValueError(f"{path}: {error} Put them into the class file.") from error


def decode_depth(path: Path, size: tuple[int, int]) -> Depth:
    """(H, W, 1) float32 in [0, 1] of a map of any real values, larger = nearer."""
    depth = _decode(path)
    if depth.ndim == 3 and (depth == depth[..., :1]).all():
        depth = depth[..., 0]
    if depth.ndim != 2:
        raise ValueError(f"{path}: a depth map must be grey; this one is in colour.")
    _check_size(path, depth, size)
    try:
        return normalise(depth)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _decode(path: Path) -> np.ndarray:
    """(H, W) or, RGB first, (H, W, bands); any dtype."""
    data = path.read_bytes()
    try:
        if path.suffix.lower() == ".png":
            return png.decode(data)
        if path.suffix.lower() in _JPEG:
            return _decode_jpeg(data)
        return _decode_tiff(data)
    except (ValueError, cv2.error) as error:
        raise ValueError(f"{path}: {error}; convert or replace the file.") from error


def _decode_jpeg(data: bytes) -> np.ndarray:
    # The decoder fills up what a cut stream lacks with grey, and only warns.
    if not data.startswith(b"\xff\xd8") or not data.rstrip(b"\0").endswith(b"\xff\xd9"):
        raise ValueError("truncated or no JPEG")
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("damaged JPEG")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) if pixels.ndim == 3 else pixels


def _decode_tiff(data: bytes) -> np.ndarray:
    if not data.startswith((b"II*\0", b"MM\0*")):
        raise ValueError("no TIFF file")
    done, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if not done or not pages:
        raise ValueError("damaged TIFF, or of a kind that OpenCV does not read")
    if len(pages) > 1:
        raise ValueError(f"a TIFF of {len(pages)} pages, one is expected")
    pixels = np.asarray(pages[0])
    if pixels.ndim == 3 and pixels.shape[-1] == 3:
        return np.ascontiguousarray(pixels[..., ::-1])
    return pixels


def _check_size(path: Path, pixels: np.ndarray, size: tuple[int, int]) -> None:
    if pixels.shape != size:
        raise ValueError(
            f"{path}: {pixels.shape[0]}x{pixels.shape[1]} pixels, but its image has "
            f"{size[0]}x{size[1]}; replace the file."
        )
