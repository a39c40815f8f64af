"""Measures what the package promises about speed; nothing else should run meanwhile.

    python scripts/bench.py depth --reference PYTHON
    python scripts/bench.py data --loveda DIR
    python scripts/bench.py networks

``depth``: seconds an image for Depth Anything ViT-S at 518 x 518, random weights; with
``--reference``, a Python that has PyTorch and transformers, in turns with theirs.

``data``: 512 x 512 crops a second on one core, from 1024 x 1024 PNG tiles and from the raw cache of
the same tiles, in memory, and what more worker threads give. Tiles of LoveDA, or of noise over
smooth surfaces where there is none. Depth is smooth: no estimator runs here.

``networks``: parameters and multiply-adds of every network, as docs/networks.md has them; counted
from shapes, nothing is computed.
"""

import rdepth_keras.interrupts  # noqa: F401  # isort: skip

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
import tyro

from rdepth_keras.arrays import Tiles
from rdepth_keras.command import guarded, parse
from rdepth_keras.data import png
from rdepth_keras.data.cache import cached
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.pipeline import training_batches
from rdepth_keras.data.transforms import RandomCrop
from rdepth_keras.depth.normalise import quantise
from rdepth_keras.labels import LOVEDA

REFERENCE = Path(__file__).resolve().parents[1] / "tests" / "depth" / "time_reference.py"
SIDE = 518


@dataclass(frozen=True)
class Arguments:
    what: Annotated[Literal["depth", "data", "networks"], tyro.conf.Positional]
    reference: str | None = None
    """A Python with PyTorch and transformers, to compare with."""
    rounds: int = 3
    """How often the two take turns; the fastest image of all rounds counts."""
    images: int = 4
    """Images a round."""
    loveda: Path | None = None
    """LoveDA as published: its tiles are copied to a temporary folder for ``data``."""
    tiles: int = 12
    """Tiles of ``data``."""
    seconds: float = 5.0
    """Time of each measurement of ``data``."""


def time_depth(images: int) -> list[float]:
    """Seconds of each image, after one that compiles."""
    estimator = _vit_small()
    pixels = np.random.default_rng(0).standard_normal((1, SIDE, SIDE, 3)).astype(np.float32)
    estimator.estimate(pixels, (SIDE, SIDE))
    seconds = []
    for _ in range(images):
        start = time.perf_counter()
        estimator.estimate(pixels, (SIDE, SIDE))
        seconds.append(time.perf_counter() - start)
    return seconds


def _vit_small():
    from rdepth_keras.depth.estimator import DepthEstimator, build_backbone

    return DepthEstimator(
        build_backbone(
            {
                "backbone_config": {
                    "hidden_size": 384,
                    "num_attention_heads": 6,
                    "image_size": SIDE,
                    "out_indices": [9, 10, 11, 12],
                }
            }
        )
    )


def bench_data(arguments: Arguments) -> None:
    """Prints crops a second of both sources, in turns, and with more workers."""
    with tempfile.TemporaryDirectory() as folder:
        pngs = write_tiles(Path(folder), arguments)
        sources = {"PNG": pngs, "cache": cached(pngs, Path(folder) / "cache")}
        rates = dict.fromkeys(sources, 0.0)
        for _ in range(arguments.rounds):
            for name, tiles in sources.items():
                rates[name] = max(rates[name], crops_a_second(tiles, arguments.seconds))
        for name, rate in rates.items():
            print(f"{name:6} {rate:8.1f} crops/s on one core")
        print(f"ratio  {rates['cache'] / rates['PNG']:8.1f}")
        for workers in dict.fromkeys((1, 2, 4, os.cpu_count() or 1)):
            found = (batched_rate(tiles, workers, arguments.seconds) for tiles in sources.values())
            shown = "  ".join(f"{n} {r:7.1f}" for n, r in zip(sources, found, strict=True))
            print(f"pipeline, {workers} workers: {shown} crops/s")


def write_tiles(folder: Path, arguments: Arguments) -> Tiles:
    """A folder dataset of the tiles, stored as ``scripts/prepare.py`` stores them."""
    rng = np.random.default_rng(0)
    found = sorted((arguments.loveda or Path("nowhere")).glob("Train/*/masks_png/*.png"))
    for number in range(arguments.tiles):
        surface = cv2.resize(rng.random((9, 9)), (1024, 1024), interpolation=cv2.INTER_CUBIC)
        if found:
            path = found[number * len(found) // arguments.tiles % len(found)]
            image = (path.parents[1] / "images_png" / path.name).read_bytes()
            mask = path.read_bytes()
        else:
            image = png.encode((64 * surface[..., None] + rng.integers(0, 96, 3)).astype("u1"))
            mask = png.encode((1 + 6 * np.clip(surface, 0, 1)).astype(np.uint8))
        kinds = {"images": image, "masks": mask, "depths": png.encode(quantise(surface).values)}
        for kind, data in kinds.items():
            place = folder / "train" / "A" / kind / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    return open_folder(folder, LOVEDA, with_depth=True).tiles("train", "A")


def crops_a_second(tiles: Tiles, seconds: float) -> float:
    """Crops made one after the other, by one thread."""
    crop, rng = RandomCrop(512), np.random.default_rng(0)
    cv2.setNumThreads(1)
    crop.random_map(tiles[0], rng)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        crop.random_map(tiles[count % len(tiles)], rng)
        count += 1
    return count / spent


def batched_rate(tiles: Tiles, workers: int, seconds: float) -> float:
    """Crops a second of the training pipeline; batches made ahead are not counted."""
    batches = training_batches([tiles], [RandomCrop(512)], batch_size=4, seed=0, workers=workers)
    for _ in range(8):
        next(batches)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        count += len(next(batches)["id"])
    return count / spent


def bench_networks(_: Arguments) -> None:
    """Prints a line for each network."""
    from rdepth_keras.counting import count
    from rdepth_keras.models import MODELS

    print("network               parameters (M)  multiply-adds at 512 x 512 (G)")
    for name in MODELS:
        counts = count(name)
        print(f"{name:22} {counts.parameters / 1e6:13.2f} {counts.multiply_adds / 1e9:31.1f}")


def bench_depth(arguments: Arguments) -> None:
    """Prints seconds an image, ours and PyTorch's."""
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours += time_depth(arguments.images)
        if arguments.reference:
            command = [arguments.reference, str(REFERENCE), str(arguments.images)]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs += [float(word) for word in said.split()]
    print(f"ours       {min(ours):.2f} s an image (median {np.median(ours):.2f})")
    if theirs:
        print(f"PyTorch    {min(theirs):.2f} s an image (median {np.median(theirs):.2f})")
        print(f"ratio      {min(ours) / min(theirs):.2f}")


def main() -> int:
    arguments = parse(Arguments)
    benches = {"depth": bench_depth, "data": bench_data, "networks": bench_networks}
    benches[arguments.what](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
