"""How many crops a second tiles become, from PNG files and from the raw cache."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rdepth_keras.arrays import Tiles
from rdepth_keras.data import png
from rdepth_keras.data.cache import cached
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.pipeline import training_batches
from rdepth_keras.data.transforms import RandomCrop
from rdepth_keras.depth.normalise import quantise
from rdepth_keras.experiment import Augmentation
from rdepth_keras.labels import LOVEDA

CROP = 512


def measure_inputs(folder: Path, loveda: Path | None, count: int, rounds: int, seconds: float):
    """Crops a second of both sources, in turns, and of the pipeline with more workers.

    ``augmented`` is the pipeline with all of the paper's augmentations.
    """
    pngs = write_tiles(folder, loveda, count)
    sources = {"png": pngs, "cache": cached(pngs, folder / "cache")}
    one_core = dict.fromkeys(sources, 0.0)
    for _ in range(rounds):
        for name, tiles in sources.items():
            one_core[name] = max(one_core[name], crops_a_second(tiles, seconds))
    found: dict[str, Any] = {"one_core": one_core, "ratio": one_core["cache"] / one_core["png"]}
    chains = {"pipeline": [RandomCrop(CROP)], "augmented": Augmentation().transforms(CROP)}
    for chain, transforms in chains.items():
        found[chain] = {
            str(workers): {
                name: batched_rate(tiles, transforms, workers, seconds)
                for name, tiles in sources.items()
            }
            for workers in dict.fromkeys((1, 2, 4, os.cpu_count() or 1))
        }
    return found


def inputs_table(found: dict[str, Any]) -> str:
    """The result of :func:`measure_inputs` in words."""
    lines = [f"data: crops of {CROP} x {CROP} a second{'PNG':>9} {'cache':>9}"]
    lines.append(_line("crop alone, one core", found["one_core"]))
    for chain, title in (("pipeline", "crop"), ("augmented", "all augmentations")):
        for workers, rates in found[chain].items():
            lines.append(_line(f"{title}, {workers} workers", rates))
    return "\n".join([*lines, f"{'cache / PNG, one core':32} {found['ratio']:18.1f}"])


def _line(title: str, rates: dict[str, float]) -> str:
    return f"{title:32} {rates['png']:8.1f} {rates['cache']:9.1f}"


def write_tiles(folder: Path, loveda: Path | None, count: int) -> Tiles:
    """A folder dataset of the tiles, stored as ``scripts/prepare.py`` stores them.

    Tiles of LoveDA as published, or of noise over smooth surfaces where there is none.
    """
    rng = np.random.default_rng(0)
    found = sorted((loveda or Path("nowhere")).glob("Train/*/masks_png/*.png"))
    for number in range(count):
        surface = cv2.resize(rng.random((9, 9)), (1024, 1024), interpolation=cv2.INTER_CUBIC)
        if found:
            path = found[number * len(found) // count % len(found)]
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
    crop, rng = RandomCrop(CROP), np.random.default_rng(0)
    cv2.setNumThreads(1)
    crop.random_map(tiles[0], rng)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        crop.random_map(tiles[count % len(tiles)], rng)
        count += 1
    return count / spent


def batched_rate(tiles: Tiles, transforms: Sequence[Any], workers: int, seconds: float) -> float:
    """Crops a second of the training pipeline; batches made ahead are not counted."""
    batches = training_batches([tiles], transforms, batch_size=4, seed=0, workers=workers)
    for _ in range(8):
        next(batches)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        count += len(next(batches)["id"])
    return count / spent
