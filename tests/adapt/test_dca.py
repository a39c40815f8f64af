"""DCA: what is compared with what, and who has a gradient."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import DCA, SEGMENTER
from rdepth_keras.adapt.method import Parts
from rdepth_keras.adapt.prototypes import correlations, misalignment, prototypes
from rdepth_keras.adapt.pseudo_labels import class_maximum
from rdepth_keras.models.deeplab import MergedOutput

HERE = Path(__file__).parent
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))


def outputs(seed, heads=2, side=4, finer=1):
    """Of a network; the features lie near one map, so that prototypes correlate."""
    rng = np.random.default_rng(seed)
    map_ = np.random.default_rng(9).standard_normal((4, side, side, 6))
    features = (map_ + 0.2 * rng.standard_normal(map_.shape)).astype(np.float32)
    size = (4, finer * side, finer * side, 3)
    logits = tuple(jnp.asarray(rng.standard_normal(size), jnp.float32) for _ in range(heads))
    maps = {"logits": logits if heads > 1 else logits[0]}
    coarse = MergedOutput(merge="mean").prediction(maps, (side, side))
    return {**maps, "features": (None, None, None, jnp.asarray(features)), "coarse": coarse}


LABEL = np.random.default_rng(0).integers(0, 3, (4, 8, 8)).astype(np.uint8)


def test_features_that_nothing_trains_are_refused():
    network = toys.segmenter((2, 2))
    own = Parts(network, toys.segmenter, 7, "float32", 0)
    DCA().networks(own)
    for layer in network.model.layers:
        layer.trainable = "head" in layer.name
    with pytest.raises(ValueError, match="dca aligns the last features, and all that makes them"):
        DCA().networks(own)
    DCA(alignment_weight=0.0).networks(own)


def chances(found):
    return np.mean([jax.nn.softmax(x, -1) for x in found["logits"]], 0)


@pytest.mark.parametrize(("background", "kept"), [(0, [1, 2]), (1, [0, 2]), (None, [0, 1, 2])])
def test_the_comparisons(background, kept):
    source, target = outputs(0), outputs(1)
    method = DCA(background=background, alignment_weight=0.5)
    own, other = ((each["features"][-1], chances(each)[..., kept]) for each in (source, target))
    first, second = (prototypes(*(x[part] for x in own)) for part in (slice(2), slice(2, 4)))
    icr = 0.5 * misalignment(correlations(first, second))
    terms = method.source_terms(source, LABEL)
    np.testing.assert_allclose(terms["icr"], icr, rtol=1e-4)
    ccr = 0.5 * misalignment(correlations(prototypes(*own), prototypes(*other)))
    terms = method.target_terms(source, target, LABEL)
    assert terms.keys() == {"pseudo", "ccr"}
    np.testing.assert_allclose(terms["ccr"], ccr, rtol=1e-4)


def gradients(term, given):
    def value(features):
        return term({**given, "features": (None, None, None, features)})

    return np.asarray(jax.grad(value)(given["features"][-1]))


@pytest.mark.proof
def test_both_halves_of_the_source_learn_and_across_domains_the_target_alone():
    source, target = outputs(0), outputs(1)
    method = DCA()
    found = gradients(lambda x: method.source_terms(x, LABEL)["icr"], source)
    assert found[:2].any() and found[2:].any()
    found = gradients(lambda x: method.target_terms(x, target, LABEL)["ccr"], source)
    assert not found.any(), "the source's prototypes are fixed"
    found = gradients(lambda x: method.target_terms(source, x, LABEL)["ccr"], target)
    assert found.any()


def test_no_gradient_passes_the_probabilities():
    source, target = outputs(0), outputs(1)

    def terms(logits):
        one, other = ({**each, "coarse": logits} for each in (source, target))
        icr = DCA().source_terms(one, LABEL)["icr"]
        return icr + DCA().target_terms(source, other, LABEL)["ccr"]

    assert not np.asarray(jax.grad(terms)(source["coarse"])).any()


def test_one_head_of_a_finer_map():
    """As of a network whose decoder is finer than its last features."""
    source = outputs(0, heads=1, finer=4)
    terms = DCA().source_terms(source, LABEL)
    assert np.isfinite(terms["icr"]) and terms["icr"] > 0


def test_the_released_axis_is_another_number():
    source = outputs(0)
    one, other = (DCA(across_classes=x).source_terms(source, LABEL)["icr"] for x in (True, False))
    assert abs(one - other) > 1e-3


def test_a_single_tile_has_no_halves():
    source = jax.tree.map(lambda x: x[:1], outputs(0))
    with pytest.raises(ValueError, match="use a batch size of at least 2"):
        DCA().source_terms(source, LABEL[:1])


def test_labels_are_by_the_maximum_of_overlapping_views():
    scores = np.exp(2 * np.random.default_rng(0).standard_normal((3, 8, 8, 4)))
    tiles = list(scores / scores.sum(-1, keepdims=True))
    found = DCA(maximum_fraction=0.7, maximum_floor=0.4).relabel(tiles, 0)
    for one, other in zip(found, class_maximum(tiles, fraction=0.7, floor=0.4), strict=True):
        np.testing.assert_array_equal(one, other)
    seen = DCA().labelling
    assert (seen.window_pixels, seen.stride_pixels) == (512, 256)
    assert (seen.average, seen.views) == ("probabilities", "symmetries")


def test_a_background_that_is_no_class():
    parts = Parts(toys.segmenter(classes=3), None, 3, None, 0)
    assert DCA(background=2).networks(parts).keys() == {SEGMENTER}
    with pytest.raises(ValueError, match="None or a train id from 0 to 2; received 3"):
        DCA(background=3).networks(parts)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"background": -1}, "background must be None or at least 0; received -1"),
        ({"maximum_floor": 1.0}, "maximum_floor must be at least 0 and below 1; received 1.0"),
        ({"maximum_fraction": 1.0}, "maximum_fraction must be at least 0 and below 1"),
        ({"alignment_weight": -0.1}, "alignment_weight must be at least 0; received -0.1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        DCA(**settings)
