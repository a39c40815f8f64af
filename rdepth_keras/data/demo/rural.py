"""Rural demo scenes: fields, meadows and woods, a lane or hamlet, and water or a gravel pit."""

import numpy as np

from rdepth_keras.data.demo.canvas import (
    Canvas,
    Color,
    Frame,
    Surface,
    bars,
    mixed,
    rectangle,
    scatter,
    vary,
)
from rdepth_keras.data.demo.landmarks import GRASS, LANDMARKS, LEAVES, MEADOW
from rdepth_keras.data.demo.trees import afforest

CROPS: tuple[tuple[Color, float, float], ...] = (  # colour, height in metres, contrast of rows
    ((0.82, 0.73, 0.46), 0.8, 0.08),  # wheat
    ((0.46, 0.61, 0.30), 0.3, 0.12),  # young corn
    ((0.29, 0.45, 0.21), 1.6, 0.16),  # maize
    ((0.84, 0.78, 0.34), 1.0, 0.07),  # rape
    ((0.57, 0.44, 0.34), 0.0, 0.13),  # ploughed
    ((0.76, 0.67, 0.50), 0.1, 0.10),  # stubble
    ((0.37, 0.53, 0.32), 0.4, 0.15),  # beet
)
CROP_SHARE, MEADOW_SHARE, HEDGE_SHARE = 0.6, 0.29, 0.35  # of the parcels


def draw_country(canvas: Canvas, wanted: list[str]) -> None:
    """Fill the board with parcels, lay the ``wanted`` landmarks over them, plant the woods."""
    rng = canvas.rng
    canvas.cover(Surface.MEADOW, vary(rng, MEADOW))
    land = Frame(turn=complex(np.exp(1j * rng.uniform(0, np.pi))))
    reach = 1.45 * canvas.reach_metres
    for left, right, low, high in split(rng, (-reach, reach, -reach, reach)):
        parcel = land.at(complex(left + right, low + high) / 2, rng.normal(0, 0.012))
        if canvas.sees(parcel.origin, (right - left + high - low) / 2.6):
            draw_parcel(canvas, parcel, right - left, high - low)
    for name in LANDMARKS:
        if name in wanted:
            LANDMARKS[name](canvas, land)
    afforest(canvas, 4.6, (2.2, 4.4), LEAVES[rng.integers(3)], 2.6)


def split(rng: np.random.Generator, area: tuple[float, ...]) -> list[tuple[float, ...]]:
    """Cut a rectangle (left, right, low, high), in metres, again and again into parcels."""
    left, right, low, high = area
    long, short = max(right - left, high - low), min(right - left, high - low)
    if long * short < rng.uniform(2500, 7500) and long < 3.2 * short:
        return [area]
    share = rng.uniform(0.36, 0.64)
    if right - left > high - low:
        cut = left + share * (right - left)
        halves = (left, cut, low, high), (cut, right, low, high)
    else:
        cut = low + share * (high - low)
        halves = (left, right, low, cut), (left, right, cut, high)
    return [parcel for half in halves for parcel in split(rng, half)]


def draw_parcel(canvas: Canvas, parcel: Frame, length: float, width: float) -> None:
    """One parcel: mostly a crop in rows, else a meadow or a small wood, with a grassy margin."""
    rng = canvas.rng
    if width > length:
        parcel, length, width = parcel.at(0j, np.pi / 2), width, length
    outline, kind = parcel(rectangle(length - 2.4, width - 2.4)), rng.random()
    if kind < CROP_SHARE:
        draw_crop(canvas, parcel, length - 2.4, width - 2.4)
    elif kind < CROP_SHARE + MEADOW_SHARE:
        color = mixed(rng, MEADOW, GRASS)
        canvas.fill(outline, Surface.MEADOW, color, 0.2)
        spots = scatter(rng, int(rng.integers(5)), 0.8 * length, 0.8 * width)
        canvas.plant(parcel(spots), (2.4, 4.5), LEAVES[1], 2.2)
    else:
        canvas.fill(outline, Surface.WOOD, np.multiply(LEAVES[0], 0.7), 0.5)
    if rng.random() < HEDGE_SHARE:
        x = np.arange(-length / 2, length / 2, 4.5)
        hedge = x + rng.normal(0, 0.5, len(x)) + 0.5j * width
        canvas.plant(parcel(hedge[rng.random(len(x)) < 0.85]), (1.6, 3.0), LEAVES[1], 2.2)


def draw_crop(canvas: Canvas, field: Frame, length: float, width: float) -> None:
    """A crop whose rows run along the field, with wheel tracks and a headland at each end."""
    rng = canvas.rng
    color, height, contrast = CROPS[rng.integers(len(CROPS))]
    color = vary(rng, color, 0.06)
    canvas.fill(field(rectangle(length, width)), Surface.CROP, color, height)
    half, dark = length / 2 - 5, color * (1 - contrast)
    rows = bars(0, np.arange(1.5 - width / 2, width / 2, 3), half)
    canvas.stroke(field(rows), 1.2, None, dark, height)
    ends = bars(np.array([-half - 3.8, -half - 1.5, half + 1.5, half + 3.8]), 0, 0.5j * width - 1j)
    canvas.stroke(field(ends), 1.0, None, dark, height)
    tracks = np.arange(9 - width / 2, width / 2 - 4, 18.0)
    if len(tracks):
        wheels = bars(0, np.concatenate([tracks, tracks + 1.9]), half)
        canvas.stroke(field(wheels), 0.5, None, dark * 0.86, height)
    if color[0] > 0.72 and rng.random() < 0.4:
        lay_bales(canvas, field, length, width)


def lay_bales(canvas: Canvas, field: Frame, length: float, width: float) -> None:
    """Round bales of straw in loose rows."""
    rng = canvas.rng
    for x in np.arange(10 - length / 2, length / 2 - 8, 14.0):
        for y in np.arange(8 - width / 2, width / 2 - 6, 12.0):
            bale = field.at(complex(x, y) + complex(*rng.normal(0, 1.5, 2)), rng.uniform(0, 3))
            if canvas.sees(bale.origin):
                canvas.fill(bale(rectangle(2.2, 1.9)), Surface.CROP, (0.92, 0.83, 0.58), 1.8)
