"""Light and camera of the demo scenes: a drawn board becomes an image, a depth and a label."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from rdepth_keras.data.demo.canvas import SUPERSAMPLING, Canvas, Sun, Surface
from rdepth_keras.depth.normalise import normalise
from rdepth_keras.labels import LOVEDA


class Material(NamedTuple):
    """The class of a surface, and the contrast of its textures as shares of its brightness."""

    name: str
    fine: float
    coarse: float
    dryness: float  # how much greener and yellower patches differ


MATERIALS = {
    Surface.PAVING: Material("background", 0.04, 0.04, 0.01),
    Surface.LAWN: Material("background", 0.06, 0.05, 0.03),
    Surface.MEADOW: Material("background", 0.07, 0.07, 0.05),
    Surface.ROOF: Material("building", 0.025, 0.02, 0.0),
    Surface.ASPHALT: Material("road", 0.022, 0.025, 0.0),
    Surface.TRACK: Material("road", 0.05, 0.05, 0.01),
    Surface.WATER: Material("water", 0.015, 0.04, 0.02),
    Surface.SOIL: Material("barren", 0.06, 0.05, 0.015),
    Surface.WOOD: Material("forest", 0.08, 0.05, 0.03),
    Surface.CROP: Material("agriculture", 0.055, 0.04, 0.025),
}
CLASS_OF = np.array([LOVEDA.names.index(MATERIALS[s].name) for s in Surface], np.uint8)
FINE = np.array([MATERIALS[s].fine for s in Surface], np.float32)
COARSE = np.array([MATERIALS[s].coarse for s in Surface], np.float32)
DRYNESS = np.array([MATERIALS[s].dryness for s in Surface], np.float32)
SHADOW_EDGE_METRES = 0.8
LUMINANCE = (0.3, 0.6, 0.1)


@dataclass(frozen=True)
class Look:
    """How a camera of one domain sees: colours in 0..1, ``haze`` a share of the haze's colour."""

    sunlight: tuple[float, float, float]
    skylight: tuple[float, float, float]
    haze: float
    haze_color: tuple[float, float, float]
    saturation: float
    blur_pixels: float
    noise: float


def octaves(rng: np.random.Generator, size: int, *cells: int, falloff: float = 0.6) -> np.ndarray:
    """Smooth noise (size, size) of about unit deviation: a sum of grids, the first the strongest.

    ``cells`` are the cells of each grid along a side.
    """
    total = np.zeros((size, size), np.float32)
    power = 0.0
    for order, count in enumerate(cells):
        weight = falloff**order
        method = cv2.INTER_CUBIC if count < size // 8 else cv2.INTER_LINEAR
        grid = rng.standard_normal((count, count), np.float32) * np.float32(weight)
        total += cv2.resize(grid, (size, size), interpolation=method)
        power += weight**2
    return total / np.float32(np.sqrt(0.55 * power))


def cast(height: np.ndarray, sun: Sun, metres_per_pixel: float) -> np.ndarray:
    """The height in metres (n, n) below which each point lies in shadow.

    It is the maximum over the distances t >= 0 towards the sun of height(t) - t * tan(elevation),
    found by doubling t: seven shifts reach 127 pixels.
    """
    ceiling = height
    drop_metres = metres_per_pixel / sun.metres_of_shadow
    x, y = sun.bearing.real, sun.bearing.imag
    for step in (1, 2, 4, 8, 16, 32, 64):
        shift = np.array([[1, 0, step * x], [0, 1, step * y]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        moved = cv2.warpAffine(ceiling, shift, height.shape[::-1], flags=flags, borderValue=-1e3)
        ceiling = np.maximum(ceiling, moved - np.float32(step * drop_metres))
    return ceiling


def direct_light(height: np.ndarray, sun: Sun, metres_per_pixel: float) -> np.ndarray:
    """Share of direct sunlight (n, n) in 0..1 that reaches each point."""
    below_metres = cast(height, sun, metres_per_pixel) - height
    return np.clip(1.3 - below_metres / SHADOW_EDGE_METRES, 0, 1)


def texture(rng: np.random.Generator, color: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """Colour (n, n, 3) with grain, patches, greener and yellower places, and water glints."""
    size = len(surface)
    coarse = octaves(rng, size, 6, 14, 32)
    brightness = FINE[surface] * octaves(rng, size, size, size // 2, size // 4, falloff=0.8)
    brightness += COARSE[surface] * coarse + 1
    dryness = DRYNESS[surface] * octaves(rng, size, 4, 10, 24)
    ripples = rng.standard_normal((size // 2, size // 5), np.float32)
    ripples = cv2.resize(ripples, (size, size), interpolation=cv2.INTER_CUBIC)
    glint = np.clip(ripples + 0.5 * coarse - 1.2, 0, 1) * (surface == Surface.WATER)
    tint = cv2.merge([brightness * (1 + dryness), brightness, brightness * (1 - dryness)])
    return color * tint + np.float32(0.25) * glint[:, :, None]


def photograph(canvas: Canvas, look: Look) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The board as image (size, size, 3) uint8, height (size, size) in metres and label."""
    size = canvas.size
    paint = cv2.resize(canvas.paint, (size, size), interpolation=cv2.INTER_AREA)
    surface = np.ascontiguousarray(canvas.surface[::SUPERSAMPLING, ::SUPERSAMPLING])
    height = np.ascontiguousarray(paint[:, :, 3])
    lit = direct_light(height, canvas.sun, 2 * canvas.reach_metres / size)
    hollow = np.clip(cv2.blur(height, (13, 13)) - height, 0, 6) / 6
    sky = 1 - np.float32(0.45) * hollow
    radiance = [s * lit + a * sky for s, a in zip(look.sunlight, look.skylight, strict=True)]
    color = texture(canvas.rng, paint[:, :, :3], surface) * cv2.merge(radiance)
    return develop(color, look, canvas.rng), height, CLASS_OF[surface]


def develop(color: np.ndarray, look: Look, rng: np.random.Generator) -> np.ndarray:
    """Radiance (n, n, 3) about 0..1 -> uint8, through saturation, haze, blur and sensor noise."""
    matrix = look.saturation * np.eye(3) + (1 - look.saturation) * np.array([LUMINANCE] * 3)
    haze = look.haze * np.array(look.haze_color)
    matrix = np.concatenate([(1 - look.haze) * matrix, haze[:, None]], axis=1)
    color = cv2.transform(color, matrix.astype(np.float32))
    color = cv2.GaussianBlur(color, (5, 5), look.blur_pixels)
    color += look.noise * rng.standard_normal((*color.shape[:2], 1), np.float32)
    return cv2.convertScaleAbs(np.maximum(color, 0, out=color), alpha=255)


def estimate_depth(height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Relative depth (n, n, 1) in [0, 1] as a monocular estimator gives it; larger is nearer.

    Height in metres is blurred and goes through an unknown scale and shift; a tilt, slow drifts
    and grain of the estimator's own are added. Then it is stretched as all stored depth is.
    """
    size = len(height)
    blurred = cv2.GaussianBlur(height, (9, 9), rng.uniform(1.0, 1.7))
    across = np.linspace(-1, 1, size, dtype=np.float32)
    slope = rng.normal(0, 0.12, 2).astype(np.float32)
    own = slope[0] * across[None, :] + slope[1] * across[:, None]
    own += 0.05 * octaves(rng, size, 2, 4) + 0.012 * octaves(rng, size, size // 5, size // 2)
    scale = np.float32(np.exp(rng.uniform(np.log(0.06), np.log(0.16))))
    return normalise(scale * blurred + np.float32(rng.uniform(1, 4)) + own)
