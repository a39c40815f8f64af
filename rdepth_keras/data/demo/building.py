"""Buildings of the demo scenes, roof by roof, each face lit by the scene's sun."""

import numpy as np

from rdepth_keras.data.demo.canvas import Canvas, Color, Frame, Surface, bars, rectangle, vary

SHEET_PITCH_RADIANS = 0.14


def pitched_roof(
    canvas: Canvas,
    place: Frame,
    length_metres: float,
    width_metres: float,
    eaves_metres: float,
    color: Color,
    hipped: bool = False,
    pitch_radians: float = 0.6,
) -> None:
    """A gabled or hipped roof with its ridge along x; a face has the height of its middle."""
    half, depth = length_metres / 2, width_metres / 2
    ridge = half - (0.9 * depth if hipped else 0.0)
    corners, top = rectangle(length_metres, width_metres), np.array([-ridge + 0j, ridge])
    faces = [(corners[[0, 1]], top[::-1], -1j), (corners[[2, 3]], top, 1j)]
    if hipped:
        faces += [(corners[[1, 2]], top[1:], 1 + 0j), (corners[[3, 0]], top[:1], -1 + 0j)]
    color, rise = np.asarray(color), depth * np.tan(pitch_radians)
    for low, high, downhill in faces:
        shade = canvas.sun.shade(place.turn * downhill, pitch_radians)
        face = place(np.concatenate([low, high]))
        canvas.fill(face, Surface.ROOF, color * shade, eaves_metres + rise / 2)
    canvas.stroke(place(top), 0.4, None, color * 1.12, eaves_metres + rise)


def flat_roof(
    canvas: Canvas,
    place: Frame,
    length_metres: float,
    width_metres: float,
    height_metres: float,
    color: Color,
    boxes: int = 0,
) -> None:
    """A flat roof with a pale parapet and ``boxes`` stair heads or machines on it."""
    rng, rim = canvas.rng, np.minimum(np.asarray(color) * 1.14, 0.95)
    outline = rectangle(length_metres, width_metres)
    canvas.fill(place(outline), Surface.ROOF, rim, height_metres + 0.6)
    inner = rectangle(length_metres - 1.2, width_metres - 1.2)
    canvas.fill(place(inner), Surface.ROOF, color, height_metres)
    for _ in range(boxes):
        along, across = rng.uniform(-0.4, 0.4, 2)
        middle = complex(along * (length_metres - 4), across * (width_metres - 4))
        box = rectangle(rng.uniform(2, 4.5), rng.uniform(2, 3.5), middle)
        tone = rim * rng.uniform(0.85, 1.08)
        canvas.fill(place(box), Surface.ROOF, tone, height_metres + rng.uniform(1.5, 3))


def sheet_roof(
    canvas: Canvas,
    place: Frame,
    length_metres: float,
    width_metres: float,
    height_metres: float,
    color: Color,
) -> None:
    """A long, flatly pitched roof of ribbed sheet metal with two rows of skylights."""
    color, pitch = np.asarray(color), SHEET_PITCH_RADIANS
    pitched_roof(
        canvas, place, length_metres, width_metres, height_metres, color, pitch_radians=pitch
    )
    x = np.arange(-length_metres / 2 + 2.5, length_metres / 2 - 1, 2.5)
    top = height_metres + width_metres / 4 * np.tan(pitch)
    ribs = bars(x, 0, 0.5j * width_metres)
    canvas.stroke(place(ribs), 0.3, None, color * 0.88, top)
    panes = np.concatenate([bars(x[1::3] + 1.25, s * width_metres / 4, 1j) for s in (-1, 1)])
    if len(panes):
        canvas.stroke(place(panes), 0.9, None, np.minimum(color * 1.3, 0.95), top)


def parked_car(canvas: Canvas, place: Frame, surface: Surface, color: Color) -> None:
    """A car with a dark windscreen; it is labelled as the ground that it stands on."""
    if canvas.sees(place.origin):
        canvas.fill(place(rectangle(4.4, 1.9)), surface, vary(canvas.rng, color, 0.08), 1.4)
        canvas.fill(place(rectangle(1.0, 1.6, 0.7)), surface, (0.2, 0.23, 0.27), 1.4)
