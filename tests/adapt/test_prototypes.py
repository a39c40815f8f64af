"""Prototypes: beside NumPy's own means and correlations, by hand, and who has a gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt.prototypes import correlations, misalignment, prototypes


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def probabilities(*shape, seed=1):
    scores = np.exp(draw(*shape, seed=seed))
    return scores / scores.sum(-1, keepdims=True)


@pytest.mark.parametrize("across", [False, True])
def test_prototypes(across):
    features, chances = draw(3, 4, 5, 6), probabilities(3, 4, 5, 2)
    images = []
    for image, chance in zip(features, chances, strict=True):
        rows = [np.average(image.reshape(-1, 6), 0, chance[..., k].reshape(-1)) for k in range(2)]
        images.append(rows / np.linalg.norm(rows, axis=0 if across else 1, keepdims=True))
    found = prototypes(features, chances, across_classes=across)
    np.testing.assert_allclose(found, np.mean(images, 0), rtol=1e-4, atol=1e-5)
    rounded = prototypes(jnp.asarray(features, jnp.bfloat16), chances, across_classes=across)
    assert rounded.dtype == jnp.float32


def test_prototypes_by_hand():
    """Two pixels, each surely of a class."""
    features = np.array([[[[3.0, 4.0], [0.0, 2.0]]]])
    chances = np.array([[[[1.0, 0.0], [0.0, 1.0]]]])
    np.testing.assert_allclose(prototypes(features, chances), [[0.6, 0.8], [0, 1]], rtol=1e-6)
    one = np.sqrt(20)
    np.testing.assert_allclose(
        prototypes(features, chances, across_classes=True), [[1, 4 / one], [0, 2 / one]], rtol=1e-6
    )


def test_correlations_are_pearsons():
    one, other = draw(3, 8), draw(3, 8, seed=2)
    found = correlations(one, other)
    expected = np.corrcoef(one, other)[:3, 3:]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.diag(correlations(one, 3 * one + 2)), 1, rtol=1e-5)


def test_misalignment():
    """0 where classes agree with themselves alone; beside a plain loop; finite where opposed."""
    np.testing.assert_allclose(misalignment(jnp.eye(3)), 0, atol=1e-5)
    r = np.array([[0.5, 0.2, -0.3], [0.1, 0.9, 0.4], [0.0, 0.6, 0.7]])
    same = -np.log(np.diag(r)).mean()
    pairs = [-np.log(1 - max(r[i, j], 1e-6)) for i in range(3) for j in range(3) if i != j]
    np.testing.assert_allclose(misalignment(jnp.asarray(r)), same + np.mean(pairs), rtol=1e-5)
    assert float(misalignment(-jnp.eye(3))) == pytest.approx(-np.log(1e-6), rel=1e-4)
    assert np.isfinite(misalignment(jnp.ones((3, 3))))
    np.testing.assert_allclose(misalignment(jnp.full((1, 1), 0.5)), np.log(2), rtol=1e-6)


def compare(one, other, chances):
    return misalignment(correlations(prototypes(one, chances), prototypes(other, chances)))


def test_probabilities_have_no_gradient_and_features_have():
    one, other, chances = draw(2, 3, 3, 4), draw(2, 3, 3, 4, seed=3), probabilities(2, 3, 3, 2)
    gradients = jax.grad(compare, argnums=(0, 1, 2))(one, other, chances)
    assert [bool(np.asarray(each).any()) for each in gradients] == [True, True, False]


def test_the_gradient_by_finite_differences():
    chances = probabilities(1, 2, 2, 2)
    one = draw(1, 2, 2, 4)
    other = one + 0.3 * draw(1, 2, 2, 4, seed=3)
    value = jax.jit(lambda x: compare(x, other, chances))
    found = np.asarray(jax.grad(value)(one))
    for place in np.ndindex(one.shape):
        step = np.zeros_like(one)
        step[place] = 1e-2
        difference = (value(one + step) - value(one - step)) / 2e-2
        np.testing.assert_allclose(found[place], difference, rtol=0.03, atol=3e-3)


def test_maps_of_zeros_and_classes_without_weight_have_a_gradient():
    """Such as features behind a ReLU that is shut, and probabilities that underflow."""
    chances = np.zeros((2, 2, 2, 2), np.float32)
    gradient = jax.grad(compare)(np.zeros((2, 2, 2, 3), np.float32), draw(2, 2, 2, 3), chances)
    assert np.isfinite(gradient).all()
