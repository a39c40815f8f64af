"""Landmarks of the rural demo scenes: woods, water, gravel pits, lanes and hamlets."""

from collections.abc import Callable

import numpy as np

from rdepth_keras.data.demo.building import pitched_roof, sheet_roof
from rdepth_keras.data.demo.canvas import (
    Canvas,
    Frame,
    Surface,
    blob,
    mixed,
    rectangle,
    scatter,
    vary,
)

MEADOW = (0.50, 0.57, 0.31)
LANE = (0.49, 0.485, 0.48)
YARD = (0.66, 0.65, 0.61)
GRASS = (0.43, 0.55, 0.31)
TRACK = (0.74, 0.65, 0.51)
SOIL = (0.80, 0.71, 0.56)
WATER = (0.21, 0.36, 0.40)
SHALLOWS = (0.34, 0.42, 0.36)
LEAVES = ((0.21, 0.36, 0.17), (0.28, 0.42, 0.19), (0.17, 0.31, 0.19))
TILES = ((0.74, 0.37, 0.27), (0.62, 0.33, 0.26), (0.52, 0.39, 0.31))
SHEETS = ((0.62, 0.63, 0.64), (0.46, 0.51, 0.48), (0.68, 0.44, 0.35))
OCCUPIED = (Surface.ROOF, Surface.ASPHALT, Surface.TRACK, Surface.WATER, Surface.SOIL)


def wood(canvas: Canvas, land: Frame) -> None:
    """A large wood with an irregular edge, often with a clearing."""
    rng = canvas.rng
    away = canvas.reach_metres * rng.uniform(0.4, 0.9) * np.exp(1j * rng.uniform(0, 2 * np.pi))
    place, radius = land.at(complex(away)), canvas.reach_metres * rng.uniform(0.45, 0.7)
    canvas.fill(place(blob(rng, radius)), Surface.WOOD, np.multiply(LEAVES[0], 0.7), 0.5)
    if rng.random() < 0.6:
        clearing = place(0.4 * radius + blob(rng, rng.uniform(9, 14)))
        canvas.fill(clearing, Surface.MEADOW, vary(rng, MEADOW, 0.1))


def find_room(canvas: Canvas, land: Frame, radius_metres: float) -> Frame:
    """Of some places drawn at random, the one with the least road, water or house around it."""
    spread = 1.3 * canvas.reach_metres
    middles = land(scatter(canvas.rng, 12, spread, spread))
    disc = radius_metres * np.exp(1j * np.linspace(0, 2 * np.pi, 24)) * np.array([[0.5], [1.0]])
    taken = np.isin(canvas.shows(middles[:, None] + disc.ravel()), OCCUPIED).sum(axis=1)
    return Frame(complex(middles[np.argmin(taken)]), land.turn)


def pond(canvas: Canvas, land: Frame) -> None:
    """A pond with a reedy shore and a few trees."""
    rng = canvas.rng
    place, shore = find_room(canvas, land, 30), blob(rng, rng.uniform(20, 30))
    canvas.fill(place(1.18 * shore), Surface.MEADOW, vary(rng, MEADOW, 0.08), 0.3)
    canvas.fill(place(1.06 * shore), Surface.WATER, SHALLOWS)
    canvas.fill(place(shore), Surface.WATER, vary(rng, WATER), -0.8)
    ring = 1.3 * shore[rng.choice(len(shore), 9, replace=False)]
    canvas.plant(place(ring), (1.8, 3.6), LEAVES[1], 2.2)


def basins(canvas: Canvas, land: Frame) -> None:
    """Fish ponds: a grid of rectangular basins between pale dikes."""
    rng = canvas.rng
    place = find_room(canvas, land, 42)
    columns, rows = rng.integers(2, 4), rng.integers(2, 4)
    long, short = rng.uniform(30, 42), rng.uniform(20, 28)
    yard = rectangle(columns * long + 5, rows * short + 5)
    canvas.fill(place(yard), Surface.PAVING, mixed(rng, TRACK, YARD), 0.8)
    for x in (np.arange(columns) - (columns - 1) / 2) * long:
        for y in (np.arange(rows) - (rows - 1) / 2) * short:
            basin = rectangle(long - 4, short - 4, complex(x, y))
            canvas.fill(place(basin), Surface.WATER, vary(rng, WATER, 0.1), -0.5)


def river(canvas: Canvas, land: Frame) -> None:
    """A winding river with pale banks and trees along it."""
    rng = canvas.rng
    reach = 1.5 * canvas.reach_metres
    x = np.linspace(-reach, reach, 80)
    waves = np.sin(x[:, None] / (20, 47) + rng.uniform(0, 6, 2)) * rng.uniform(4, 13, 2)
    away = rng.uniform(-0.5, 0.5) * canvas.reach_metres
    course = land.at(0j, rng.uniform(-0.4, 0.4))(x + 1j * (away + waves.sum(axis=1)))
    width = rng.uniform(14, 21)
    canvas.stroke(course, width + 7, Surface.MEADOW, vary(rng, MEADOW, 0.08))
    canvas.stroke(course, width + 1.5, Surface.WATER, SHALLOWS)
    canvas.stroke(course, width, Surface.WATER, vary(rng, WATER), -1.5)
    bank = course + rng.choice((-1, 1), len(x)) * (width / 2 + 4) * land.turn * 1j
    canvas.plant(bank[rng.random(len(x)) < 0.5], (1.8, 3.6), LEAVES[1], 2.2)


def quarry(canvas: Canvas, land: Frame) -> None:
    """A gravel pit, shallow or deep: bare terraces with heaps, and a track that leads away."""
    rng = canvas.rng
    place = find_room(canvas, land, 42)
    edge, color = blob(rng, rng.uniform(32, 46), 0.2), vary(rng, SOIL)
    step = rng.choice((0.15, 0.8, 2.0))
    for order, (share, tone) in enumerate(((1, 1), (0.8, 0.92), (0.58, 1.03), (0.36, 0.95))):
        canvas.fill(place(share * edge), Surface.SOIL, color * tone, -order * step)
    for heap in 0.88 * edge[rng.integers(len(edge), size=4)]:
        for radius, height in ((4.2, 1.2), (2.6, 2.6)):
            canvas.fill(place(heap + blob(rng, radius, 0.12)), Surface.SOIL, color * 1.07, height)
    away = edge[rng.integers(len(edge))]
    canvas.stroke(place(np.linspace(0.95, 2.0, 12) * away), 3.8, Surface.TRACK, TRACK)


def lane(canvas: Canvas, land: Frame) -> Frame:
    """A gently bending lane, paved or not; returns the frame of its middle, x along it."""
    rng = canvas.rng
    reach = 1.5 * canvas.reach_metres
    place = land.at(rng.uniform(-0.5, 0.5) * canvas.reach_metres, np.pi / 2)
    x = np.linspace(-reach, reach, 40)
    course = place(x + 1j * bend(x))
    canvas.stroke(course, 9.5, Surface.MEADOW, vary(rng, MEADOW, 0.08))
    if rng.random() < 0.65:
        canvas.stroke(course, 6.0, Surface.ASPHALT, vary(rng, LANE))
    else:
        canvas.stroke(course, 5.2, Surface.TRACK, vary(rng, TRACK))
        canvas.stroke(course, 1.0, None, np.multiply(MEADOW, 1.1))
    return place


def bend(x: np.ndarray | float) -> np.ndarray:
    """How far a lane swerves aside at a distance along it, metres."""
    return 5 * np.sin(np.asarray(x) / 45)


def hamlet(canvas: Canvas, land: Frame) -> None:
    """Small houses and barns with gardens on both sides of a lane; none stands in water."""
    rng = canvas.rng
    place = lane(canvas, land)
    middle = rng.uniform(-0.4, 0.4) * canvas.reach_metres
    for side in (-1, 1):
        for order in range(rng.integers(3, 6)):
            x = middle + (order - 2) * 23 + rng.uniform(-2, 2)
            yard = place.at(complex(x, bend(x) + side * 16), np.pi / 2 * (1 - side))
            corners = yard(rectangle(22, 20))
            if canvas.sees(yard.origin, 12) and not (canvas.shows(corners) == Surface.WATER).any():
                draw_farm(canvas, yard)


def draw_farm(canvas: Canvas, yard: Frame) -> None:
    """A house or a barn in a garden with some trees; the lane lies at smaller y."""
    rng = canvas.rng
    canvas.fill(yard(rectangle(21, 20)), Surface.LAWN, mixed(rng, MEADOW, GRASS))
    canvas.fill(yard(rectangle(9, 13, -5 - 3.5j)), Surface.PAVING, vary(rng, YARD))
    house = yard.at(complex(rng.uniform(0, 3), rng.uniform(-3, 2)), rng.choice((0, np.pi / 2)))
    if rng.random() < 0.3:
        sheet_roof(canvas, house, 18, 11, 5, vary(rng, SHEETS[rng.integers(3)]))
    else:
        color = vary(rng, TILES[rng.integers(3)], 0.07)
        pitched_roof(canvas, house, rng.uniform(12, 15), rng.uniform(8.5, 10), 3.5, color)
    spots = scatter(rng, int(rng.integers(1, 5)), 19, 4) + 7.5j
    canvas.plant(yard(spots), (1.5, 3.2), LEAVES[1], 2.0)


LANDMARKS: dict[str, Callable[[Canvas, Frame], object]] = {  # in the order of drawing
    "wood": wood,
    "river": river,
    "lane": lane,
    "hamlet": hamlet,
    "quarry": quarry,
    "pond": pond,
    "basins": basins,
}
