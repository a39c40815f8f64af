"""Writes `dummy_data/`: made-up tiles in the published folder layout, a few kilobytes in all.

    python datasets/loveda_rdepth/make_dummy_data.py [FOLDER]

Nothing in them is LoveDA. Test has no masks, as published; depth is the height of made-up boxes
on a slope, 16-bit in one domain and 8-bit in the other.
"""

import sys
from pathlib import Path

import numpy as np

from rdepth_keras.data import png

SIDE = 48  # pixels
FOLDERS = {  # (split, domain): first id, tiles, labelled
    ("Train", "Urban"): (1366, 3, True),
    ("Train", "Rural"): (0, 3, True),
    ("Val", "Urban"): (3514, 2, True),
    ("Val", "Rural"): (2522, 2, True),
    ("Test", "Urban"): (5167, 1, False),
    ("Test", "Rural"): (4191, 1, False),
}
PALETTE = np.array(
    [
        (0, 0, 0),  # no-data
        (150, 140, 120),
        (190, 90, 80),
        (110, 110, 115),
        (50, 80, 110),
        (200, 180, 140),
        (40, 90, 45),
        (130, 160, 70),
    ],
    np.uint8,
)


def make_tile(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes of random classes: RGB image, mask 0..7 and height 0..1."""
    mask = np.full((SIDE, SIDE), random.integers(1, 8), np.uint8)
    height = np.zeros((SIDE, SIDE))
    for _ in range(6):
        top, left = random.integers(0, SIDE - 8, 2)
        rows, columns = random.integers(6, 20, 2)
        box = np.s_[top : top + rows, left : left + columns]
        mask[box] = random.integers(0, 8)
        height[box] = random.uniform()
    slope = np.linspace(0, 1, SIDE)[:, None]
    noise = random.integers(-12, 13, (SIDE, SIDE, 3))
    image = np.clip(PALETTE[mask].astype(int) + noise, 0, 255).astype(np.uint8)
    return image, mask, 0.6 * height + 0.4 * slope


def write(root: Path, seed: int = 0) -> None:
    """The whole tree under ``root``."""
    random = np.random.default_rng(seed)
    for (split, domain), (first, count, labelled) in FOLDERS.items():
        dtype = np.uint16 if domain == "Urban" else np.uint8
        for number in range(first, first + count):
            image, mask, height = make_tile(random)
            depth = (height * np.iinfo(dtype).max).astype(dtype)
            kinds = {"images_png": image, "depths_png": depth}
            kinds |= {"masks_png": mask} if labelled else {}
            for kind, pixels in kinds.items():
                path = root / split / domain / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(png.encode(pixels))


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "dummy_data")
