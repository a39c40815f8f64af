"""Domain-wise normalisation against plain NumPy."""

import jax
import numpy as np
import pytest

from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.domain_norm import TransNorm


def draw(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture
def batch():
    """Two source and two target maps, with statistics that differ."""
    x = draw((4, 3, 5, 6))
    x[2:] = 2 * x[2:] + np.linspace(-1, 1, 6, dtype=np.float32)
    return x


def layer(kind=TransNorm, **options):
    norm = kind(**options)
    norm.build((None, None, None, 6))
    norm.gamma.assign(draw(6, 1))
    norm.beta.assign(draw(6, 2))
    return norm


def factor(one, other):
    """1 + a, from the (mean, variance) of both domains."""
    standard = [mean / np.sqrt(variance + 1e-5) for mean, variance in (one, other)]
    weight = 1 / (1 + np.abs(standard[0] - standard[1]))
    return 1 + 6 * weight / weight.sum()


@pytest.mark.parametrize("reweigh", [True, False])
def test_training(batch, reweigh):
    norm = layer(reweigh=reweigh)
    gamma, beta = np.asarray(norm.gamma.value), np.asarray(norm.beta.value)
    halves, statistics = [], []
    for x in (batch[:2], batch[2:]):
        normal = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
        halves.append(gamma * normal + beta)
        statistics.append((x.mean((0, 1, 2)), x.var((0, 1, 2), ddof=1)))
    wanted = np.concatenate(halves) * (factor(*statistics) if reweigh else 1)
    np.testing.assert_allclose(norm(batch, training=True), wanted, rtol=1e-4, atol=1e-5)
    for moving, (mean, variance) in zip(norm.moving, statistics, strict=True):
        np.testing.assert_allclose(moving[0].value, 0.1 * mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(moving[1].value, 0.9 + 0.1 * variance, rtol=1e-4)


@pytest.mark.parametrize("reweigh", [True, False])
def test_frozen_it_has_the_running_statistics_of_each_domain(batch, reweigh):
    norm = layer(reweigh=reweigh)
    norm(batch, training=True)
    norm.trainable = False
    before = [np.asarray(variable.value) for variable in norm.variables]
    gamma, beta = np.asarray(norm.gamma.value), np.asarray(norm.beta.value)
    moving = [[np.asarray(one.value) for one in own] for own in norm.moving]
    halves = [
        gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta
        for x, (mean, variance) in zip((batch[:2], batch[2:]), moving, strict=True)
    ]
    wanted = np.concatenate(halves) * (factor(*moving) if reweigh else 1)
    np.testing.assert_allclose(norm(batch, training=True), wanted, rtol=1e-4, atol=1e-5)
    for variable, value in zip(norm.variables, before, strict=True):
        np.testing.assert_array_equal(variable.value, value)


def test_inference_has_the_targets_statistics(batch):
    norm = layer()
    values = [(draw(6, 3 + i), np.exp(draw(6, 5 + i))) for i in (0, 1)]
    for moving, given in zip(norm.moving, values, strict=True):
        for variable, value in zip(moving, given, strict=True):
            variable.assign(value)
    mean, variance = values[1]
    normal = (batch - mean) / np.sqrt(variance + 1e-5)
    wanted = np.asarray(norm.gamma.value) * normal + np.asarray(norm.beta.value)
    np.testing.assert_allclose(norm(batch), wanted * factor(*values), rtol=1e-4, atol=1e-5)


def test_equal_domains_double_the_map(batch):
    batch[2:] = batch[:2]
    plain = layer(BatchNorm)
    np.testing.assert_allclose(
        layer()(batch, training=True), 2 * np.asarray(plain(batch, training=True)), rtol=1e-4
    )


def test_the_factor_passes_no_gradient(batch):
    """With gamma at 0 the map is beta * factor, which then does not depend on the input."""
    norm = layer()
    params = [np.zeros(6, np.float32), np.ones(6, np.float32)]
    buffers = [variable.value for variable in norm.non_trainable_variables]

    def total(x):
        return norm.stateless_call(params, buffers, x, training=True)[0].sum()

    np.testing.assert_array_equal(jax.grad(total)(batch), 0)


def test_an_odd_batch_is_refused(batch):
    with pytest.raises(ValueError, match="received 3"):
        layer()(batch[:3], training=True)
