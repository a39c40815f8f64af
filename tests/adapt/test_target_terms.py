"""Terms without labels: by hand, beside NumPy, empty, and their gradients by differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt.target_terms import (
    box_cross_entropy,
    entropy,
    pool,
    prior_cross_entropy,
    unevenness,
)

SURE = jnp.array([[[[9.0, 0.0, 0.0]]]])
EVEN = jnp.zeros((1, 1, 1, 3))
PIXEL = np.ones((1, 1, 1), bool)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def softmax(x):
    x = x.astype(np.float64)
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def mask(*shape):
    return np.random.default_rng(1).random(shape) < 0.5


def test_entropy():
    assert float(entropy(EVEN, PIXEL)) == pytest.approx(np.log(3) / 3)
    assert float(entropy(SURE, PIXEL)) < 1e-3
    logits, kept = draw(2, 5, 4, 3), mask(2, 5, 4)
    values = [-(p * np.log(p)).sum() for p in softmax(logits)[kept]]
    np.testing.assert_allclose(entropy(logits, kept), np.sum(values) / (3 * len(values)), rtol=1e-5)


def test_unevenness():
    assert float(unevenness(EVEN, PIXEL)) == pytest.approx(0, abs=1e-6)
    logits, kept = draw(2, 5, 4, 3), mask(2, 5, 4)
    values = [(np.log(1 / 3 / p) / 3).sum() for p in softmax(logits)[kept]]
    expected = np.sum(values) / (3 * len(values))
    np.testing.assert_allclose(unevenness(logits, kept), expected, rtol=1e-5)


def test_the_share_of_classes_beside_a_prior():
    logits = draw(2, 5, 4, 3)
    share = softmax(logits).mean((0, 1, 2))
    for prior in ((0.5, 0.3, 0.2), None):
        wanted = np.array(prior or (1 / 3, 1 / 3, 1 / 3))
        terms = wanted * np.log(share + 1e-6) + (1 - wanted) * np.log(1 - share + 1e-6)
        np.testing.assert_allclose(prior_cross_entropy(logits, prior), -terms.mean(), rtol=1e-5)
    least = -(np.log(1 / 3) / 3 + 2 / 3 * np.log(2 / 3))
    assert float(prior_cross_entropy(EVEN)) == pytest.approx(least, abs=1e-5)
    assert float(prior_cross_entropy(SURE)) > least
    assert np.isfinite(prior_cross_entropy(100 * SURE))


def test_comparing_with_all_priors_is_comparing_with_a_uniform_one():
    """What the released code does: every share beside every class's prior."""
    logits, prior = draw(2, 5, 4, 3), np.array([0.7, 0.2, 0.1])[:, None]
    share = softmax(logits).mean((0, 1, 2))
    terms = prior * np.log(share + 1e-6) + (1 - prior) * np.log(1 - share + 1e-6)
    assert terms.shape == (3, 3)
    np.testing.assert_allclose(prior_cross_entropy(logits), -terms.mean(), rtol=1e-5)


def plain_boxes(logits, confidence, boxes):
    kept = []
    batch, height, width, _ = logits.shape
    for side in boxes:
        for image in range(batch):
            for top in range(0, height - side + 1, side):
                for left in range(0, width - side + 1, side):
                    box = logits[image, top : top + side, left : left + side]
                    sure = softmax(box.astype(np.float64).mean((0, 1))).max()
                    if sure > confidence:
                        kept.append(-np.log(sure))
    return np.mean(kept), len(kept)


def test_sure_boxes():
    logits = 2 * draw(2, 9, 6, 3)
    for boxes in ((1,), (2, 4), (1, 2, 4)):
        expected, count = plain_boxes(logits, 0.6, boxes)
        assert 0 < count < 2 * 9 * 6
        np.testing.assert_allclose(box_cross_entropy(logits, 0.6, boxes), expected, rtol=1e-5)
    assert float(box_cross_entropy(SURE / 9 * np.log(4), 0.5, (1,))) == pytest.approx(np.log(1.5))


def test_boxes_do_not_overlap_and_the_rest_is_left_out():
    x = jnp.arange(15.0).reshape(1, 3, 5, 1)
    np.testing.assert_allclose(pool(x, 2)[0, ..., 0], [[3, 5]])
    assert pool(x, 4).shape == (1, 0, 1, 1)
    np.testing.assert_array_equal(pool(x, 1), x)


def test_a_place_without_loss_is_not_counted():
    """Its cross-entropy is rounded to 0, so it would only thin the others out."""
    sure = jnp.concatenate([SURE * 100, SURE / 9 * np.log(4)], 2)
    assert float(box_cross_entropy(sure, 0.5, (1,))) == pytest.approx(np.log(1.5))


@pytest.mark.parametrize(
    "term",
    [
        lambda x: entropy(x, jnp.zeros(x.shape[:3], bool)),
        lambda x: unevenness(x, jnp.zeros(x.shape[:3], bool)),
        lambda x: box_cross_entropy(x, 1.0, (1, 2)),
        lambda x: box_cross_entropy(x, 0.1, (8,)),
    ],
)
def test_nothing_asked_is_nothing(term):
    """And has a gradient of exact zeros, not NaN."""
    value, gradient = jax.value_and_grad(term)(draw(1, 2, 3, 4))
    assert value == 0 and not np.asarray(gradient).any()


TERMS = {
    "entropy": lambda x: entropy(x, mask(1, 2, 3)),
    "unevenness": lambda x: unevenness(x, mask(1, 2, 3)),
    "prior": lambda x: prior_cross_entropy(x, (0.5, 0.3, 0.2)),
    "boxes": lambda x: box_cross_entropy(x, 0.45, (1, 2)),
}


@pytest.mark.parametrize("name", TERMS)
def test_gradients_by_finite_differences(name):
    term, x = jax.jit(TERMS[name]), draw(1, 2, 3, 3)
    found = np.asarray(jax.grad(term)(x))
    assert found.any()
    for place in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-2
        difference = (term(x + step) - term(x - step)) / 2e-2
        np.testing.assert_allclose(found[place], difference, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("name", TERMS)
def test_terms_are_float32(name):
    x = draw(1, 2, 3, 3)
    found = TERMS[name](jnp.asarray(x, jnp.bfloat16))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, TERMS[name](jnp.asarray(x)), rtol=0.03, atol=1e-3)
