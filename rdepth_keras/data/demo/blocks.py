"""The building blocks of the urban demo scenes, one function for each kind."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from rdepth_keras.data.demo.building import flat_roof, parked_car, pitched_roof, sheet_roof
from rdepth_keras.data.demo.canvas import (
    Canvas,
    Frame,
    Surface,
    bars,
    blob,
    mixed,
    rectangle,
    scatter,
    vary,
)

ASPHALT = (0.41, 0.415, 0.43)
PAVING = (0.68, 0.67, 0.64)
CONCRETE = (0.61, 0.60, 0.58)
LAWN = (0.43, 0.55, 0.31)
DRY_LAWN = (0.52, 0.57, 0.33)
SOIL = (0.72, 0.61, 0.47)
WATER = (0.23, 0.40, 0.42)
LEAVES = (0.28, 0.45, 0.22)
CHALK = (0.90, 0.90, 0.88)
TILES = ((0.70, 0.40, 0.30), (0.62, 0.35, 0.28), (0.48, 0.39, 0.35), (0.47, 0.49, 0.53))
DECKS = ((0.60, 0.595, 0.58), (0.78, 0.77, 0.74), (0.45, 0.455, 0.47), (0.68, 0.60, 0.50))
SHEETS = ((0.33, 0.52, 0.74), (0.82, 0.83, 0.84), (0.58, 0.62, 0.65), (0.71, 0.41, 0.34))
BEDS = ((0.44, 0.62, 0.28), (0.30, 0.47, 0.20), (0.54, 0.42, 0.32), (0.77, 0.70, 0.40))
CARS = ((0.9, 0.9, 0.9), (0.2, 0.2, 0.22), (0.66, 0.18, 0.15), (0.2, 0.32, 0.58), (0.6, 0.6, 0.6))
TREE_RADIUS_METRES = (1.6, 3.2)


class Block(NamedTuple):
    """A building block: its middle with x along its longer side, and its extent in metres."""

    place: Frame
    length: float
    width: float

    def inside(self, margin: float) -> np.ndarray:
        """The ground inside a margin."""
        return self.place(rectangle(self.length - 2 * margin, self.width - 2 * margin))

    def scatter(self, rng: np.random.Generator, count: int, share: float) -> np.ndarray:
        """Points drawn from the middle ``share`` of the block, in its own frame."""
        return scatter(rng, count, share * self.length, share * self.width)


def houses(canvas: Canvas, block: Block) -> None:
    """Two rows of gardens, each with a house, a drive and a few trees; perhaps a hedge between."""
    rng = canvas.rng
    edges = np.linspace(-0.5, 0.5, round(block.length / 14.5)) * (block.length - 4)
    for side in (-1, 1):
        row = block.place.at(0.25j * side * block.width, 0.0 if side > 0 else np.pi)
        for left, right in pairwise(edges):
            garden = row.at((left + right) / 2)
            if canvas.sees(garden.origin, 15):
                draw_garden(canvas, garden, right - left, block.width / 2 - 2)
    if rng.random() < 0.5:
        x = np.arange(-block.length / 2 + 3, block.length / 2 - 3, 2.4)
        canvas.plant(block.place(x + 0j), (1.1, 1.6), LEAVES, 1.6)


def draw_garden(canvas: Canvas, garden: Frame, length: float, width: float) -> None:
    """A lawn with a house near the street, which lies at larger y."""
    rng = canvas.rng
    canvas.fill(garden(rectangle(length - 0.5, width)), Surface.LAWN, mixed(rng, LAWN, DRY_LAWN))
    drive = rectangle(2.8, width / 2, complex(length / 2 - 2.4, width / 4))
    canvas.fill(garden(drive), Surface.PAVING, vary(rng, CONCRETE))
    house = garden.at(complex(rng.uniform(-1.2, 0.2), width / 2 - rng.uniform(7.0, 8.5)))
    color = vary(rng, TILES[rng.integers(len(TILES))], 0.06)
    long, short = rng.uniform(10.0, 12.0), rng.uniform(8.2, 9.6)
    pitched_roof(canvas, house, long, short, rng.uniform(3, 6.5), color, rng.random() < 0.5)
    spots = scatter(rng, int(rng.integers(0, 4)), 0.9 * length, 0.4 * width) - 0.25j * width
    canvas.plant(garden(spots), (1.2, 2.6), LEAVES, 2.0)


def slabs(canvas: Canvas, block: Block) -> None:
    """Parallel rows of tall flats on lawns, with drives, parked cars and trees between them."""
    rng = canvas.rng
    canvas.fill(block.inside(2.5), Surface.LAWN, mixed(rng, LAWN, DRY_LAWN))
    count = max(2, round(block.width / 25))
    deck, height = DECKS[rng.integers(len(DECKS))], rng.uniform(14, 26)
    long = (block.length - 12) / 2
    for y in ((np.arange(count) + 0.5) / count - 0.5) * block.width:
        row = block.place.at(1j * y)
        drive = row(bars(0, 9, block.length / 2 - 2))
        canvas.stroke(drive, 4.6, Surface.PAVING, vary(rng, CONCRETE))
        for x in np.arange(8 - block.length / 2, block.length / 2 - 8, 3.0):
            if rng.random() < 0.45:
                car = row.at(x + 9j, np.pi / 2)
                parked_car(canvas, car, Surface.PAVING, CARS[rng.integers(len(CARS))])
        for side in (-0.5, 0.5):
            slab = row.at(side * (long + 5))
            flat_roof(canvas, slab, long, 11.5, height * rng.uniform(0.9, 1.1), vary(rng, deck), 4)
        spots = scatter(rng, 12, block.length - 8, 3) - 9j
        canvas.plant(row(spots), TREE_RADIUS_METRES, LEAVES, 2.2)


def courtyard(canvas: Canvas, block: Block) -> None:
    """Houses along all four streets around a green yard."""
    rng = canvas.rng
    canvas.fill(block.inside(12), Surface.LAWN, mixed(rng, LAWN, DRY_LAWN))
    spots = scatter(rng, 14, block.length - 30, block.width - 30)
    canvas.plant(block.place(spots), TREE_RADIUS_METRES, LEAVES, 2.2)
    for quarter in range(4):
        wing = block.place.at(0j, quarter * np.pi / 2)
        along, across = (block.length, block.width)[:: 1 if quarter % 2 == 0 else -1]
        edges = np.linspace(-0.5, 0.5, 3 + rng.integers(2)) * (along - 4 - 24 * (quarter % 2))
        for left, right in pairwise(edges):
            place = wing.at(complex(left + right, across - 16) / 2)
            draw_terrace(canvas, place, right - left)


def draw_terrace(canvas: Canvas, place: Frame, length: float) -> None:
    """One house in a row of houses, with a tiled or a flat roof."""
    rng = canvas.rng
    height = rng.uniform(9, 17)
    if rng.random() < 0.7:
        pitched_roof(canvas, place, length, 12, height, vary(rng, TILES[rng.integers(4)]))
    else:
        flat_roof(canvas, place, length, 12, height, vary(rng, DECKS[rng.integers(4)]), 2)


def halls(canvas: Canvas, block: Block) -> None:
    """One or two large halls with metal roofs on a concrete yard with lorries."""
    rng = canvas.rng
    canvas.fill(block.inside(1.5), Surface.PAVING, vary(rng, CONCRETE))
    depth = (block.width - 12) * rng.uniform(0.7, 0.9)
    if rng.random() < 0.5:
        places, long, short = [block.place.at(-3j)], block.length - 14, depth
    else:
        offsets = (-0.25 * block.length, 0.25 * block.length)
        places = [block.place.at(complex(x, -3), np.pi / 2) for x in offsets]
        long, short = depth, block.length / 2 - 11
    for place in places:
        color = vary(rng, SHEETS[rng.integers(len(SHEETS))])
        sheet_roof(canvas, place, long, short, rng.uniform(7, 12), color)
    for x in rng.uniform(-0.45, 0.45, 6) * block.length:
        lorry = block.place.at(complex(x, block.width / 2 - 4), rng.normal(0, 0.1))
        canvas.fill(lorry(rectangle(8, 2.6)), Surface.PAVING, CARS[rng.integers(len(CARS))], 3.2)


def park(canvas: Canvas, block: Block) -> None:
    """Lawn, winding paths, a pond and groups of trees."""
    rng = canvas.rng
    canvas.fill(block.inside(2), Surface.LAWN, mixed(rng, LAWN, DRY_LAWN))
    x = np.linspace(-0.5, 0.5, 24)
    for phase in rng.uniform(0, 6, 2):
        path = x * (block.length - 4) + 0.28j * block.width * np.sin(7 * x + phase)
        canvas.stroke(block.place(path), 2.4, Surface.PAVING, np.multiply(PAVING, (1, 0.97, 0.9)))
    center = block.scatter(rng, 1, 0.4)
    shore = block.place(center + blob(rng, rng.uniform(10, 14)))
    canvas.fill(shore, Surface.WATER, vary(rng, WATER), -0.5)
    canvas.stroke(shore, 1.0, Surface.PAVING, CONCRETE, closed=True)
    for group in block.scatter(rng, 9, 0.86):
        spots = group + rng.normal(0, 4.5, 9) + 1j * rng.normal(0, 4.5, 9)
        canvas.plant(block.place(spots[np.abs(spots - center) > 13]), (2.0, 4.2), LEAVES, 2.1)


def plot(canvas: Canvas, block: Block) -> None:
    """A cleared plot: bare soil with wheel tracks, heaps, a foundation or its pit, a hut."""
    rng = canvas.rng
    color = vary(rng, SOIL, 0.08)
    canvas.fill(block.inside(1.5), Surface.SOIL, color)
    for middle in block.scatter(rng, 6, 0.75):
        patch = middle + blob(rng, rng.uniform(4, 9))
        canvas.fill(block.place(patch), Surface.SOIL, color * rng.uniform(0.9, 1.08))
    x = np.linspace(-0.48, 0.48, 20)
    for phase in rng.uniform(0, 6, 3):
        track = x * block.length + 0.3j * block.width * np.sin(4 * x + phase)
        canvas.stroke(block.place(track + np.array([[-0.9j], [0.9j]])), 0.5, None, color * 0.86)
    for heap in block.scatter(rng, 3, 0.7):
        for radius, height in ((4.0, 1.2), (2.4, 2.6)):
            mound = block.place(heap + blob(rng, radius, 0.12))
            canvas.fill(mound, Surface.SOIL, color * 1.05, height)
    slab = block.place.at(complex(block.scatter(rng, 1, 0.4)[0]))
    if rng.random() < 0.5:
        canvas.fill(slab(rectangle(30, 22)), Surface.SOIL, color * 0.94, -rng.uniform(1, 4))
    canvas.fill(slab(rectangle(18, 12)), Surface.SOIL, np.multiply(CONCRETE, 1.08), 0.4)
    walls = bars(np.linspace(-8.5, 8.5, 4), 0, 5.5j)
    canvas.stroke(slab(walls), 0.6, None, CONCRETE, 1.6)
    hut = block.place.at(complex(block.length / 2 - 9, block.width / 2 - 7))
    flat_roof(canvas, hut, 9, 4, 3, SHEETS[rng.integers(2)])


def allotments(canvas: Canvas, block: Block) -> None:
    """Strips of vegetable beds with small sheds and grassy paths."""
    rng = canvas.rng
    canvas.fill(block.inside(2), Surface.LAWN, mixed(rng, LAWN, DRY_LAWN))
    long = block.width / 2 - 5
    for x in np.arange(8 - block.length / 2, block.length / 2 - 7, 9.5):
        for y in (-block.width / 4, block.width / 4):
            bed, color = block.place.at(complex(x, y)), vary(rng, BEDS[rng.integers(4)])
            canvas.fill(bed(rectangle(8.6, long)), Surface.CROP, color, 0.2)
            rows = bars(np.arange(-3.6, 4, 1.8), 0, 0.5j * long)
            canvas.stroke(bed(rows), 0.6, None, color * rng.uniform(0.78, 0.88), 0.3)
            if rng.random() < 0.2:
                shed = bed.at(complex(0, rng.uniform(-0.3, 0.3) * long))
                pitched_roof(canvas, shed, 4.5, 3.4, 2.2, vary(rng, TILES[2]))


def pitch(canvas: Canvas, block: Block) -> None:
    """A football pitch with mown stripes and white lines beside a school."""
    rng = canvas.rng
    long, short = min(block.length - 8, 62), min(block.width - 8, 40)
    field = block.place.at(-(block.length - long - 6) / 2)
    for order in range(8):
        stripe = rectangle(long / 8, short, (order - 3.5) / 8 * long)
        canvas.fill(field(stripe), Surface.LAWN, np.multiply(LAWN, 0.95 + 0.1 * (order % 2)))
    goals = (rectangle(8, short / 2, side * (long / 2 - 5.5)) for side in (-1, 1))
    circle = 5 * np.exp(1j * np.linspace(0, 6.1, 20))
    middle = bars(0, 0, 0.5j * (short - 3))[0]
    for line in (rectangle(long - 3, short - 3), *goals, circle, middle):
        canvas.stroke(field(line), 0.35, None, CHALK, closed=True)
    spare = block.length - long - 10
    if spare > 8:
        school = block.place.at((block.length - spare - 4) / 2, np.pi / 2)
        deck = vary(rng, DECKS[1])
        flat_roof(canvas, school, block.width - 8, min(spare, 16), rng.uniform(8, 12), deck, 5)


BLOCKS: dict[str, Callable[[Canvas, Block], None]] = {
    "houses": houses,
    "slabs": slabs,
    "courtyard": courtyard,
    "halls": halls,
    "park": park,
    "plot": plot,
    "allotments": allotments,
    "pitch": pitch,
}
