"""Pseudo-labels by property: sure enough, in the shares asked, the same for any float."""

import numpy as np
import pytest

from rdepth_keras.adapt.pseudo_labels import (
    class_balanced,
    class_maximum,
    confidence_thresholds,
    instance_adaptive,
    relative_labels,
)
from rdepth_keras.labels import IGNORE

CLASSES = 4
RULES = {
    "class_balanced": lambda tiles: class_balanced(tiles, share=0.3, every=1),
    "instance_adaptive": lambda tiles: instance_adaptive(tiles, start=0.5),
    "class_maximum": class_maximum,
}


def tiles(count=5, sharpness=3.0, size=(12, 9)):
    """Probabilities of float32, of tiles of two sizes; classes are more or less frequent."""
    rng, found = np.random.default_rng(0), []
    for index in range(count):
        shape = (*(size if index % 2 else (10, 10)), CLASSES)
        logits = sharpness * rng.standard_normal(shape) + [1.0, 0.5, 0.0, -1.0]
        scores = np.exp(logits)
        found.append((scores / scores.sum(-1, keepdims=True)).astype(np.float32))
    return found


def flat(maps):
    return np.concatenate([each.reshape(-1, *each.shape[2:]) for each in maps])


@pytest.mark.parametrize("rule", RULES)
def test_labels_are_those_of_the_contract(rule):
    """A map of each tile's size, some of it ignored; again the same, also from float64."""
    given = tiles()
    found = list(RULES[rule](given))
    assert [label.shape for label in found] == [scores.shape[:2] for scores in given]
    assert all(label.dtype == np.uint8 for label in found)
    labels = flat(found)
    assert set(np.unique(labels)) <= {*range(CLASSES), IGNORE}
    assert 0.02 < (labels != IGNORE).mean() < 0.98
    for again in (given, [scores.astype(np.float64) for scores in given]):
        for one, other in zip(found, RULES[rule](again), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_class_threshold_is_its_surest_share():
    """As many pixels of a guess are at least as sure as were asked for, beside a sorted list."""
    given = tiles()
    scores = flat(given)
    guess, sure = scores.argmax(-1), scores.max(-1)
    found = confidence_thresholds(given, share=0.3, every=1)
    assert found.dtype == np.float32
    for train_id in range(CLASSES):
        own = sorted(sure[guess == train_id], reverse=True)
        wanted = int(0.3 * len(own))
        assert wanted > 3 and found[train_id] == own[wanted - 1]
        assert (sure[guess == train_id] >= found[train_id]).sum() == wanted


def test_of_each_tile_every_fourth_pixel_of_a_class_is_looked_at():
    given = tiles()
    found = confidence_thresholds(given, share=0.5)
    for train_id in range(CLASSES):
        own = []
        for scores in given:
            pixels = [p.max() for p in scores.reshape(-1, CLASSES) if p.argmax() == train_id]
            own += pixels[::4]
        assert found[train_id] == sorted(own, reverse=True)[len(own) // 2 - 1]


def test_classes_without_a_pixel_to_spare_have_the_threshold_one():
    scores = np.zeros((1, 12, 3), np.float32) + np.float32([0.7, 0.2, 0.1])
    scores[0, 0] = [0.2, 0.7, 0.1]  # a tenth of one pixel is none
    np.testing.assert_array_equal(
        confidence_thresholds([scores], share=0.1, every=1), np.float32([0.7, 1, 1])
    )
    label = relative_labels(scores, np.float32([0.7, 1, 1]))
    assert label.tolist() == [[IGNORE] + [0] * 11]


def test_relative_labels_by_hand():
    """A rarer class may win with the smaller probability; exactly at a threshold is enough."""
    scores = np.array([[[0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.55, 0.45]]])
    found = relative_labels(scores, np.float32([0.8, 0.4]))
    assert found.tolist() == [[1, 0, IGNORE, 1]]


def test_no_balanced_label_is_below_its_threshold():
    given = tiles()
    thresholds = confidence_thresholds(given, share=0.3, every=1)
    scores, labels = flat(given), flat(list(RULES["class_balanced"](given)))
    kept = labels != IGNORE
    own = np.take_along_axis(scores, np.where(kept, labels, 0)[:, None].astype(int), 1)[:, 0]
    assert (own >= thresholds[np.where(kept, labels, 0)])[kept].all()
    assert (scores < thresholds)[~kept].all()


def plain_thresholds(given, batch):
    """Of each tile, value after value."""
    thresholds, found = [0.9] * CLASSES, []
    for first in range(0, len(given), batch):
        for train_id in range(CLASSES):
            old = thresholds[train_id]
            values = [old]
            for scores in given[first : first + batch]:
                values += [
                    float(p.max()) for p in scores.reshape(-1, CLASSES) if p.argmax() == train_id
                ]
            new = np.percentile(values, 100 * (1 - 0.2 * old**8))
            thresholds[train_id] = min(0.9 * old + 0.1 * new, 0.999)
        found += [list(thresholds)] * len(given[first : first + batch])
    return found


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_adaptive_thresholds_follow_the_tiles(batch):
    """Also where the last tiles fill no batch; beside a plain loop."""
    given = tiles(sharpness=6.0)
    found = list(instance_adaptive(given, batch=batch))
    assert len(found) == 5
    for scores, label, thresholds in zip(given, found, plain_thresholds(given, batch), strict=True):
        guess, sure = scores.argmax(-1), scores.max(-1)
        passes = sure >= np.array(thresholds)[guess]
        np.testing.assert_array_equal(label, np.where(passes, guess, IGNORE))


def test_adaptive_thresholds_by_hand():
    """The quantile of one pixel and the old threshold lies between them."""

    def passes(sure, **settings):
        scores = np.array([[[sure, 1 - sure]]])
        (label,) = instance_adaptive([scores], **settings)
        return label.item() == 0

    assert passes(0.95) and not passes(0.85)
    # From 0.9 to 0.9 - 0.1 * 0.1 * 0.2 * 0.9^8 with a pixel of 0.8, which does not pass.
    assert not passes(0.8) and passes(0.8, start=0.8)
    # Without inertia the threshold is the quantile: the pixel itself where all are to pass.
    assert passes(0.8, inertia=0.0, share=1.0, exponent=0.0)
    assert not passes(0.8, inertia=0.0, share=0.5, exponent=0.0)
    assert passes(1.0, start=1.0) and not passes(0.9985, start=1.0), "held at 0.999"


def test_tiles_in_another_order_move_the_thresholds_otherwise():
    given = tiles(sharpness=6.0)
    forth = list(instance_adaptive(given))
    back = list(instance_adaptive(given[::-1]))[::-1]
    assert any((one != other).any() for one, other in zip(forth, back, strict=True))


def test_class_maximum_by_hand():
    """More than 0.8 of the class's maximum and more than 0.6, of one class alone."""
    scores = np.array([[[0.9, 0.1], [0.73, 0.27], [0.71, 0.29], [0.39, 0.61], [0.45, 0.55]]])
    (label,) = class_maximum([scores])
    assert label.tolist() == [[0, 0, IGNORE, 1, IGNORE]]
    (label,) = class_maximum([scores], fraction=0.2, floor=0.1)
    assert label.tolist() == [[0, IGNORE, IGNORE, IGNORE, IGNORE]], "both pass"


def test_no_label_is_below_the_rule_of_the_maximum():
    for scores, label in zip(tiles(), class_maximum(tiles()), strict=True):
        needed = np.maximum(0.8 * scores.max((0, 1)), 0.6)
        for place in np.ndindex(label.shape):
            passing = [k for k in range(CLASSES) if scores[place][k] > needed[k]]
            assert label[place] == (passing[0] if len(passing) == 1 else IGNORE)


def test_memory_does_not_hold_the_tiles():
    """One tile after the other is asked for, at most a batch of them at once."""

    class Watched(list):
        asked = 0

        def __getitem__(self, index):
            self.asked += 1
            return super().__getitem__(index)

        def __iter__(self):
            return (self[index] for index in range(len(self)))

    for rule, most in (("class_maximum", 1), ("instance_adaptive", 2)):
        given = Watched(tiles())
        next(iter(RULES[rule](given)))
        assert given.asked == most
    given = Watched(tiles())
    next(iter(RULES["class_balanced"](given)))
    assert given.asked == len(given) + 1
