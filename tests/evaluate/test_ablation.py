"""Replaced depth, and differences that know their sign."""

import pickle

import numpy as np
import pytest

from rdepth_keras.evaluate.ablation import DEPTHS, ReplacedDepth, score_differences
from rdepth_keras.evaluate.counts import Counts


class Listed:
    """A list of tiles; the depth of each is its own number over ten."""

    labelled = True

    def __init__(self, count, sides=(6,)):
        self.sides = [sides[index % len(sides)] for index in range(count)]

    def __len__(self):
        return len(self.sides)

    def __getitem__(self, index):
        side = self.sides[index]
        index %= len(self)
        image = np.random.default_rng(index).integers(0, 256, (side, side, 3)).astype(np.uint8)
        depth = np.full((side, side, 1), index / 10, np.float32)
        return {"id": index, "image": image, "depth": depth, "label": np.zeros((side, side))}


@pytest.mark.parametrize("kind", DEPTHS)
def test_only_depth_is_replaced_and_always_alike(kind):
    true, replaced = Listed(5), pickle.loads(pickle.dumps(ReplacedDepth(Listed(5), kind)))
    assert len(replaced) == 5 and replaced.labelled
    for index in range(5):
        one, other = true[index], replaced[index]
        np.testing.assert_array_equal(other["image"], one["image"])
        assert other["depth"].shape == one["depth"].shape and other["depth"].dtype == np.float32
        assert other["depth"].min() >= 0 and other["depth"].max() <= 1
        np.testing.assert_array_equal(other["depth"], replaced[index - 5]["depth"])


def test_each_kind():
    def depth(kind, index=3):
        return ReplacedDepth(Listed(5), kind)[index]["depth"]

    assert (depth("zeroed") == 0).all()
    assert 0.02 < depth("noised").std() < 0.2 and abs(depth("noised").mean() - 0.3) < 0.1
    grey = Listed(5)[3]["image"].astype(float) @ [0.299, 0.587, 0.114]
    expected = (grey - grey.min()) / (grey.max() - grey.min())
    np.testing.assert_allclose(depth("luminance")[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_shuffling_gives_every_tile_another_ones_depth(count):
    replaced = ReplacedDepth(Listed(count), "shuffled", seed=count)
    given = [round(10 * float(replaced[index]["depth"][0, 0, 0])) for index in range(count)]
    assert sorted(given) == list(range(count))
    assert all(index != other for index, other in enumerate(given))


def test_shuffling_between_sizes():
    tile = ReplacedDepth(Listed(2, sides=(4, 7)), "shuffled")[0]
    assert tile["depth"].shape == (4, 4, 1) and np.allclose(tile["depth"], 0.1)


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match="kind must be one of zeroed"):
        ReplacedDepth(Listed(2), "gone")
    with pytest.raises(ValueError, match="but one"):
        ReplacedDepth(Listed(1), "shuffled")


def test_a_loss_is_negative():
    right = np.array([[[9, 0], [0, 9]], [[5, 1], [0, 4]]])
    wrong = np.array([[[4, 5], [0, 9]], [[5, 1], [3, 1]]])
    ids = tuple(range(8))
    true, other = (Counts(ids, np.tile(each, (4, 1, 1))) for each in (right, wrong))
    gap = score_differences(true, other)
    assert gap.value.shape == (3,) and (gap.value < 0).all() and (gap.high <= 0).all()
    assert gap.value[2] == pytest.approx(gap.value[:2].mean())
    with pytest.raises(ValueError, match="same tiles"):
        score_differences(true, Counts(ids[::-1], other.confusions))


def test_tiles_of_the_same_numbers_with_other_labels_are_refused():
    """As those of two domains of a folder."""
    ones = np.ones((8, 2, 2), np.int64)
    with pytest.raises(ValueError, match="same tiles"):
        score_differences(Counts(tuple(range(8)), ones), Counts(tuple(range(8)), 2 * ones))
