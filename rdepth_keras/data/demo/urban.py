"""Urban demo scenes: turned blocks of many kinds between streets, sometimes along a canal."""

from itertools import pairwise

import numpy as np

from rdepth_keras.data.demo.blocks import (
    ASPHALT,
    BLOCKS,
    CARS,
    CHALK,
    LEAVES,
    PAVING,
    TREE_RADIUS_METRES,
    WATER,
    Block,
)
from rdepth_keras.data.demo.building import parked_car
from rdepth_keras.data.demo.canvas import Canvas, Frame, Surface, bars, rectangle, vary

COMMON = {"houses": 0.32, "slabs": 0.24, "courtyard": 0.2, "halls": 0.15, "pitch": 0.09}
CANAL_METRES, AVENUE_METRES = 27.0, 11.5  # between the blocks at both sides


def draw_city(canvas: Canvas, wanted: list[str], canal: bool) -> None:
    """Fill the board with streets and blocks; the ``wanted`` kinds go to the middle of it."""
    rng = canvas.rng
    canvas.cover(Surface.ASPHALT, vary(rng, ASPHALT))
    city = Frame(turn=complex(np.exp(1j * rng.uniform(0, np.pi))))
    columns = divide(canvas, (72, 104), (6, 7.5), CANAL_METRES if canal else AVENUE_METRES)
    rows = divide(canvas, (50, 74), (5.5, 7), None)
    mark_streets(canvas, city, columns, rows)
    blocks = [block_between(city, column, row) for column in columns for row in rows]
    blocks = [b for b in blocks if canvas.sees(b.place.origin, (b.length + b.width) / 2.6)]
    blocks.sort(key=lambda block: abs(block.place.origin))
    kinds = rng.choice(list(COMMON), size=len(blocks), p=list(COMMON.values())).tolist()
    kinds[: len(wanted)] = rng.permutation(wanted).tolist()
    for block, kind in zip(blocks, kinds, strict=False):
        draw_block(canvas, block, kind)
    if canal:
        draw_canal(canvas, city, columns, rows)


def divide(
    canvas: Canvas,
    block_metres: tuple[float, float],
    street_metres: tuple[float, float],
    middle_gap_metres: float | None,
) -> np.ndarray:
    """Intervals (n, 2) of blocks along one axis; the gap nearest zero may be wider than others."""
    rng = canvas.rng
    reach = 1.5 * canvas.reach_metres + block_metres[1]
    intervals, end = [], -reach - rng.uniform(0, block_metres[0])
    while end < reach:
        start = end + rng.uniform(*street_metres)
        end = start + rng.uniform(*block_metres)
        intervals.append((start, end))
    intervals = np.array(intervals)
    if middle_gap_metres is not None:
        after = max(1, int(np.argmin(np.abs(intervals[:, 0]))))
        gap = intervals[after, 0] - intervals[after - 1, 1]
        intervals[after:] += middle_gap_metres - gap
    return intervals


def block_between(city: Frame, column: np.ndarray, row: np.ndarray) -> Block:
    """The block of one column and one row of the street grid."""
    middle = complex(column.mean(), row.mean())
    length, width = float(np.ptp(column)), float(np.ptp(row))
    if length >= width:
        return Block(city.at(middle), length, width)
    return Block(city.at(middle, np.pi / 2), width, length)


def draw_block(canvas: Canvas, block: Block, kind: str) -> None:
    """A pavement, what the block holds, and perhaps a row of trees along the streets."""
    rng = canvas.rng
    outline = rectangle(block.length, block.width)
    canvas.fill(block.place(outline), Surface.PAVING, vary(rng, PAVING))
    BLOCKS[kind](canvas, block)
    if rng.random() < 0.55:
        x = np.arange(-block.length / 2 + 4, block.length / 2 - 3, 8.0)
        x = np.concatenate([x - 0.5j * block.width, x + 0.5j * block.width]) * 0.97
        canvas.plant(block.place(x[rng.random(len(x)) < 0.9]), TREE_RADIUS_METRES, LEAVES, 2.0)


def mark_streets(canvas: Canvas, city: Frame, columns: np.ndarray, rows: np.ndarray) -> None:
    """Mark all streets, from crossing to crossing."""
    turned = city.at(0j, np.pi / 2)
    for axis, sign, cuts, sides in ((city, 1, rows, columns), (turned, -1, columns, rows)):
        for (_, left), (right, _) in pairwise(cuts):
            for start, end in sides:
                street = axis.at(complex(start, sign * (left + right) / 2))
                if canvas.sees(street((end - start) / 2), (end - start) / 2):
                    mark_street(canvas, street, end - start, right - left)


def mark_street(canvas: Canvas, street: Frame, length: float, width: float) -> None:
    """The centre line, the zebra crossings and the cars of a street; x runs along its middle."""
    rng = canvas.rng
    dashes = bars(np.arange(6.0, length - 5, 6.0), 0, 1.3)
    canvas.stroke(street(dashes), 0.3, None, CHALK)
    stripes = np.arange(-width / 2 + 0.8, width / 2, 1.3)
    zebra = np.concatenate([bars(x, stripes, 1.1) for x in (1.7, length - 1.7)])
    canvas.stroke(street(zebra), 0.55, None, CHALK)
    for _ in range(rng.poisson(length * width / 230)):
        place = street.at(complex(rng.uniform(5, length - 5), rng.choice((-1, 1)) * width / 4))
        parked_car(canvas, place, Surface.ASPHALT, CARS[rng.integers(len(CARS))])


def draw_canal(canvas: Canvas, city: Frame, columns: np.ndarray, rows: np.ndarray) -> None:
    """A canal with stone quays, tree rows and bridges in the widest gap of the columns."""
    rng = canvas.rng
    gap = int(np.argmax(columns[1:, 0] - columns[:-1, 1]))
    bank = city.at((columns[gap, 1] + columns[gap + 1, 0]) / 2, np.pi / 2)
    reach = 1.6 * canvas.reach_metres
    canvas.fill(bank(rectangle(2 * reach, 22)), Surface.PAVING, vary(rng, PAVING))
    canvas.fill(bank(rectangle(2 * reach, 16.5)), Surface.WATER, np.multiply(WATER, 0.8), -2)
    canvas.fill(bank(rectangle(2 * reach, 15)), Surface.WATER, vary(rng, WATER), -2)
    for (_, left), (right, _) in pairwise(rows):
        bridge, width = bank.at((left + right) / 2), right - left
        canvas.fill(bridge(rectangle(width + 1.6, 23)), Surface.ASPHALT, CHALK, 1.0)
        canvas.fill(bridge(rectangle(width, 29)), Surface.ASPHALT, vary(rng, ASPHALT), 0.3)
    for side in (-9.6j, 9.6j):
        stations = bank(np.arange(-reach, reach, 8.0) + side)
        canvas.plant(stations, TREE_RADIUS_METRES, LEAVES, 2.2)
