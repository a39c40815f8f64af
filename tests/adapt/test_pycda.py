"""PyCDA: two updates, each exactly its own, and the second sees the first."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, PyCDA
from rdepth_keras.adapt.method import Given
from rdepth_keras.adapt.outputs import see
from rdepth_keras.adapt.target_terms import box_cross_entropy, prior_cross_entropy
from rdepth_keras.losses import cross_entropy
from rdepth_keras.optimizers import SGD, Schedule
from rdepth_keras.packing import norm
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

HERE = Path(__file__).parent
case = SimpleNamespace(**runpy.run_path(str(HERE / "self_training_case.py")))
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))
RATE, CLIP = 0.1, 0.01


def test_the_terms_of_the_target():
    one, other = (
        jnp.asarray(np.random.default_rng(seed).standard_normal((2, 8, 8, 3)), jnp.float32)
        for seed in (0, 1)
    )
    prior = (0.5, 0.3, 0.2)
    method = PyCDA(0.3, confidence=0.5, boxes=(1, 2), prior_weight=2.0, prior=prior)
    terms = method.target_terms({"logits": (one, other)}, jnp.zeros((2, 8, 8), jnp.uint8))
    shares = np.mean([prior_cross_entropy(x, prior) for x in (one, other)])
    sure = np.mean([box_cross_entropy(x, 0.5, (1, 2)) for x in (one, other)])
    np.testing.assert_allclose(terms["prior"], 2.0 * shares, rtol=1e-5)
    np.testing.assert_allclose(terms["pseudo"], 0.5 * sure, rtol=1e-5)


@pytest.mark.proof
def test_two_updates_the_first_unclipped():
    """The step is the source's whole gradient, then the target's, clipped, at the new params."""
    network = toys.segmenter((2,), classes=case.CLASSES)
    method = PyCDA(confidence=0.25)
    sgd = {SEGMENTER: SGD(RATE, Schedule(0.0, power=0.0), CLIP, momentum=0.0, weight_decay=0.0)}
    source, target = case.batches(0)
    start, buffers = network.init()

    @jax.jit
    def by_hand(own, buffers):
        def supervised(own):
            outputs, kept = see(network, own, buffers, source, jax.random.key(0))
            return cross_entropy(outputs["logits"], source["label"]), kept

        def adapted(own, kept):
            outputs, kept = see(network, own, kept, target, jax.random.key(0))
            terms = method.target_terms(outputs, target["label"])
            return terms["prior"] + terms["pseudo"], kept

        first, kept = jax.grad(supervised, has_aux=True)(own)
        own = {path: own[path] - RATE * first[path] for path in own}
        second, kept = jax.grad(adapted, has_aux=True)(own, kept)
        scale = RATE * CLIP / norm(second)
        own = {path: own[path] - scale * second[path] for path in own}
        return own, kept, norm(first), norm(second)

    wanted, kept, first, second = by_hand(start, buffers)
    assert first > CLIP and second > CLIP
    state = initial_state({SEGMENTER: network}, method, sgd, seed=0)
    step = training_step({SEGMENTER: network}, method, sgd, steps=3, seed=0)
    state, logs = step(state, source, target)
    assert logs.keys() >= {"loss", "decode", "prior", "pseudo"}
    assert logs["loss"] == logs["decode"], "the source's, before the step"
    for path, value in wanted.items():
        found = state.params[SEGMENTER][path]
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6, err_msg=path)
    for path, value in kept.items():
        found = state.buffers[SEGMENTER][path]
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6, err_msg=path)


@pytest.mark.proof
def test_each_update_sees_one_domain():
    """And no label of the target."""
    network = toys.segmenter((2,), classes=case.CLASSES)
    params, buffers = network.init()
    first, second = PyCDA().phases({SEGMENTER: network})
    assert (first.clips, second.clips) == (False, True)
    source, target = case.batches(0)
    strange = {"image": None, "label": None}
    given = Given(source, strange, {SEGMENTER: buffers}, {}, jax.random.key(0), jnp.asarray(0), 0.0)
    losses = [float(first.loss({SEGMENTER: params}, given).loss)]
    for label in (target["label"], np.full_like(target["label"], 255)):
        seen = given._replace(source=strange, target={**target, "label": label})
        losses.append(float(second.loss({SEGMENTER: params}, seen).loss))
    assert np.isfinite(losses).all() and losses[1] == losses[2]


def test_boxes_beyond_the_crop_are_refused():
    logits, label = jnp.zeros((1, 2, 2, 3)), jnp.zeros((1, 4, 6), jnp.uint8)
    PyCDA(boxes=(1, 4)).target_terms({"logits": logits}, label)
    with pytest.raises(ValueError, match="within the crop of 4 x 6 pixels; a side of 5 does not"):
        PyCDA(boxes=(5, 1)).target_terms({"logits": logits}, label)


def test_a_prior_has_a_share_for_each_class():
    network = toys.segmenter((2, 2), classes=3)
    with pytest.raises(ValueError, match="each of the 3 classes; received 2 shares"):
        PyCDA(prior=(0.5, 0.5)).phases({SEGMENTER: network})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"confidence": 1.0}, "confidence must be at least 0 and below 1; received 1.0"),
        ({"boxes": (2, 0)}, "boxes must be one or more, of at least 1 each"),
        ({"boxes": ()}, "boxes must be one or more, of at least 1 each"),
        ({"prior": (0.5, 0.6)}, "prior must be None or shares that add up to 1"),
        ({"prior": (1.5, -0.5)}, "prior must be None or shares that add up to 1"),
        ({"pseudo_weight": -1.0}, "pseudo_weight must be at least 0; received -1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PyCDA(**settings)
