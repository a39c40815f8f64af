"""No label of the target reaches a training, whatever the method."""

from dataclasses import dataclass

import numpy as np
import pytest

from rdepth_keras.adapt import METHODS, SourceOnly
from rdepth_keras.arrays import Tile
from rdepth_keras.assembly import domain_batches, training_sources
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.demo.tiles import DemoTiles
from rdepth_keras.experiment import Choice
from rdepth_keras.labels import IGNORE
from rdepth_keras.recipes import recipe


@dataclass(frozen=True)
class Watched:
    """Tiles that write down that they were read."""

    tiles: DemoTiles
    read: list
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, index: int) -> Tile:
        self.read.append((self.tiles.split, self.tiles.domain))
        return self.tiles[index]


@dataclass(frozen=True)
class Adapting(SourceOnly):
    """Any method that asks for the target."""

    @property
    def uses_target(self) -> bool:
        return True


def batches_of(method, selection="last"):
    read: list = []
    small = {"crop": 32, "batch_size": 2, "choice": Choice(selection, validation_steps=1)}
    experiment = recipe("demo").changed(method=method, training=small)

    def tiles(split, domain):
        return Watched(DemoTiles(domain, split, count=3, size=64), read)

    sources = training_sources(experiment, Opened({}, tiles))
    return domain_batches(experiment, sources, print), read


@pytest.mark.parametrize("method", [kind() for kind in METHODS.values()], ids=list(METHODS))
@pytest.mark.parametrize("selection", ["last", "best"])
def test_the_target_is_read_only_by_methods_that_adapt(method, selection):
    batches, read = batches_of(method, selection)
    for _ in range(6):
        for part in batches.values():
            next(part)
    domains = {domain for _, domain in read}
    assert domains == ({"rural", "urban"} if method.uses_target else {"rural"})
    assert ("val", "rural") not in read or selection == "last", "Val chooses, so it must not train"


def test_an_adapting_method_sees_no_label_of_the_target():
    batches, read = batches_of(Adapting())
    for _ in range(4):
        source, target = next(batches["source"]), next(batches["target"])
        assert (target["label"] == IGNORE).all() and (source["label"] != IGNORE).any()
        assert target["image"].any()
    assert ("train", "urban") in read and ("val", "urban") not in read
    assert not np.array_equal(source["image"], target["image"])
