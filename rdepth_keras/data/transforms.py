"""Random transforms of a tile: each moves image, depth and label together.

What else a tile holds travels along as it is, of whatever shape: nothing of it is moved or cut.
A transform is a frozen dataclass; its fields are its settings. It never changes its input. Places
outside the tile become 0 in image (but see ``RandomCrop.fill``) and depth, 255 (ignore) in labels.
Crops, flips and quarter turns are views of it: what stacks them copies every pixel once. What moves
or cuts raises ValueError for image, depth and label of several sizes.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import cast

import cv2
import grain
import numpy as np

from rdepth_keras.arrays import Tile, check_count
from rdepth_keras.data.memory import empty
from rdepth_keras.data.views import contiguous
from rdepth_keras.labels import IGNORE

WANTED_CLASS = "wanted_class"  # of a tile that was drawn for the sake of a class: its train id
LARGEST_SCALE = 8  # of a tile: a typing error beyond, which would fill the memory
GREYS = np.arange(256, dtype=np.uint8)
IMAGENET_MEAN = (124, 116, 104)  # grey values of 0..255 nearest to what networks subtract


@dataclass(frozen=True)
class RandomCrop(grain.transforms.RandomMap):
    """A random square, drawn again while one class dominates it: mmsegmentation's RandomCrop.

    Attributes:
        size_pixels: side of the square; a smaller tile is padded at the bottom and right.
        redraws: how often a place is drawn again at most; the last draw is taken as it is. With
            10, as in mmsegmentation, there are up to eleven draws.
        largest_share: a place is accepted when it holds at least two classes, none of which
            covers this share of the labelled pixels (mmsegmentation's ``cat_max_ratio``).
        fill: RGB of what a smaller tile is padded with. mmsegmentation pads after normalisation
            with 0: the mean colour, :data:`IMAGENET_MEAN`, but for what comes in between, such as
            changed colours.
        wanted_pixels: of a tile drawn for the sake of a class, such a crop is drawn again, up to
            ``redraws`` times, until it shows more pixels of that class than this (Hoyer et al.,
            "DAFormer", CVPR 2022); None does not look.
    """

    size_pixels: int
    redraws: int = 10
    largest_share: float = 0.75
    fill: tuple[int, int, int] = (0, 0, 0)
    wanted_pixels: int | None = None

    def __post_init__(self):
        check_count("size_pixels", self.size_pixels)
        _require(self, "redraws", self.redraws >= 0, "0 or more")
        _require(self, "largest_share", 0 <= self.largest_share <= 1, "from 0 to 1")
        grey = len(self.fill) == 3 and all(
            isinstance(v, Integral) and 0 <= v <= 255 for v in self.fill
        )
        _require(self, "fill", grey, "three whole numbers of 0..255")
        wanted = self.wanted_pixels is None or self.wanted_pixels >= 0
        _require(self, "wanted_pixels", wanted, "0 or more, or None")

    def random_map(self, element: Tile, rng: np.random.Generator) -> Tile:
        tile = pad(element, self.size_pixels, self.fill)
        wanted = element.get(WANTED_CLASS)
        place = self._draw_mixed(tile, rng)
        if wanted is not None and self.wanted_pixels is not None:
            for _ in range(self.redraws):
                if _count(tile["label"][place], wanted) > self.wanted_pixels:
                    break
                place = self._draw_mixed(tile, rng)
        return _each(tile, lambda array: array[place])

    def _draw_mixed(self, tile: Tile, rng: np.random.Generator) -> tuple[slice, slice]:
        place = self._draw(tile, rng)
        for _ in range(self.redraws):
            if _is_mixed(tile["label"][place], self.largest_share):
                break
            place = self._draw(tile, rng)
        return place

    def _draw(self, tile: Tile, rng: np.random.Generator) -> tuple[slice, slice]:
        height, width = tile["label"].shape
        top = int(rng.integers(height - self.size_pixels + 1))
        left = int(rng.integers(width - self.size_pixels + 1))
        return slice(top, top + self.size_pixels), slice(left, left + self.size_pixels)


@dataclass(frozen=True)
class RandomRotation(grain.transforms.RandomMap):
    """A small rotation, or else quarter turns and a flip: the paper's alternatives.

    Attributes:
        probability: of the small rotation; and, where it is not taken, of the turn and flip.
        largest_degrees: the angle is uniform in plus and minus this.
    """

    probability: float = 0.5
    largest_degrees: float = 20.0

    def __post_init__(self):
        _require(self, "probability", 0 <= self.probability <= 1, "from 0 to 1")
        _require(self, "largest_degrees", 0 <= self.largest_degrees <= 180, "from 0 to 180")

    def random_map(self, element: Tile, rng: np.random.Generator) -> Tile:
        if rng.random() < self.probability:
            return rotate(element, rng.uniform(-self.largest_degrees, self.largest_degrees))
        if rng.random() < self.probability:
            turns, axis = int(rng.integers(4)), int(rng.integers(2))
            return _each(element, lambda array: np.flip(np.rot90(array, turns), axis))
        return element


@dataclass(frozen=True)
class RandomFlips(grain.transforms.RandomMap):
    """Flips over the axes 1 (left and right), 0 and both, each with one probability.

    Attributes:
        probability: of each flip.
        axes: of the flips.
        exclusive: instead, with the probability, exactly one of the flips or of 0 to 3 quarter
            turns, all kinds alike likely, as albumentations' OneOf of flips and RandomRotate90.
    """

    probability: float = 0.5
    axes: tuple[tuple[int, ...], ...] = ((1,), (0,), (0, 1))
    exclusive: bool = False

    def __post_init__(self):
        _require(self, "probability", 0 <= self.probability <= 1, "from 0 to 1")
        known = all(axes in ((0,), (1,), (0, 1), (1, 0)) for axes in self.axes)
        _require(self, "axes", known, "0 (rows), 1 (columns) or both, for each flip")

    def random_map(self, element: Tile, rng: np.random.Generator) -> Tile:
        if self.exclusive:
            return self._one(element, rng)
        flipped: set[int] = set()  # two flips of one axis are none
        for axes in self.axes:
            if rng.random() < self.probability:
                flipped ^= set(axes)
        return _each(element, lambda array: np.flip(array, tuple(flipped))) if flipped else element

    def _one(self, element: Tile, rng: np.random.Generator) -> Tile:
        if rng.random() >= self.probability:
            return element
        kind = int(rng.integers(len(self.axes) + 1))
        if kind < len(self.axes):
            return _each(element, lambda array: np.flip(array, self.axes[kind]))
        turns = int(rng.integers(4))
        return _each(element, lambda array: np.rot90(array, turns))


@dataclass(frozen=True)
class RandomScale(grain.transforms.RandomMap):
    """The tile at another size: a uniform factor between two bounds, the ratio kept."""

    smallest: float = 1.0
    largest: float = 1.0

    def __post_init__(self):
        _require(self, "smallest", 0 < self.smallest <= self.largest, "above 0, at most largest")
        _require(self, "largest", self.largest <= LARGEST_SCALE, f"at most {LARGEST_SCALE}")

    def random_map(self, element: Tile, rng: np.random.Generator) -> Tile:
        factor = rng.uniform(self.smallest, self.largest)
        height, width = _size(element)
        size = (max(round(width * factor), 1), max(round(height * factor), 1))

        def resized(array, interpolation):
            return cv2.resize(array, size, interpolation=interpolation)

        return {
            **element,
            "image": resized(element["image"], cv2.INTER_LINEAR),
            "depth": resized(element["depth"], cv2.INTER_LINEAR)[..., None],
            "label": resized(element["label"], cv2.INTER_NEAREST),
        }


@dataclass(frozen=True)
class Photometric(grain.transforms.RandomMap):
    """Brightness, contrast, saturation and hue of the image alone, each with one probability.

    The order and ranges of mmsegmentation's PhotoMetricDistortion, values cut to 0..255 between.

    Attributes:
        probability: of each of the four; 0 switches all off.
        brightness: largest shift, in grey values.
        contrast: largest change of the factor on all channels; first or last, by a coin.
        saturation: largest change of the factor on the saturation.
        hue: largest turn, in OpenCV's half degrees (of 180).

    Raises ValueError where it is to change an image that is not uint8.
    """

    probability: float = 0.0
    brightness: float = 32.0
    contrast: float = 0.5
    saturation: float = 0.5
    hue: int = 18

    def __post_init__(self):
        _require(self, "probability", 0 <= self.probability <= 1, "from 0 to 1")
        _require(self, "brightness", 0 <= self.brightness <= 255, "from 0 to 255")
        _require(self, "contrast", 0 <= self.contrast <= 1, "from 0 to 1")
        _require(self, "saturation", 0 <= self.saturation <= 1, "from 0 to 1")
        _require(self, "hue", 0 <= self.hue <= 90, "from 0 to 90")

    def random_map(self, element: Tile, rng: np.random.Generator) -> Tile:
        def due() -> bool:
            return rng.random() < self.probability

        def factor(change: float) -> float:
            return rng.uniform(1 - change, 1 + change)

        image = contiguous(element["image"])
        if self.probability and image.dtype != np.uint8:
            raise ValueError(f"Colours are changed of uint8 images; received {image.dtype}.")
        if due():
            summand = rng.uniform(-self.brightness, self.brightness)
            image = cv2.LUT(image, _shift(GREYS, 1.0, summand))
        contrast_first = rng.random() < 0.5
        if contrast_first and due():
            image = cv2.LUT(image, _shift(GREYS, factor(self.contrast), 0.0))
        if due():
            image = _in_hsv(image, saturation=factor(self.saturation))
        if due():
            image = _in_hsv(image, hue=int(rng.integers(-self.hue, self.hue + 1)))
        if not contrast_first and due():
            image = cv2.LUT(image, _shift(GREYS, factor(self.contrast), 0.0))
        return {**element, "image": image}


def _require(transform, name: str, good: bool, expected: str) -> None:
    if not good:
        raise ValueError(f"{name} must be {expected}; received {getattr(transform, name)}.")


def _shift(values: np.ndarray, factor: float, summand: float) -> np.ndarray:
    return np.clip(values.astype(np.float32) * factor + summand, 0, 255).astype(np.uint8)


def _in_hsv(image: np.ndarray, saturation: float = 1.0, hue: int = 0) -> np.ndarray:
    table = np.stack([(GREYS.astype(int) + hue) % 180, _shift(GREYS, saturation, 0.0), GREYS], -1)
    hsv = cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), table[None].astype(np.uint8))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def pad(tile: Tile, size_pixels: int, fill: tuple[int, int, int] = (0, 0, 0)) -> Tile:
    """The tile, filled up at the bottom and right to at least ``size_pixels`` each way.

    ``fill`` is the colour of the image there; depth becomes 0 and the label 255 (ignore). Raises
    ValueError for arrays of several sizes and for a label that is not uint8.
    """
    height, width = _size(tile)
    below, right = max(size_pixels - height, 0), max(size_pixels - width, 0)
    if not below and not right:
        return tile

    def filled(array, value):
        whole = np.empty((height + below, width + right, *array.shape[2:]), array.dtype)
        whole[:] = value
        whole[:height, :width] = array
        return whole

    return {
        **tile,
        "image": filled(tile["image"], fill),
        "depth": filled(tile["depth"], 0),
        "label": filled(tile["label"], IGNORE),
    }


def rotate(tile: Tile, degrees: float) -> Tile:
    """The tile turned counter-clockwise; image and depth bilinear, label nearest.

    Raises ValueError for arrays of several sizes and for a label that is not uint8.
    """
    height, width = _size(tile)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)

    def turned(array, flags, value):
        result = empty(array.shape, array.dtype)
        size = (width, height)
        cv2.warpAffine(array, matrix, size, dst=result, flags=flags, borderValue=value)
        return result

    # Of four channels OpenCV makes less than half the work of three.
    rgba = empty((height, width, 4), tile["image"].dtype)
    cv2.cvtColor(tile["image"], cv2.COLOR_RGB2RGBA, dst=rgba)
    image = empty((height, width, 3), rgba.dtype)
    cv2.cvtColor(turned(rgba, cv2.INTER_LINEAR, 0), cv2.COLOR_RGBA2RGB, dst=image)
    return {
        **tile,
        "image": image,
        "depth": turned(tile["depth"], cv2.INTER_LINEAR, 0),
        "label": turned(tile["label"], cv2.INTER_NEAREST, IGNORE),
    }


def _size(tile: Tile) -> tuple[int, int]:
    """Height and width, which its arrays share, of a tile whose label can hold 255."""
    image, depth, label = tile["image"], tile["depth"], tile["label"]
    if label.dtype != np.uint8:
        raise ValueError(f"label must be uint8, with 255 for ignored; received {label.dtype}.")
    if not image.shape[:2] == depth.shape[:2] == label.shape:
        raise ValueError(
            "A tile's image, depth and label must be of one height and width; received image "
            f"{image.shape}, depth {depth.shape} and label {label.shape}."
        )
    return label.shape[0], label.shape[1]


def _each(tile: Tile, move) -> Tile:
    _size(tile)
    moved = {name: move(tile[name]) for name in ("image", "depth", "label")}
    return cast(Tile, {**tile, **moved})


def _is_mixed(label: np.ndarray, largest_share: float) -> bool:
    """Whether it shows two classes, none of them with this share of the labelled pixels.

    Only the class that a sparse look finds most often is counted, which nearly always decides.
    """
    sample = np.bincount(label[::16, ::16].ravel(), minlength=IGNORE)[:IGNORE]
    most = _count(label, int(sample.argmax()))
    # Whole numbers in float32, exact for labels of up to 4096 x 4096 pixels.
    if most >= largest_share * np.float32(label.size):
        return False
    labelled = np.float32(label.size - _count(label, IGNORE))
    limit = largest_share * labelled
    if most >= limit or most == labelled:
        return False
    if most and labelled - most < limit:
        return True
    counts = cv2.calcHist([label], [0], None, [IGNORE], [0, IGNORE])
    return bool((counts > 0).sum() > 1 and counts.max() < limit)


def _count(label: np.ndarray, value: int) -> int:
    return int(np.count_nonzero(label == value))
