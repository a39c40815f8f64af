"""Where the depth of a build comes from: ready-made maps, or an estimator behind a cache."""

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tensorflow_datasets.core.utils import tqdm

from rdepth_keras.data.checks import read_depth, read_image
from rdepth_keras.data.tree import TileFiles
from rdepth_keras.depth.normalise import StoredDepth, quantise
from rdepth_keras.depth.presets import PRESETS

CHUNK = 16  # images of a batch on a GPU, and of a work item under Beam


@dataclass(frozen=True)
class Opening:
    """What a depth source is opened with, in this process or in a worker.

    ``name`` is a config; ``total`` the number of tiles of the whole build, for a forecast.
    """

    name: str
    manual_dir: Path
    cache_dir: Path
    total: int


class DepthSource(Protocol):
    """Gives every tile its depth."""

    def describe(self) -> dict[str, str]:
        """For the record: ``source``, ``licence``, and what else identifies the depth."""
        ...

    def stream(self, tiles: Sequence[TileFiles]) -> Iterator[StoredDepth]:
        """The depth of each tile, in order; as lazy as its caller."""
        ...


class ReadyMade:
    """Maps that lie beside the images in ``depths_png``."""

    def describe(self) -> dict[str, str]:
        return {"source": "depths_png", "licence": "your own"}

    def stream(self, tiles: Sequence[TileFiles]) -> Iterator[StoredDepth]:
        for tile in tiles:
            yield quantise(read_depth(tile, read_image(tile).shape[:2]))


class Estimated:
    """Maps by Depth Anything, each kept in a cache as soon as it is there."""

    def __init__(self, opening: Opening, origin: str, licence: str):
        from rdepth_keras.depth.cache import DepthCache
        from rdepth_keras.depth.estimator import has_gpu, load_estimator

        on_gpu = has_gpu()
        self._name, self._origin, self._licence = opening.name, origin, licence
        self._batch_size = CHUNK if on_gpu else 1
        precision = "mixed_bfloat16" if on_gpu else "float32"
        self._estimator = load_estimator(origin, precision=precision)
        self._cache = DepthCache(opening.cache_dir, self._estimator.fingerprint)
        self._forecast = Forecast(opening.total)

    def describe(self) -> dict[str, str]:
        return {
            "source": self._name,
            "origin": Path(self._origin).name if self._name == "checkpoint" else self._origin,
            "licence": self._licence,
            "fingerprint": self._estimator.fingerprint,
        }

    def stream(self, tiles: Sequence[TileFiles]) -> Iterator[StoredDepth]:
        from rdepth_keras.depth.stream import stream_depth

        readers = [functools.partial(read_image, tile) for tile in tiles]
        depths = stream_depth(self._estimator, self._cache, readers, batch_size=self._batch_size)
        bar = tqdm(depths, desc="Depth...", total=len(tiles), unit=" images")
        for depth in bar:
            self._forecast.count()
            yield depth


class Forecast:
    """Says once, early on, how long the rest will take."""

    def __init__(self, total: int, after_seconds: float = 20.0):
        self._total, self._after_seconds = total, after_seconds
        self._done, self._start = 0, 0.0

    def count(self) -> None:
        """One more image is ready. The first does not count: it waits for the compilation."""
        self._done += 1
        if self._done == 1:
            self._start = time.monotonic()
        elapsed = time.monotonic() - self._start
        if self._done > 1 and elapsed > self._after_seconds:
            rate = (self._done - 1) / elapsed
            minutes = (self._total - self._done) / rate / 60
            print(f"Depth: {rate:.2f} images/s, about {minutes:.0f} min for the rest.")
            self._after_seconds = float("inf")


@functools.cache
def open_source(opening: Opening) -> DepthSource:
    """The depth source behind a config, opened once a process.

    A missing checkpoint or package is an error here, before anything else is done.
    """
    if opening.name == "depths_png":
        return ReadyMade()
    if opening.name == "checkpoint":
        folder = opening.manual_dir / "depth_checkpoint"
        return Estimated(opening, str(folder), "that of the checkpoint")
    preset = PRESETS[opening.name]
    return Estimated(opening, preset.origin, preset.licence)
