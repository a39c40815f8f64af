"""Pictures without coordinates in, class maps out."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from rdepth_keras.arrays import Depth, Image
from rdepth_keras.atomic import write_bytes
from rdepth_keras.data import jpeg, png
from rdepth_keras.data.folder.colours import unusual_colours
from rdepth_keras.data.folder.coordinates import has_coordinates, pixel_metres, refuse_elsewhere
from rdepth_keras.data.folder.depth_record import DepthRecord, record_of
from rdepth_keras.data.folder.files import PREDICTED, as_depth, check_size, has_gaps, unreadable
from rdepth_keras.data.folder.fingerprints import same_bytes
from rdepth_keras.data.folder.headers import TIFF, Form
from rdepth_keras.data.folder.oddities import refuse_odd
from rdepth_keras.data.folder.opencv import decode, decode_tiff
from rdepth_keras.labels import ClassTable
from rdepth_keras.naming import shorten

COLORED = "_color"  # the names of maps in the class colours end in it


def read_image(path: Path) -> Image:
    """An 8-bit PNG, JPEG, TIFF, WebP or BMP, as RGB uint8 (H, W, 3).

    One that a tag turns is refused: its map would not lie on it as other programs show it.
    """
    picture = _read(path)
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    _require_rgb(path, channels, 8 * picture.itemsize)
    return picture


def _refuse_odd(path: Path) -> None:
    with path.open("rb") as file:
        try:
            refuse_odd(file, unpack=True)
        except ValueError as error:
            raise unreadable(path, error) from error


def _require_rgb(path: Path, channels: int, bits: int) -> None:
    if (channels, bits) != (3, 8):
        raise ValueError(
            f"{path}: an 8-bit RGB picture is expected; this one has {channels} channel(s) of "
            f"{bits} bits. Convert it first."
        )


def read_depth(path: Path, height: int, width: int) -> Depth:
    """A ready-made depth map of any real values, stretched to [0, 1]: float32 (height, width, 1).

    Larger must mean nearer. Three equal channels count as grey. One that a tag turns is refused,
    and one with pixels that hold no data.
    """
    return as_depth(path, _read(path), (height, width))


def check_inputs(pairs: Iterable[tuple[Path, Path | None]]) -> None:
    """Raises ValueError for pictures and depth maps that do not fit, naming all, before any work.

    Of a PNG the header is looked at, and whether it is whole; other kinds are decoded.

    Args:
        pairs: each picture with its depth map, if there is one.
    """
    faults: list[str] = []
    records: dict[Path, DepthRecord] = {}
    for image, depth in pairs:
        try:
            size = _look_at_image(image)
            pixel_metres(image)  # which is looked at again when it is predicted
            if depth is not None:
                _look_at_depth(depth, size)
                if depth.samefile(image):
                    raise ValueError(f"{depth} is the picture itself, and no depth map of it.")
                refuse_elsewhere(depth, image, size)
                if (record := record_of(depth, records)) and record.outdated(image, depth):
                    raise ValueError(
                        f"{depth}: made of another file than {image} is now: make it anew, or "
                        "leave it away."
                    )
        except (ValueError, OSError) as error:
            faults.append(str(error))
    if faults:
        raise ValueError(" ".join(faults))


def _look_at_image(path: Path) -> tuple[int, int]:
    """Height and width of a picture that is good as far as was looked."""
    header = _header(path)
    if header is None:
        height, width, _ = read_image(path).shape
        return height, width
    _require_rgb(path, 1 if header.colour == "grey" else 3, header.bits)
    return header.height, header.width


def _look_at_depth(path: Path, size: tuple[int, int]) -> None:
    header = _header(path)
    if header is None or header.colour != "grey" or has_gaps(path):  # only its pixels tell
        read_depth(path, *size)
    else:
        check_size(path, Form(header.height, header.width, 1, f"uint{header.bits}"), size)


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name one file in it.")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")


def _header(path: Path) -> png.Header | None:
    """That of a PNG; None for another kind of file."""
    _require_file(path)
    with path.open("rb") as file:
        if file.read(len(png.SIGNATURE)) != png.SIGNATURE:
            return None
    try:
        header = png.peek(path)
    except ValueError as error:
        raise unreadable(path, error) from error
    _refuse_odd(path)
    return header


def notices(pictures: Iterable[Path]) -> list[str]:
    """What pictures hold that their maps will not: coordinates, and pixels without data.

    And a gamma that is not looked at.
    """
    pictures, placed, gaps = list(pictures), [], []
    for path in pictures:
        placed += [path.name] if has_coordinates(path) else []
        gaps += [path.name] if _may_have_gaps(path) else []
    said = []
    if placed:
        said += [
            f"The maps are PNG files without the coordinates of {_shown(placed)}; pixels lie on "
            "pixels."
        ]
    if gaps:
        said += [
            f"Pixels without data, such as {_shown(gaps)} may hold, are given classes as all the "
            "others are."
        ]
    return [*said, *(f"WARNING: {told}" for told in unusual_colours(pictures))]


def shared_depths(pairs: Iterable[tuple[Path, Path | None]]) -> list[str]:
    """A warning, where different pictures have one depth map, byte for byte."""
    pictures = {depth: image for image, depth in pairs if depth is not None}
    return [
        f"WARNING: {len(group)} pictures have one depth map, byte for byte, which can hardly be "
        f"that of all of them: {_shown([str(depth) for depth in group])}"
        for group in same_bytes(list(pictures))
        if len(same_bytes([pictures[depth] for depth in group], least=1)) > 1
    ]


def meaning(table: ClassTable) -> list[str]:
    """What maps hold, in a line, where it is not what the masks of these classes hold."""
    if table.ignored_colors is None and table.values == tuple(range(len(table))):
        return []
    places = _shown([f"{place} {name}" for place, name in enumerate(table.names)])
    return [
        f"The maps hold the classes' places in their order ({places}), not what the masks hold: as "
        "they are, they are no masks to train on."
    ]


def _may_have_gaps(path: Path) -> bool:
    try:
        return has_gaps(path)
    except ValueError:  # a mark that is no number may mean anything
        return True


def check_outputs(paths: Sequence[Path], inputs: Iterable[Path], overwrite: bool) -> None:
    """Raises as :func:`check_output` for each; FileExistsError for files that would be replaced.

    ``overwrite`` allows that, but for the ``inputs``, and for a picture where a map is to be.
    """
    inputs = list(inputs)
    for path in paths:
        check_output(path, inputs)
        if path.exists() and not path.stem.endswith(COLORED) and (kind := _no_map(path)):
            raise FileExistsError(
                f"{path} would be lost: it is {kind}, and no class map. Name another place, or a "
                "pattern of several pictures in quotes: 'tiles/*.png'."
            )
    if not overwrite and (there := [str(path) for path in paths if path.exists()]):
        raise FileExistsError(
            f"{_shown(there)} would be replaced; choose another place, or add --overwrite."
        )


def _no_map(path: Path) -> str:
    """What a file is instead of a class map, which is 8-bit grey, in words; empty for one."""
    try:
        header = png.peek(path)
    except ValueError:
        return "no whole PNG"
    map_ = header.colour == "grey" and header.bits == 8
    return "" if map_ else f"a picture of {header.bits} bits, {header.colour}"


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


def write_map(path: Path, pixels: np.ndarray, replace: bool = True) -> None:
    """Writes a class map (H, W), or one in colours (H, W, 3), as PNG, whole or not at all.

    It says of itself that it is predicted (:data:`rdepth_keras.data.folder.files.PREDICTED`), so
    that it is not taken for labels. Raises as :func:`check_output`, and without ``replace``
    FileExistsError where there is such a file, perhaps of another command that came meanwhile.
    """
    check_output(path)
    write_bytes(path, png.encode(pixels, PREDICTED), replace=replace)


def _read(path: Path) -> np.ndarray:
    _require_file(path)
    _refuse_odd(path)
    data = path.read_bytes()
    try:
        # OpenCV alone would hand out half of a truncated PNG.
        return png.decode(data) if data.startswith(png.SIGNATURE) else _decode_other(data)
    except (ValueError, cv2.error) as error:
        raise unreadable(path, error) from error


def _decode_other(data: bytes) -> np.ndarray:
    if data.startswith(jpeg.START):
        return jpeg.decode(data)
    if data.startswith(TIFF):
        return decode_tiff(data)
    # Others have turns, frames and ranges of their own, which OpenCV passes over.
    picture = decode(data) if data.startswith((b"RIFF", b"BM")) else None
    if picture is None:
        raise ValueError("not a picture: PNG, JPEG, TIFF, WebP or BMP is expected")
    return picture


def _shown(names: Sequence[str]) -> str:
    return shorten(names, 4)
