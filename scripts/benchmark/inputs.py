"""How many crops a second tiles become, from PNG files and from the raw cache, and what each costs.

Batches are drawn from the tiles repeated to about LoveDA's number: Grain finds a place in its
shuffled order by walking through 65536 numbers until one is below the count, which of a dozen
takes longer than the crop.
"""

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from rdepth_keras.arrays import Tile, Tiles
from rdepth_keras.data import png
from rdepth_keras.data.cache import cached
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.pipeline import stack, training_batches
from rdepth_keras.data.transforms import RandomCrop
from rdepth_keras.depth.normalise import quantise
from rdepth_keras.experiment import Augmentation
from rdepth_keras.labels import LOVEDA

CROP = 512
MANY = 2000  # tiles, about as many as a direction of LoveDA has


def measure_inputs(folder: Path, loveda: Path | None, count: int, rounds: int, seconds: float):
    """Crops a second of both sources, in turns, and of the pipeline with more workers.

    ``augmented`` is the pipeline with all of the paper's augmentations.
    """
    masks = find_masks(loveda)
    of = (
        f"LoveDA, {min(count, len(masks))} different ones"
        if masks
        else "noise over smooth surfaces"
    )
    pngs = write_tiles(folder, masks, count)
    sources = {"png": pngs, "cache": cached(pngs, folder / "cache")}
    one_core = dict.fromkeys(sources, 0.0)
    for _ in range(rounds):
        for name, tiles in sources.items():
            one_core[name] = max(one_core[name], crops_a_second(tiles, seconds))
    ratio = one_core["cache"] / one_core["png"]
    found: dict[str, Any] = {"tiles": of, "one_core": one_core, "ratio": ratio}
    chains = {"pipeline": [RandomCrop(CROP)], "augmented": Augmentation().transforms(CROP)}
    for chain, transforms in chains.items():
        found[chain] = {
            str(workers): {
                name: batched_rate(tiles, transforms, workers, seconds)
                for name, tiles in sources.items()
            }
            for workers in dict.fromkeys((1, 2, 4, os.cpu_count() or 1))
        }
    found["milliseconds"] = costs(sources["cache"], chains["augmented"])
    return found


def inputs_table(found: dict[str, Any]) -> str:
    """The result of :func:`measure_inputs` in words."""
    lines = [
        f"tiles: {found['tiles']}",
        f"data: crops of {CROP} x {CROP} a second{'PNG':>9} {'cache':>9}",
    ]
    lines.append(_line("crop alone, one core", found["one_core"]))
    for chain, title in (("pipeline", "crop"), ("augmented", "all augmentations")):
        for workers, rates in found[chain].items():
            lines.append(_line(f"{title}, {workers} workers", rates))
    lines.append(f"{'cache / PNG, one core':32} {found['ratio']:18.1f}")
    spent = found["milliseconds"]
    whole = sum(spent.values())
    lines.append(f"an example with all augmentations, from the cache, one core: {whole:.2f} ms")
    lines += [f"  {part:30} {cost:8.2f} ms {cost / whole:8.0%}" for part, cost in spent.items()]
    return "\n".join(lines)


def _line(title: str, rates: dict[str, float]) -> str:
    return f"{title:32} {rates['png']:8.1f} {rates['cache']:9.1f}"


def find_masks(loveda: Path | None) -> list[Path]:
    """Those of LoveDA, unpacked; none where none is asked for.

    Raises FileNotFoundError where there are none in the folder that is asked for.
    """
    masks = "Train/*/masks_png/*.png"
    found = [] if loveda is None else sorted(loveda.glob(masks))
    if loveda is not None and not found:
        raise FileNotFoundError(f"--loveda {loveda} holds no {masks}; leave it away for noise.")
    return found


def write_tiles(folder: Path, found: Sequence[Path], count: int) -> Tiles:
    """A folder dataset of the tiles, stored as ``scripts/prepare.py`` stores them.

    Tiles of LoveDA as published, by their masks, or of noise over smooth surfaces without any.
    """
    rng = np.random.default_rng(0)
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
    """Batches of one crop made one after the other, by one thread."""
    crop, rng = RandomCrop(CROP), np.random.default_rng(0)
    cv2.setNumThreads(1)
    stack([crop.random_map(tiles[0], rng)], 1)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        stack([crop.random_map(tiles[count % len(tiles)], rng)], 1)
        count += 1
    return count / spent


@dataclass(frozen=True)
class _Many:
    """The same tiles again and again, so that an epoch is as long as one of LoveDA."""

    tiles: Tiles

    @property
    def labelled(self) -> bool:
        return self.tiles.labelled

    def __len__(self) -> int:
        return MANY

    def __getitem__(self, index: int) -> Tile:
        return self.tiles[index % len(self.tiles)]


def batched_rate(tiles: Tiles, transforms: Sequence[Any], workers: int, seconds: float) -> float:
    """Crops a second of the training pipeline; batches made ahead are not counted."""
    batches = training_batches([_Many(tiles)], transforms, batch_size=4, seed=0, workers=workers)
    for _ in range(8):
        next(batches)
    start, count = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        count += len(next(batches)["id"])
    return count / spent


def costs(
    tiles: Tiles, transforms: Sequence[Any], examples: int = 96, rounds: int = 9
) -> dict[str, float]:
    """Mean milliseconds of an example's parts, of each the median of several equal rounds.

    Not the best: rates are means over seconds, in which others use the machine as well.
    """
    spent = [defaultdict[str, list[float]](list) for _ in range(examples)]
    for number, parts in enumerate(spent * rounds):
        tile, rng = tiles[number % examples % len(tiles)], np.random.default_rng(number % examples)
        for transform in transforms:
            start = time.perf_counter()
            tile = transform.random_map(tile, rng)
            parts[type(transform).__name__].append(time.perf_counter() - start)
        start = time.perf_counter()
        stack([tile], 1)
        parts["copy into the batch"].append(time.perf_counter() - start)
    return {part: 1e3 * sum(median(parts[part]) for parts in spent) / examples for part in spent[0]}
