"""Batches: seeded, complete, restorable."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from rdepth_keras.data.pipeline import Relabelled, in_order, label_path, stack, training_batches
from rdepth_keras.data.png import encode
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


def test_a_batch_of_one():
    """grain counts the batches of an endless dataset in floats, which overflowed."""
    one = training_batches([Numbered(0, 5)], [RandomCrop(8)], batch_size=1, seed=0)
    two = training_batches([Numbered(0, 5)], [RandomCrop(8)], batch_size=2, seed=0)
    for pair in take(two, 5):
        for index in range(2):
            single = next(one)
            for name, array in single.items():
                np.testing.assert_array_equal(array[0], pair[name][index])


@dataclass(frozen=True)
class Weighted(Numbered):
    def __getitem__(self, index):
        return {**super().__getitem__(index), "weight": np.float32(index)}


def test_further_arrays_travel():
    batch = next(batches(tiles=[Weighted(0, 4)]))
    np.testing.assert_array_equal(batch["weight"], batch["id"])


def test_tiles_that_differ_make_no_batch():
    """Nor would memory of earlier batches show where an array is missing."""
    first, other = Numbered(0, 2)[0], Numbered(0, 2)[1]
    with pytest.raises(ValueError, match=r"image of tile 1, .* uint8 .* received float32"):
        stack([first, {**other, "image": other["image"].astype("f4")}], 2)
    with pytest.raises(ValueError, match=r"tile 1 has \['id', 'image', 'label'\], .* \['depth'"):
        stack([first, {name: other[name] for name in ("id", "image", "label")}], 2)


@dataclass(frozen=True)
class TwoClasses:
    """Class 0, but for a spot of class 1 in a corner of the last tile."""

    labelled: bool = True

    def __len__(self):
        return 3

    def __getitem__(self, index):
        label = np.zeros((24, 24), np.uint8)
        if index == 2:
            label[:8, :8] = 1
        image = np.zeros((24, 24, 3), np.uint8)
        return {"id": index, "image": image, "depth": np.float32(image[..., :1]), "label": label}


@pytest.mark.parametrize("wanted_pixels", [None, 3])
def test_classes_are_drawn_and_their_tiles_and_crops(wanted_pixels):
    chances = np.array([[0.25, 0.25, 0], [0, 0, 0.5]])
    crop = RandomCrop(8, redraws=40, largest_share=0.0, wanted_pixels=wanted_pixels)
    made = training_batches([TwoClasses()], [crop], batch_size=2, seed=0, chances=chances)
    found = take(made, 40)
    ids = np.concatenate([batch["id"] for batch in found])
    assert 25 < (ids == 2).sum() < 55
    shown = np.concatenate([(batch["label"] == 1).sum((1, 2)) for batch in found])[ids == 2]
    assert ((shown > 3).mean() > 0.9) == (wanted_pixels is not None)
    assert "wanted_class" not in found[0]


def test_chances_of_classes_are_those_of_their_tiles():
    """The same draws as with one chance a tile, in the same order."""
    by_class = np.stack([np.full(8, 1 / 8), np.zeros(8)])
    assert_equal(take(batches(chances=by_class), 6), take(batches(chances=np.full(8, 1 / 8)), 6))


def test_relabelled_tiles_move_with_their_labels(tmp_path):
    tiles = Numbered(0, 3)
    for index in range(3):
        # A label that is the image's red value: both must be cropped and flipped alike.
        red = np.ascontiguousarray(tiles[index]["image"][..., 0])
        label_path(tmp_path, index).write_bytes(encode(red))
    for batch in take(batches(tiles=[Relabelled(tiles, tmp_path)]), 4):
        np.testing.assert_array_equal(batch["label"], batch["image"][..., 0])


def test_label_maps_of_other_tiles_are_refused(tmp_path):
    label_path(tmp_path, 0).write_bytes(encode(np.zeros((5, 12), np.uint8)))
    with pytest.raises(ValueError, match=r"000000.png must be .* \(12, 12\) .* uint8 \(5, 12\)"):
        Relabelled(Numbered(0, 3), tmp_path)[0]


@pytest.mark.parametrize(
    "chances",
    [
        np.ones(8),
        np.full(13, 1 / 13),
        np.full(7, 1 / 7),
        np.array([np.nan, *np.full(7, 1 / 7)]),
        np.array([-0.2, *np.full(7, 1.2 / 7)]),
        np.full((8, 2), 1 / 16),
        np.array(1.0),
    ],
    ids=["weights", "more", "fewer", "nan", "negative", "transposed", "a number"],
)
def test_what_are_no_chances_is_refused(chances):
    """Their running sums would draw one tile again and again."""
    with pytest.raises(ValueError, match=r"chances are 0 or more, sum 1, of shape \(8,\)"):
        batches(chances=chances)


@pytest.mark.parametrize(("host", "hosts"), [(2, 2), (-1, 2), (0, 3), (0, 0)])
def test_hosts_that_cannot_share_a_batch_are_refused(host, hosts):
    with pytest.raises(ValueError, match="host"):
        batches(host=host, hosts=hosts)


@dataclass(frozen=True)
class Changed(Numbered):
    """Tiles with one array in another way."""

    name: str = "image"
    change: Callable = np.asarray

    def __getitem__(self, index):
        tile = super().__getitem__(index)
        return {**tile, self.name: self.change(tile[self.name])}


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("image", lambda image: np.float32(image / 255), "scale 0..255; received values up to 1"),
        ("image", lambda image: image.astype(np.uint16), "image must be uint8 or float32"),
        ("image", lambda image: image[..., :1], "image must have the shape"),
        ("depth", lambda depth: 255 * depth, r"depth must be in \[0, 1\]; received values from"),
        ("depth", lambda depth: np.uint8(255 * depth), "depth must be float32; received uint8"),
        ("depth", lambda depth: depth * np.nan, r"depth must be in \[0, 1\]; received values from"),
        ("label", lambda label: label.astype(int), "label must be uint8; received int64"),
        ("label", lambda label: np.ma.masked_equal(label, label[0, 0]), "label must be whole; rec"),
    ],
)
def test_tiles_that_are_none_are_refused(name, change, said):
    with pytest.raises(ValueError, match=said):
        batches(tiles=[Numbered(0, 2), Changed(10, 2, name=name, change=change)])


class OneBuffer(Numbered):
    """A reader that fills one array anew for each tile."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        object.__setattr__(self, "buffer", super().__getitem__(0)["image"])

    def __getitem__(self, index):
        tile = super().__getitem__(index)
        self.buffer[...] = tile["image"]
        return {**tile, "image": self.buffer}


def test_tiles_that_share_a_buffer_are_refused():
    """Several threads read them at once."""
    with pytest.raises(ValueError, match="image of a tile changed when another was asked for"):
        batches(tiles=[Numbered(0, 2), OneBuffer(10, 2)])
    assert batches(tiles=[Numbered(0, 2), OneBuffer(10, 1)])  # there is no other


def test_images_may_be_floats():
    floats = Changed(0, 2, change=np.float32)
    assert next(batches(tiles=[floats]))["image"].dtype == np.float32
