"""Tiles that a page and a gallery show, and what is predicted of them."""

import numpy as np


def make_tiles(count=5, side=24):
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 7, (4, 4)).astype(np.uint8)
        label = coarse.repeat(side // 4, 0).repeat(side // 4, 1)
        label[:3] = 255
        yield {
            "id": 30 + number,
            "image": rng.integers(0, 256, (side, side, 3)).astype(np.uint8),
            "depth": rng.random((side, side, 1)).astype(np.float32),
            "label": label,
        }


def predict(tile):
    """Wrong in as many columns as the tile's number says."""
    said = tile["label"] % 255
    said[:, : 4 * (tile["id"] - 30)] = 0
    probabilities = np.full((*said.shape, 7), 0.02, np.float32)
    np.put_along_axis(probabilities, said[..., None].astype(int), 0.88, -1)
    return probabilities
