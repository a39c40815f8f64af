"""A folder dataset's files: PNG, JPEG and TIFF in, checked; errors name file and remedy.

What can be told from a file's header is checked alike before it is decoded and after.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image, Label
from rdepth_keras.data import jpeg, png
from rdepth_keras.data.folder.headers import JPEG, Form, form_of, read_form
from rdepth_keras.data.folder.oddities import lossy, mask_words, no_data, number, refuse_odd
from rdepth_keras.data.folder.opencv import decode_tiff
from rdepth_keras.depth.normalise import FLAT_VALUES, normalise
from rdepth_keras.labels import IGNORE, ClassTable

PREDICTED = "classes predicted by rdepth_keras"  # what a map that it wrote says of itself
_LEAST_MAPS, _ALIKE = 3, 3  # maps, and greys that their ends may differ by
SUFFIXES = (".png", *JPEG, ".tif", ".tiff")
_ROUGHER, _LEAST_SIDE = 4.0, 16  # a map whose bytes are exchanged; smaller ones tell nothing
Size = tuple[int, int]  # height and width of the image that a file belongs to


def decode_image(path: Path) -> Image:
    """(H, W, 3) uint8 RGB. More bits or bands are refused: how to drop them is the user's choice.

    Raises ValueError for everything else.
    """
    pixels = _decode(path)
    _check_image(path, form_of(pixels))
    return pixels


def decode_mask(path: Path, size: Size | None, table: ClassTable) -> Label:
    """(H, W) uint8 train ids of a mask that holds the table's stored values, or its colours.

    ``size`` None checks no size, here and below.
    """
    _refuse_lossy(path)
    mask = _decode(path)
    _check_mask(path, form_of(mask), size, table)
    try:
        label = table.encode(mask)
    except ValueError as error:
        raise ValueError(f"{path}: {error} Put them into the class file.") from error
    mark = _no_data(path)
    if mark and mask.ndim == 2 and (label[mask == mark.value] != IGNORE).any():
        raise ValueError(
            f"{path}: {mark.place} says that pixels of {mark.value:g} hold no data, and they are a "
            f"class of the class file. {mark.remedy}, or take the value out of the classes."
        )
    return label


def decode_depth(path: Path, size: Size | None) -> Depth:
    """(H, W, 1) float32 in [0, 1] of a map of any real values, larger = nearer."""
    return as_depth(path, _decode(path), size)


def as_depth(path: Path, depth: np.ndarray, size: Size | None) -> Depth:
    """The same of a map's pixels, (H, W) or (H, W, bands), of which three equal ones are grey."""
    if depth.ndim == 3 and (depth == depth[..., :1]).all():
        depth = depth[..., 0]
    if depth.ndim != 2:
        raise ValueError(f"{path}: a depth map must be grey; this one is in colour.")
    check_size(path, form_of(depth), size)
    _refuse_no_data(path, depth)
    if _bytes_are_exchanged(depth):
        raise ValueError(
            f"{path}: 16-bit values of which the bytes are exchanged: read in the other order they "
            "are smooth, as depth is, and so they are noise. Write them anew, e.g. by .byteswap()."
        )
    try:
        return normalise(depth)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _bytes_are_exchanged(depth: np.ndarray) -> bool:
    """Whether a 16-bit map is many times smoother with its bytes in the other order."""
    if depth.dtype.kind not in "ui" or depth.dtype.itemsize != 2 or min(depth.shape) < _LEAST_SIDE:
        return False

    def roughness(values):
        """Of neighbours' differences, in parts of the values' own spread."""
        values = values.astype(np.float32)
        return float(np.abs(np.diff(values, axis=1)).mean() / max(values.std(), 1e-6))

    return roughness(depth) > _ROUGHER * roughness(depth.byteswap())


def fixed_range(depths: Sequence[Path]) -> str:
    """In words, that 8-bit maps all end at the same greys, and not at 0 and 255; else empty.

    Those of pictures in a palette do, that were read back as grey: near and far become alike there.
    """
    low, high = [], []
    for depth in map(_decode, depths):
        if depth.dtype != np.uint8:
            return ""
        low, high = [*low, int(depth.min())], [*high, int(depth.max())]
        if max(np.ptp(low), np.ptp(high)) > _ALIKE or high[0] - low[0] <= FLAT_VALUES:
            return ""
    if len(low) < _LEAST_MAPS or (min(low) <= _ALIKE and max(high) >= 255 - _ALIKE):
        return ""
    return (
        f"{len(low)} depth maps of 8 bits all lie from {low[0]} to {high[0]}, as pictures in a "
        "palette do that were read back as grey: larger must mean nearer"
    )


def peek_image(path: Path) -> Size:
    """Checks an image by its header; returns its size. Raises as :func:`decode_image`."""
    form = _peek(path)
    _check_image(path, form)
    return form.height, form.width


def peek_mask(path: Path, size: Size | None, table: ClassTable) -> None:
    """Checks a mask by its header. Raises as :func:`decode_mask`, but for unknown values."""
    _refuse_lossy(path)
    _check_mask(path, _peek(path), size, table)


def peek_depth(path: Path, size: Size | None) -> None:
    """Checks a depth map by its header. Raises as :func:`decode_depth`, but for NaN."""
    form = _peek(path)
    if form.bands == 1 and not _no_data(path):
        check_size(path, form, size)
    else:
        decode_depth(path, size)  # only its pixels tell whether it is grey, and has data everywhere


def _check_image(path: Path, form: Form) -> None:
    if (form.bands, form.dtype) == (3, "uint8"):
        return
    remedy = "choose three with `gdal_translate -b 1 -b 2 -b 3 IN OUT`"
    if form.bands < 3:
        remedy = "repeat it with `gdal_translate -b 1 -b 1 -b 1 IN OUT`"
    elif form.bands == 3:
        remedy = "stretch it with `gdal_translate -ot Byte -scale IN OUT`"
    raise ValueError(
        f"{path}: an image must be 8-bit with three bands (RGB), this one is {form.dtype} with "
        f"{form.bands}; {remedy}."
    )


def _check_mask(path: Path, form: Form, size: Size | None, table: ClassTable) -> None:
    expected = (1, "8-bit grey, its values those of the class file")
    if table.ignored_colors is not None:
        expected = (3, "8-bit RGB, its colours those of the class file")
    if (form.bands, form.dtype) != (expected[0], "uint8"):
        raise ValueError(
            f"{path}: a mask must be {expected[1]}; this one is {form.dtype} with {form.bands} "
            "band(s). Masks by colour are said in the class file (`masks: colors`)."
        )
    check_size(path, form, size)


def check_size(path: Path, form: Form, size: Size | None) -> None:
    """Raises ValueError where a file is not as large as its image."""
    if size is not None and (form.height, form.width) != size:
        raise ValueError(
            f"{path}: {form.height}x{form.width} pixels, but its image has {size[0]}x{size[1]}; "
            "replace the file."
        )


def _refuse_no_data(path: Path, depth: np.ndarray) -> None:
    """Raises ValueError for a map of which some pixels hold what its file says is no data.

    Stretched from a value that is none, such as -9999, true depth would be nearly constant.
    """
    _refuse_mask_beside(path)
    mark = _no_data(path)
    if mark and np.isclose(depth.astype(np.float64), mark.value, rtol=1e-6, atol=0).any():
        raise ValueError(
            f"{path}: a depth map must hold depth everywhere; this one has pixels of "
            f"{mark.value:g}, which {mark.place} says is no data. Fill them, e.g. with "
            f"`gdal_fillnodata IN OUT`; or, where they are depth: {mark.remedy}."
        )


def has_gaps(path: Path) -> bool:
    """Whether a value, or a mask beside the file, marks pixels as without data.

    Raises ValueError for a mark that is no number.
    """
    return _mask_beside(path).exists() or _no_data(path) is not None


def _mask_beside(path: Path) -> Path:
    """Where GDAL writes which pixels hold data, if not into the file."""
    return path.with_name(f"{path.name}.msk")


def _refuse_mask_beside(path: Path) -> None:
    beside = _mask_beside(path)
    if beside.exists():
        raise ValueError(f"{path}: {mask_words(f'beside it, {beside.name},')}; or delete it.")


class _Mark(NamedTuple):
    """The value of pixels without data, who says so, and how it is taken back."""

    value: float
    place: str
    remedy: str


def _no_data(path: Path) -> _Mark | None:
    """What marks pixels without data, in the file or in GDAL's file beside it."""
    try:
        with path.open("rb") as file:
            value = no_data(file)
    except ValueError as error:
        raise unreadable(path, error) from error
    if value is not None:
        return _Mark(value, "its file", "take the mark away (`gdal_edit.py -unsetnodata FILE`)")
    beside = path.with_name(f"{path.name}.aux.xml")
    try:
        value = _read_beside(beside) if beside.is_file() else None
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"{beside}: {error}; mend or delete it.") from error
    return None if value is None else _Mark(value, beside.name, f"delete {beside.name}")


def _read_beside(path: Path) -> float | None:
    """The mark of no data in a GDAL file; ValueError where it says that values count downwards."""
    tree = ElementTree.parse(path)
    if any((scale.text or "").strip().startswith("-") for scale in tree.iter("Scale")):
        raise ValueError("its scale is negative, so that larger values mean less")
    return number(tree.findtext(".//NoDataValue") or "")


def _refuse_lossy(path: Path) -> None:
    with path.open("rb") as file:
        packing = "JPEG" if path.suffix.lower() in JPEG else lossy(file)
    if packing:
        raise ValueError(
            f"{path}: {packing} can change values; a mask must be PNG, or TIFF packed without "
            "loss, such as by DEFLATE or LZW."
        )


def _peek(path: Path) -> Form:
    _refuse_mask_beside(path)
    try:
        with path.open("rb") as file:
            refuse_odd(file)
        form = read_form(path)
    except ValueError as error:
        raise unreadable(path, error) from error
    return form or form_of(_decode(path))


def _decode(path: Path) -> np.ndarray:
    """(H, W) or, RGB first, (H, W, bands); any dtype."""
    _refuse_mask_beside(path)
    data = path.read_bytes()
    try:
        refuse_odd(BytesIO(data), unpack=True)
        if path.suffix.lower() == ".png":
            return png.decode(data)
        if path.suffix.lower() in JPEG:
            return jpeg.decode(data)
        return decode_tiff(data)
    except (ValueError, cv2.error) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> ValueError:
    """What to say of a file that is refused, or that OpenCV finds too large."""
    if isinstance(error, cv2.error):
        reason = str(error).rpartition("error: ")[2].strip()
        return ValueError(f"{path}: too large for OpenCV ({reason}); cut it into parts.")
    return ValueError(f"{path}: {error}; convert or replace the file.")
