"""Where pixels lie on Earth, by a GeoTIFF or a file beside: a tile's files lie in one place."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from rdepth_keras.data.folder.oddities import tags_of

# Tags of GeoTIFF (OGC 19-008r4): what the coordinates are, and where pixels lie.
_KEYS, _SCALE, _TIEPOINT, _TRANSFORMATION = 34735, 33550, 33922, 34264
_RASTER_TYPE, _IS_POINT = 1025, 2  # a key: coordinates are those of pixels' centres
_SYSTEMS = 3072, 2048  # keys: the projected and the geographic system, as EPSG numbers them
_MODEL_TYPE, _GEOGRAPHIC, _LINEAR_UNITS = 1024, 2, 3076
_UNITS = {9002: 0.3048, 9003: 1200 / 3937}  # metres of a foot, and of one of the US survey
_WEB_MERCATOR = 3857, 3785, 900913  # whose metres are shorter on the ground, away from the equator
_EQUATOR = 6378137.0  # metres to the Earth's centre
_DEGREE = _EQUATOR * np.pi / 180
_SMALL_DEGREES = 1e-2  # of a pixel: a kilometre, or a centimetre where they are metres
OTHER_SIZE = 1.5  # times another: pixels of other sizes on the ground
# Between the places of two files that fit: half a pixel lie two conventions apart, and the numbers
# are rounded.
_MOST_PIXELS = 0.51


def has_coordinates(path: Path) -> bool:
    """Whether its pixels have a place on Earth: as a GeoTIFF, or by a file beside it."""
    with path.open("rb") as file:
        if _KEYS in tags_of(file):
            return True
    try:
        return _place(path) is not None
    except ValueError:  # told where places are compared: here it is enough that something says one
        return True


@np.errstate(all="ignore")  # damaged numbers may be of any size
def refuse_elsewhere(path: Path, image: Path, size: tuple[int, int]) -> None:
    """Raises ValueError where a file's pixels lie elsewhere on Earth than those of its image.

    Likewise where a file beside says it in words that are no numbers. Nothing is said where one of
    the two has no place. Both have the same ``size`` in pixels; what their coordinates are measured
    in is not looked at.
    """
    own, wanted = _place(path), _place(image)
    if own is None or wanted is None:
        return
    height, width = size
    corners = np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)], np.float64)
    shifts = np.linalg.solve(wanted[:, :2], (own - wanted) @ corners.T)
    furthest = np.abs(shifts).max()
    if furthest > _MOST_PIXELS:
        raise ValueError(
            f"{path}: by its coordinates it lies up to {furthest:.4g} pixels away from "
            f"its image {image}, at most {_MOST_PIXELS} is expected: warp it onto the image's grid "
            "(`gdalwarp -te XMIN YMIN XMAX YMAX -ts WIDTH HEIGHT IN OUT`), or, where the pixels "
            "fit, take the coordinates away (`gdal_edit.py -unsetgt FILE`, or delete the file "
            "beside it that tells them)."
        )


def footprint(image: Path, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """West, south, east and north of a picture of ``size`` pixels; None where nothing says it.

    Raises ValueError where a file beside says it in words that are no numbers.
    """
    if (place := _place(image)) is None:
        return None
    height, width = size
    corners = place @ np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)]).T
    return (*corners.min(1).tolist(), *corners.max(1).tolist())


def pixel_metres(image: Path) -> float | None:
    """Side of a pixel on the ground in metres, the root of its area; None where nothing says it.

    Where no GeoTIFF names their kind, coordinates are degrees if pixels are as small as that, and
    else metres; so are those of a system whose units are not named. Raises as :func:`footprint`.
    """
    if (place := _place(image)) is None:
        return None
    side, north = float(np.sqrt(abs(np.linalg.det(place[:, :2])))), float(place[1, 2])
    keys = _geo_keys(image)
    if _is_geographic(keys, side, place[:, 2]):
        return side * _DEGREE * float(np.sqrt(np.cos(np.radians(min(abs(north), 89.9)))))
    if keys.get(_SYSTEMS[0]) in _WEB_MERCATOR:
        return side / float(np.cosh(min(abs(north), 2e7) / _EQUATOR))
    return side * _UNITS.get(keys.get(_LINEAR_UNITS, 0), 1.0)


def _is_geographic(keys: Mapping[int, int], side: float, corner: np.ndarray) -> bool:
    if _MODEL_TYPE in keys:
        return keys[_MODEL_TYPE] == _GEOGRAPHIC
    if any(key in keys for key in _SYSTEMS):
        return _SYSTEMS[0] not in keys
    return side < _SMALL_DEGREES and bool((np.abs(corner) <= (360, 90)).all())


def system(image: Path) -> tuple[int, ...]:
    """The numbers of the projected and the geographic system that a GeoTIFF names; () for none."""
    named = _geo_keys(image)
    return tuple(named[key] for key in _SYSTEMS if key in named)


def _geo_keys(image: Path) -> dict[int, int]:
    with image.open("rb") as file:
        return _named(tags_of(file))


def _named(tags: Mapping[int, tuple]) -> dict[int, int]:
    """By the directory of keys: after four numbers, name, kind, count and value of each."""
    keys = tags.get(_KEYS, ())
    return dict(zip(keys[4::4], keys[7::4], strict=False))


def share_covered(own: np.ndarray, others: np.ndarray) -> float:
    """How much one footprint (4,) has in common with one of the others (N, 4), at most.

    As a share of the smaller one.
    """
    west, south = np.maximum(own[:2], others[:, :2]).T
    east, north = np.minimum(own[2:], others[:, 2:]).T
    common = np.maximum(east - west, 0) * np.maximum(north - south, 0)
    areas = np.prod(others[:, 2:] - others[:, :2], 1)
    return float((common / np.minimum(areas, np.prod(own[2:] - own[:2]))).max())


def _place(path: Path) -> np.ndarray | None:
    """(2, 3): (column, row, 1) of a pixel's corner -> x and y; None where nothing says it.

    GDAL's own file beside the picture goes first, then its tags, then a world file, as in GDAL.
    """
    for look in (_beside, _inside, _world):
        place = look(path)
        if place is not None and np.isfinite(place).all() and np.linalg.det(place[:, :2]) != 0:
            return place
    return None


def _beside(path: Path) -> np.ndarray | None:
    """By ``NAME.png.aux.xml``."""
    beside = path.with_name(f"{path.name}.aux.xml")
    if not beside.is_file():
        return None
    try:
        text = ElementTree.parse(beside).findtext("GeoTransform")
    except ElementTree.ParseError as error:
        raise ValueError(f"{beside}: {error}; mend or delete it.") from error
    if text is None:
        return None
    x, right, turned, y, lower, down = _six(beside, text.split(","))
    return np.array([(right, turned, x), (lower, down, y)])


def _world(path: Path) -> np.ndarray | None:
    """By a world file, such as ``NAME.pgw``: six lines, of the centre of the first pixel."""
    suffix = path.suffix.lower()
    names = f".{suffix[1:2]}{suffix[-1:]}w", f"{suffix}w", ".wld"
    for name in (*names, *map(str.upper, names)):
        world = path.with_suffix(name)
        if world.is_file():
            words = world.read_text(encoding="utf-8", errors="replace").split()
            right, lower, turned, down, x, y = _six(world, words)
            place = np.array([(right, turned, x), (lower, down, y)])
            place[:, 2] -= place[:, :2].sum(1) / 2
            return place
    return None


def _six(path: Path, words: Sequence[str]) -> list[float]:
    """The numbers that say where pixels lie; passed over, they would switch the check off."""
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise ValueError(
            f"{path}: {error}; six numbers with decimal points, not commas, are expected, which "
            "say where the pixels lie: mend or delete it."
        ) from error
    if len(numbers) != 6:
        raise ValueError(
            f"{path}: it holds {len(numbers)} numbers, six are expected, which say where the "
            "pixels lie: mend or delete it."
        )
    return numbers


def _inside(path: Path) -> np.ndarray | None:
    with path.open("rb") as file:
        tags = tags_of(file)
    matrix, scale, tiepoint = (tags.get(tag, ()) for tag in (_TRANSFORMATION, _SCALE, _TIEPOINT))
    if len(matrix) == 16:
        place = np.array([matrix[0:2] + matrix[3:4], matrix[4:6] + matrix[7:8]])
    elif len(scale) == 3 and len(tiepoint) == 6:  # more points would bend it
        (column, row, _, x, y, _), (right, up, _) = tiepoint, scale
        place = np.array([(right, 0, x - column * right), (0, -up, y + row * up)])
    else:
        return None
    if _named(tags).get(_RASTER_TYPE) == _IS_POINT:
        place[:, 2] -= place[:, :2].sum(1) / 2
    return place
