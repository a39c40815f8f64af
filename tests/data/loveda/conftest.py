"""The dummy tiles, prepared once for all tests here, and a small tree of made-up files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png

ROOT = Path(__file__).parents[3]
DUMMY = ROOT / "datasets/loveda_rdepth/dummy_data"


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """What scripts/prepare.py makes of them; read it, but change nothing in it."""
    folder = tmp_path_factory.mktemp("prepared")
    command = [sys.executable, ROOT / "scripts/prepare.py", "--config", "depths_png"]
    subprocess.run(
        [*command, "--manual_dir", DUMMY, "--data_dir", folder],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


@pytest.fixture
def root(tmp_path) -> Path:
    """Train/Urban with three labelled tiles and depth, Test/Rural with one unlabelled tile."""
    random = np.random.default_rng(0)

    def write(path: Path, pixels: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png.encode(pixels))

    for number in (1366, 1367, 12):
        folder = tmp_path / "Train/Urban"
        image = random.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        write(folder / f"images_png/{number}.png", image)
        write(folder / f"masks_png/{number}.png", random.integers(0, 8, (8, 10), dtype=np.uint8))
        depth = random.integers(0, 65536, (8, 10), dtype=np.uint16)
        write(folder / f"depths_png/{number}.png", depth)
    write(tmp_path / "Test/Rural/images_png/4191.png", np.zeros((8, 10, 3), np.uint8))
    write(tmp_path / "Test/Rural/depths_png/4191.png", np.zeros((8, 10), np.uint8))
    return tmp_path
