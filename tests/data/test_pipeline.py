"""Batches: seeded, complete, restorable."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from rdepth_keras.data.pipeline import in_order, training_batches
from rdepth_keras.data.transforms import RandomCrop, RandomFlips


@dataclass(frozen=True)
class Numbered:
    first: int
    count: int
    labelled: bool = True

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(self.first + index)
        return {
            "id": self.first + index,
            "image": rng.integers(0, 256, (12, 12, 3)).astype(np.uint8),
            "depth": rng.random((12, 12, 1)).astype(np.float32),
            "label": rng.integers(0, 7, (12, 12)).astype(np.uint8),
        }


def batches(seed=0, tiles=(Numbered(0, 5), Numbered(100, 3)), **options):
    transforms = [RandomCrop(8), RandomFlips()]
    return training_batches(tiles, transforms, batch_size=2, seed=seed, **options)


def take(iterator, count):
    return [next(iterator) for _ in range(count)]


def assert_equal(one, other):
    for left, right in zip(one, other, strict=True):
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_shapes_and_dtypes():
    batch = next(batches())
    assert batch["image"].shape == (2, 8, 8, 3) and batch["image"].dtype == np.uint8
    assert batch["depth"].shape == (2, 8, 8, 1) and batch["depth"].dtype == np.float32
    assert batch["label"].shape == (2, 8, 8) and batch["label"].dtype == np.uint8


def test_every_epoch_holds_every_tile_once_in_another_order():
    ids = np.concatenate([batch["id"] for batch in take(batches(), 8)])
    first, second = ids[:8].tolist(), ids[8:].tolist()
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4, 100, 101, 102]
    assert first != second


def test_the_seed_decides():
    assert_equal(take(batches(3), 5), take(batches(3), 5))
    one, other = take(batches(3), 5), take(batches(4), 5)
    assert any(
        (left["image"] != right["image"]).any() for left, right in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("done", [0, 1, 4, 9])
def test_restored_bit_for_bit(done):
    iterator = batches()
    take(iterator, done)
    state = json.loads(json.dumps(iterator.get_state()))
    expected = take(iterator, 4)
    other = batches()
    other.set_state(state)
    assert_equal(take(other, 4), expected)


@pytest.mark.parametrize("chances", [None, np.full(8, 1 / 8)], ids=["all alike", "by chance"])
@pytest.mark.parametrize("workers", [1, 5, 16])
def test_any_number_of_workers_makes_the_same_batches(workers, chances):
    expected = take(batches(workers=2, chances=chances), 12)
    iterator = batches(workers=workers, chances=chances)
    assert_equal(take(iterator, 6), expected[:6])
    restored = batches(workers=2, chances=chances)
    restored.set_state(iterator.get_state())
    assert_equal(take(restored, 6), expected[6:])


@pytest.mark.parametrize("hosts", [2])
def test_hosts_share_every_batch(hosts):
    parts = [take(batches(host=host, hosts=hosts), 8) for host in range(hosts)]
    for whole, *shares in zip(take(batches(), 8), *parts, strict=True):
        assert sorted(whole["id"]) == sorted(np.concatenate([share["id"] for share in shares]))


def test_no_tiles():
    with pytest.raises(ValueError, match="no tiles"):
        batches(tiles=[])


def test_in_order():
    assert [tile["id"] for tile in in_order(Numbered(7, 4))] == [7, 8, 9, 10]
