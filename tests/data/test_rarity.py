"""Rare-class sampling: hand-computed chances, and batches drawn with them."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from rdepth_keras.data.pipeline import training_batches
from rdepth_keras.data.rarity import READ, chances, count_pixels, unseen


class Plain:
    """Tiles of one class each."""

    labelled = True
    classes = (0, 0, 0, 1)

    def __len__(self):
        return len(self.classes)

    def __getitem__(self, index):
        label = np.full((4, 4), self.classes[index], np.uint8)
        label[0, 0] = 255
        image, depth = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 1), np.float32)
        return {"id": index, "image": image, "depth": depth, "label": label}


def test_counts():
    assert count_pixels(Plain(), 3).tolist() == [[15, 0, 0]] * 3 + [[0, 15, 0]]


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match=r"label of tile 3 must hold train ids 0..0 .* \[1\]"):
        count_pixels(Plain(), 1)


@dataclass(frozen=True)
class Watched(Plain):
    """Remembers which tiles were read."""

    classes: tuple[int, ...]
    read: list[int] = field(default_factory=list)

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def test_tiles_are_read_until_every_class_is_seen():
    tiles = Watched((0, 1) * 500)
    assert unseen([tiles], 2) == ([], len(tiles.read)) and len(tiles.read) < 20
    tiles = Watched((1,) * 30)
    assert unseen([tiles, tiles], 3) == ([0, 2], 60)
    tiles = Watched((0,) * 500)
    assert unseen([tiles], 2) == ([1], READ) and len(set(tiles.read)) == READ
    assert max(tiles.read) > 400, "spread over all"


class Counted(Watched):
    def pixels_per_class(self):
        return np.array([[5, 0, 1]] * len(self))


def test_counted_tiles_are_not_read():
    tiles = Counted((0,) * 500)
    assert unseen([tiles], 3) == ([1], 500) and not tiles.read
    assert unseen([tiles, Watched((1, 1))], 3) == ([], 501)


def test_chances_by_hand():
    found = chances(count_pixels(Plain(), 3), temperature=0.5)
    rare = 1 / (1 + np.exp(-1))  # shares 3/4 and 1/4: softmax of 1/2 and 3/2
    np.testing.assert_allclose(found, [[*[(1 - rare) / 3] * 3, 0], [0, 0, 0, rare], [0] * 4])


def test_the_smallest_temperature_draws_the_rarest_alone():
    found = chances(count_pixels(Plain(), 3), temperature=1e-320)
    np.testing.assert_array_equal(found, [[0] * 4, [0, 0, 0, 1], [0] * 4])


def test_nothing_labelled():
    with pytest.raises(ValueError, match="No tile has labels"):
        chances(np.zeros((4, 3), np.int64), 0.01)


def drawn(workers=2, done=0, count=200, state=None):
    iterator = training_batches(
        [Plain(), Plain()],
        [],
        batch_size=2,
        seed=1,
        workers=workers,
        chances=np.array([0.1, 0, 0, 0.4, 0.1, 0, 0, 0.4]),
    )
    if state:
        iterator.set_state(state)
    return np.concatenate([next(iterator)["id"] for _ in range(count)]), iterator.get_state()


def test_tiles_are_drawn_with_their_chances():
    ids, _ = drawn()
    shares = np.bincount(ids, minlength=4) / len(ids)
    np.testing.assert_allclose(shares, [0.2, 0, 0, 0.8], atol=0.06)


def test_drawn_alike_by_any_number_of_workers_and_after_a_restore():
    whole, _ = drawn(workers=1, count=20)
    np.testing.assert_array_equal(whole, drawn(workers=5, count=20)[0])
    head, state = drawn(count=8)
    np.testing.assert_array_equal(whole, [*head, *drawn(count=12, state=state)[0]])


@pytest.mark.parametrize("temperature", [0.0, -0.01, np.nan, np.inf])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ValueError, match="A temperature is above 0 and finite"):
        chances(np.array([[3, 1], [0, 4]]), temperature)
