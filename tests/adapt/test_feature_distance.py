"""Cells and distances against plain NumPy loops."""

import jax
import jax.numpy as jnp
import numpy as np

from rdepth_keras.adapt.feature_distance import feature_distance, pure_cells


def label():
    """(1, 7, 8), cells of 4 x 4: three quarters of 1, all of 2, and twice three rows of 0."""
    own = np.ones((1, 7, 8), np.uint8)
    own[0, :1, :4] = 255
    own[0, :4, 4:] = 2
    own[0, 4:] = 0
    return own


def test_cells_by_hand():
    """The row that is missing below counts as ignored."""
    found = pure_cells(jnp.asarray(label()), 3, 2, 2, 0.75)
    assert found.dtype == jnp.uint8
    assert found.tolist() == [[[1, 2], [0, 0]]]
    assert pure_cells(jnp.asarray(label()), 3, 2, 2, 0.76).tolist() == [[[255, 2], [255, 255]]]


def maps():
    rng = np.random.default_rng(0)
    return rng.standard_normal((2, 1, 2, 2, 6)).astype(np.float32)


def test_distances_by_hand():
    ours, theirs = maps()
    lengths = np.linalg.norm(ours - theirs, axis=-1)[0]
    found = feature_distance(jnp.asarray(ours), jnp.asarray(theirs), label(), 3)
    np.testing.assert_allclose(found, lengths.mean(), rtol=1e-6)
    found = feature_distance(jnp.asarray(ours), jnp.asarray(theirs), label(), 3, of=(2,))
    np.testing.assert_allclose(found, lengths[0, 1], rtol=1e-6)


def test_gradients_by_finite_differences_and_none_to_the_reference():
    ours, theirs = maps()

    def distance(ours, theirs):
        return feature_distance(ours, theirs, label(), 3)

    gradient, none = jax.grad(distance, (0, 1))(jnp.asarray(ours), jnp.asarray(theirs))
    assert not np.asarray(none).any()
    direction = np.random.default_rng(1).standard_normal(ours.shape).astype(np.float32)
    step = 1e-2
    ends = [float(distance(ours + sign * step * direction, theirs)) for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    np.testing.assert_allclose((np.asarray(gradient) * direction).sum(), slope, rtol=1e-3)


def test_nothing_counts_and_equal_maps_have_no_gradient():
    ours, _ = maps()
    ignored = np.full_like(label(), 255)
    value, gradient = jax.value_and_grad(feature_distance)(jnp.asarray(ours), ours, label(), 3)
    assert float(value) == 0 and not np.asarray(gradient).any()
    assert float(feature_distance(jnp.asarray(ours), -ours, ignored, 3)) == 0
