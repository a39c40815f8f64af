"""The drawing board of the demo scenes: shapes in metres, painted as colour, height and surface.

Points on the ground are complex numbers ``x + 1j * y`` in metres, x to the right and y down the
picture, zero in its middle: turning is a product, moving a sum. Colours are RGB reflectances in
0..1. The board is drawn at twice the tile's resolution, which later smooths the edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np

SUPERSAMPLING = 2
SUBPIXEL_BITS = 4

Color = Sequence[float] | np.ndarray


class Surface(IntEnum):
    """What a pixel of the board is made of; several surfaces share a class."""

    PAVING = 0
    LAWN = 1
    MEADOW = 2
    ROOF = 3
    ASPHALT = 4
    TRACK = 5
    WATER = 6
    SOIL = 7
    WOOD = 8
    CROP = 9


@dataclass(frozen=True)
class Sun:
    """Where the light comes from: ``bearing`` points to the sun in the picture, a unit number."""

    bearing: complex
    elevation_radians: float

    @property
    def metres_of_shadow(self) -> float:
        """Length of the shadow of a thing one metre high."""
        return float(1 / np.tan(self.elevation_radians))

    def shade(self, downhill: complex, pitch_radians: float) -> float:
        """Brightness of a slope falling towards ``downhill``, as a multiple of flat ground's."""
        facing = (downhill * self.bearing.conjugate()).real
        direct = np.cos(pitch_radians) + np.sin(pitch_radians) * facing * self.metres_of_shadow
        return float(np.clip(0.5 + 0.5 * direct, 0.55, 1.3))


@dataclass(frozen=True)
class Frame:
    """A place on the ground with a direction; calling it takes local points to the ground."""

    origin: complex = 0j
    turn: complex = 1 + 0j

    def __call__(self, points: complex | np.ndarray) -> np.ndarray:
        return self.origin + self.turn * np.asarray(points)

    def at(self, offset: complex, angle_radians: float = 0.0) -> "Frame":
        """The frame that lies at a local offset, turned further by an angle."""
        turn = self.turn * complex(np.exp(1j * angle_radians))
        return Frame(self.origin + self.turn * offset, turn)


CORNERS = np.array([-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j]) / 2


def rectangle(length_metres: float, width_metres: float, center: complex = 0j) -> np.ndarray:
    """The four corners of a rectangle; the length runs along x."""
    return center + CORNERS.real * length_metres + 1j * CORNERS.imag * width_metres


def bars(x: np.ndarray | float, y: np.ndarray | float, along: complex) -> np.ndarray:
    """Parallel lines (n, 2) through the points ``x + 1j * y``, reaching ``along`` to both sides."""
    middles = np.atleast_1d(x + 1j * y)
    return np.stack([middles - along, middles + along], axis=1)


def blob(rng: np.random.Generator, radius_metres: float, roughness: float = 0.25) -> np.ndarray:
    """A smooth, irregular closed outline around zero."""
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    orders = np.arange(2, 7)
    waves = np.sin(np.outer(angles, orders) + rng.uniform(0, 2 * np.pi, len(orders)))
    sizes = rng.uniform(0.4, 1.0, len(orders)) * roughness * 2 / orders
    outline = radius_metres * (1 + waves @ sizes) * np.exp(1j * angles)
    turn = np.exp(1j * rng.uniform(0, np.pi))
    return (outline.real + 1j * rng.uniform(0.75, 1.0) * outline.imag) * turn


def scatter(rng: np.random.Generator, count: int, length: float, width: float) -> np.ndarray:
    """Points drawn evenly from a rectangle around zero."""
    return rng.uniform(-0.5, 0.5, count) * length + 1j * rng.uniform(-0.5, 0.5, count) * width


def vary(rng: np.random.Generator, color: Color, amount: float = 0.05) -> np.ndarray:
    """A colour near ``color``: brighter or darker, and a little shifted in hue."""
    shift = 1 + amount * rng.standard_normal(4)
    return np.asarray(color) * shift[3] * (0.75 + 0.25 * shift[:3])


def mixed(rng: np.random.Generator, one: Color, other: Color) -> np.ndarray:
    """A colour between two, varied a little."""
    share = rng.random()
    return vary(rng, share * np.asarray(one) + (1 - share) * np.asarray(other), 0.06)


class Canvas:
    """A board of colour, height in metres (float32) and :class:`Surface`, drawn back to front.

    ``paint`` is (n, n, 4): red, green, blue, height; ``surface`` is (n, n) with n the tile's size
    times :data:`SUPERSAMPLING`. It is drawn on first; trees, kept in ``trees``, grow on it last.
    """

    def __init__(self, size: int, metres_per_pixel: float, sun: Sun, rng: np.random.Generator):
        self.size = size
        self.sun = sun
        self.rng = rng
        self.pixels_per_metre = SUPERSAMPLING / metres_per_pixel
        self.reach_metres = size * metres_per_pixel / 2
        pixels = size * SUPERSAMPLING
        self.paint = np.zeros((pixels, pixels, 4), np.float32)
        self.surface = np.zeros((pixels, pixels), np.uint8)
        self.trees: list[np.ndarray] = []

    def sees(self, points: complex | np.ndarray, margin_metres: float = 0.0) -> np.ndarray:
        """Which points lie on the board, or within a margin of it."""
        reach = self.reach_metres + margin_metres
        return (np.abs(np.real(points)) < reach) & (np.abs(np.imag(points)) < reach)

    def shows(self, points: complex | np.ndarray) -> np.ndarray:
        """The surface at points of the board; points beyond it count as its edge."""
        columns, rows = self.locate(np.asarray(points))
        return self.surface[rows, columns]

    def cover(self, surface: Surface, color: Color) -> None:
        """Lay one surface over the whole board."""
        self.fill(rectangle(3 * self.reach_metres, 3 * self.reach_metres), surface, color)

    def fill(
        self, outline: np.ndarray, surface: Surface, color: Color, height_metres: float = 0.0
    ) -> None:
        """Fill a polygon (k,)."""
        corners = [self._corners(outline)]
        value = (float(color[0]), float(color[1]), float(color[2]), height_metres)
        cv2.fillPoly(self.paint, corners, value, cv2.LINE_8, SUBPIXEL_BITS)
        cv2.fillPoly(self.surface, corners, int(surface), cv2.LINE_8, SUBPIXEL_BITS)

    def stroke(
        self,
        lines: np.ndarray,
        width_metres: float,
        surface: Surface | None,
        color: Color,
        height_metres: float = 0.0,
        closed: bool = False,
    ) -> None:
        """Draw a line (k,), or many (n, k); without a surface, only colour and height change."""
        corners = list(self._corners(np.atleast_2d(lines)))
        thickness = max(1, round(width_metres * self.pixels_per_metre))
        settings = (thickness, cv2.LINE_8, SUBPIXEL_BITS)
        value = (float(color[0]), float(color[1]), float(color[2]), height_metres)
        cv2.polylines(self.paint, corners, closed, value, *settings)
        if surface is not None:
            cv2.polylines(self.surface, corners, closed, int(surface), *settings)

    def plant(
        self, points: np.ndarray, radius_metres: tuple[float, float], color: Color, tall: float
    ) -> None:
        """Put trees at ``points``; ``tall`` is their height as a multiple of the crown's radius."""
        points = points[self.sees(points)]
        radius = self.rng.uniform(*radius_metres, len(points))
        tones = self.rng.normal(1, 0.12, (len(points), 1))
        colors = np.asarray(color) * tones * self.rng.normal(1, 0.04, (len(points), 3))
        columns = (np.real(points), np.imag(points), radius, radius * tall, *colors.T)
        self.trees.append(np.stack(columns, axis=1).astype(np.float32))

    def locate(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows of the pixels of the board that hold ground points."""
        pixels = (points + (1 + 1j) * self.reach_metres) * self.pixels_per_metre
        last = len(self.surface) - 1
        columns = np.clip(np.real(pixels).astype(np.intp), 0, last)
        return columns, np.clip(np.imag(pixels).astype(np.intp), 0, last)

    def _corners(self, points: np.ndarray) -> np.ndarray:
        """Ground points (..., k) -> corners (..., k, 2) in OpenCV's fractions of a pixel."""
        scale = self.pixels_per_metre * (1 << SUBPIXEL_BITS)
        fractions = (points + (1 + 1j) * self.reach_metres) * scale
        return fractions.view(np.float64).astype(np.int32).reshape(*points.shape, 2)
