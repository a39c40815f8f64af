"""Trees of the demo scenes: crowns are domes, each pixel belongs to the nearest stem."""

import cv2
import numpy as np

from rdepth_keras.data.demo.canvas import Canvas, Color, Surface

TREELESS = (Surface.ROOF, Surface.ASPHALT, Surface.TRACK, Surface.WATER, Surface.SOIL)


def afforest(
    canvas: Canvas,
    spacing_metres: float,
    radius_metres: tuple[float, float],
    color: Color,
    tall: float,
) -> None:
    """Plant a loose grid of trees wherever the board shows :attr:`Surface.WOOD`."""
    steps = np.arange(-canvas.reach_metres, canvas.reach_metres, spacing_metres)
    grid = (steps[None, :] + 1j * steps[:, None]).ravel()
    shift = canvas.rng.uniform(-0.45, 0.45, (2, grid.size)) * spacing_metres
    points = grid + shift[0] + 1j * shift[1]
    canvas.plant(points[canvas.shows(points) == Surface.WOOD], radius_metres, color, tall)


def grow(canvas: Canvas, roughness: np.ndarray) -> None:
    """Paint all planted trees onto the board where they overtop what stands there.

    ``roughness`` (n, n), of mean 0, roughens the outline and the leaves of the crowns.
    """
    trees = np.concatenate([np.zeros((0, 7), np.float32), *canvas.trees])
    stands = ~np.isin(canvas.shows(trees[:, 0] + 1j * trees[:, 1]), TREELESS)
    if not stands.any():
        return
    trees = trees[stands]
    columns, rows = canvas.locate(trees[:, 0] + 1j * trees[:, 1])
    distance, tree = nearest_stem(columns, rows, canvas.surface.shape)
    radius_pixels = trees[:, 2] * np.float32(canvas.pixels_per_metre)
    pixels = np.flatnonzero(distance < radius_pixels.max() * 1.2)
    tree, leaves = tree.ravel()[pixels], roughness.ravel()[pixels]
    across = distance.ravel()[pixels] / radius_pixels[tree] * (1 + np.float32(0.18) * leaves)
    height = trees[tree, 3] * (0.45 + 0.55 * np.sqrt(np.maximum(1 - across * across, 0)))
    paint = canvas.paint.reshape(-1, 4)
    seen = np.flatnonzero((across < 1) & (height > paint[pixels, 3]))
    pixels, tree, across, leaves = pixels[seen], tree[seen], across[seen], leaves[seen]
    bearing = np.complex64(canvas.sun.bearing)
    board = len(canvas.surface)
    sunward = (pixels % board - columns[tree]).astype(np.float32) * bearing.real
    sunward += (pixels // board - rows[tree]).astype(np.float32) * bearing.imag
    shade = 1 + 0.38 * sunward / radius_pixels[tree] - 0.22 * across * across + 0.13 * leaves
    crowns = np.empty((len(pixels), 4), np.float32)
    crowns[:, :3] = trees[tree, 4:] * shade[:, None]
    crowns[:, 3] = height[seen]
    paint[pixels] = crowns
    canvas.surface.ravel()[pixels] = Surface.WOOD


def nearest_stem(
    columns: np.ndarray, rows: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Distance in pixels to the nearest stem, and that stem's number, for each pixel."""
    stems = np.ones(shape, np.uint8)
    stems[rows, columns] = 0
    distance, nearest = cv2.distanceTransformWithLabels(
        stems, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = nearest.astype(np.intp)
    number = np.zeros(len(columns) + 1, np.intp)
    number[nearest[rows, columns]] = np.arange(len(columns))
    return distance, number[nearest]
