"""Procedural demo tiles: two domains of made-up aerial photographs with labels and depth.

Urban tiles are finer sampled, hazy and cool under a low sun in the one direction; rural ones are
coarser, clear and warm under a higher sun in the other. Both show the seven LoveDA classes.
"""

import functools
from dataclasses import dataclass

import numpy as np

from rdepth_keras.arrays import Image, Label, Tile
from rdepth_keras.data.demo.canvas import SUPERSAMPLING, Canvas, Sun
from rdepth_keras.data.demo.light import Look, estimate_depth, octaves, photograph
from rdepth_keras.data.demo.rural import draw_country
from rdepth_keras.data.demo.trees import grow
from rdepth_keras.data.demo.urban import draw_city
from rdepth_keras.data.splits import SPLITS
from rdepth_keras.labels import IGNORE

DOMAINS = ("urban", "rural")
COUNT_LIMIT = 100_000
SMALLEST_PIXELS = 32
KEPT = 640  # all of both domains; tiles of 256 pixels take half a megabyte each

# Share of the tiles that show something, and the prime that spreads them: see `is_due`.
URBAN_SHARES = {"plot": (0.36, 2), "park": (0.3, 3), "allotments": (0.17, 5)}
CANAL_SHARE = (0.25, 7)
RURAL_SHARES = {
    "wood": (0.6, 2),
    "river": (0.26, 3),
    "quarry": (0.38, 5),
    "pond": (0.3, 7),
    "basins": (0.22, 11),
    "hamlet": (0.65, 13),
}
BORDER_SHARE = (0.08, 19)


@dataclass(frozen=True)
class Setting:
    """Scale, light and camera of a domain; pairs are ranges, bearings are in degrees from x."""

    metres_per_pixel: tuple[float, float]
    bearing_degrees: tuple[float, float]
    elevation_degrees: tuple[float, float]
    look: Look


SETTINGS = {
    "urban": Setting(
        metres_per_pixel=(0.47, 0.60),
        bearing_degrees=(20, 70),
        elevation_degrees=(33, 46),
        look=Look(
            sunlight=(0.66, 0.65, 0.62),
            skylight=(0.42, 0.45, 0.50),
            haze=0.09,
            haze_color=(0.72, 0.77, 0.83),
            saturation=0.95,
            blur_pixels=0.55,
            noise=0.012,
        ),
    ),
    "rural": Setting(
        metres_per_pixel=(0.68, 0.88),
        bearing_degrees=(190, 240),
        elevation_degrees=(42, 58),
        look=Look(
            sunlight=(0.69, 0.67, 0.61),
            skylight=(0.36, 0.39, 0.43),
            haze=0.03,
            haze_color=(0.85, 0.80, 0.70),
            saturation=1.04,
            blur_pixels=0.45,
            noise=0.008,
        ),
    ),
}


@dataclass(frozen=True)
class DemoTiles:
    """The demo tiles of one domain and split, made when asked for, always the same for a seed.

    ``domain`` is ``"urban"`` or ``"rural"``, ``split`` ``"train"``, ``"val"`` or ``"test"``.
    ``tiles[i]`` is a :class:`~rdepth_keras.arrays.Tile` of ``size`` pixels a side; its ``id`` is
    unique over splits and domains. A few tiles have a border without data, labelled
    :data:`~rdepth_keras.labels.IGNORE`. Raises ValueError for a setting out of range.
    """

    domain: str
    split: str
    seed: int = 0
    count: int = 256
    size: int = 256

    @property
    def labelled(self) -> bool:
        return True

    def __post_init__(self):
        check("domain", self.domain, self.domain in DOMAINS, f"one of {', '.join(DOMAINS)}")
        check("split", self.split, self.split in SPLITS, f"one of {', '.join(SPLITS)}")
        check("seed", self.seed, self.seed >= 0, "0 or more")
        check("count", self.count, 0 < self.count <= COUNT_LIMIT, f"in 1..{COUNT_LIMIT}")
        check("size", self.size, self.size >= SMALLEST_PIXELS, f"{SMALLEST_PIXELS} pixels or more")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tile:
        if not -self.count <= index < self.count:
            raise IndexError(f"There are {self.count} demo tiles; received index {index}.")
        return draw_tile(
            self.domain, self.split, self.seed, self.size, int(index) % self.count
        ).copy()


@functools.lru_cache(maxsize=KEPT)
def draw_tile(domain: str, split: str, seed: int, size: int, index: int) -> Tile:
    """A tile, drawn once and kept: read-only arrays, since everybody gets the same ones."""
    place = DOMAINS.index(domain), SPLITS.index(split)
    rng = np.random.default_rng([seed, *place, index])
    canvas = draw_scene(domain, index, size, rng)
    image, height, label = photograph(canvas, SETTINGS[domain].look)
    if is_due(index, *BORDER_SHARE):
        cut_border(image, height, label, rng)
    number = (place[1] * len(DOMAINS) + place[0]) * COUNT_LIMIT + index
    depth = estimate_depth(height, rng)
    for array in (image, depth, label):
        array.flags.writeable = False
    return Tile(id=number, image=image, depth=depth, label=label)


def check(name: str, value: object, good: bool, expected: str) -> None:
    """Raise ValueError for a bad setting of the demo tiles."""
    if not good:
        raise ValueError(f"The {name} of demo tiles must be {expected}; received {value!r}.")


def is_due(index: int, share: float, prime: int) -> bool:
    """Whether the tile at ``index`` is among an evenly spread ``share`` of all tiles.

    Rare things come at steady intervals rather than by chance, so that a dozen tiles of a domain
    already show all classes. Multiples of the root of a prime spread evenly over 0..1, and those
    of different primes independently of each other.
    """
    return (index + 0.5) * prime**0.5 % 1 < share


def draw_scene(domain: str, index: int, size: int, rng: np.random.Generator) -> Canvas:
    """The drawn board of a tile, trees grown."""
    setting = SETTINGS[domain]
    bearing = np.exp(1j * np.radians(rng.uniform(*setting.bearing_degrees)))
    sun = Sun(complex(bearing), float(np.radians(rng.uniform(*setting.elevation_degrees))))
    canvas = Canvas(size, rng.uniform(*setting.metres_per_pixel), sun, rng)
    shares = URBAN_SHARES if domain == "urban" else RURAL_SHARES
    wanted = [name for name, share in shares.items() if is_due(index, *share)]
    if domain == "urban":
        draw_city(canvas, wanted, canal=is_due(index, *CANAL_SHARE))
    else:
        draw_country(canvas, wanted if "hamlet" in wanted else [*wanted, "lane"])
    pixels = size * SUPERSAMPLING
    grow(canvas, octaves(rng, pixels, pixels // 5, pixels // 2, falloff=0.8))
    return canvas


def cut_border(image: Image, height: np.ndarray, label: Label, rng: np.random.Generator) -> None:
    """Blacken a slanting strip at one side and mark it as without data, in place."""
    size = len(label)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    if rng.random() < 0.5:
        x, y = y, x
    missing = x < size * (rng.uniform(0.03, 0.08) + rng.uniform(-0.05, 0.05) * y / size)
    image[missing], height[missing], label[missing] = 0, 0, IGNORE
