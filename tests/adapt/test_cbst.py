"""CBST: its pseudo-labels are those of the labeller, with its settings."""

import numpy as np
import pytest

from rdepth_keras.adapt import CBST
from rdepth_keras.adapt.pseudo_labels import class_balanced


def tiles():
    scores = np.exp(2 * np.random.default_rng(0).standard_normal((3, 8, 8, 4)))
    return list(scores / scores.sum(-1, keepdims=True))


def test_labels_are_class_balanced():
    found = list(CBST(share=0.4, sample=2).relabel(tiles(), 0))
    for one, other in zip(found, class_balanced(tiles(), share=0.4, every=2), strict=True):
        np.testing.assert_array_equal(one, other)
    fewer = list(CBST(share=0.2, sample=2).relabel(tiles(), 0))
    assert (np.stack(fewer) != 255).sum() < (np.stack(found) != 255).sum()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"share": 1.5}, "share must be above 0, at most 1; received 1.5"),
        ({"share": 0.0}, "share must be above 0, at most 1; received 0.0"),
        ({"sample": 0}, "sample must be at least 1; received 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CBST(**settings)
