"""Rates by path, schedule and weight decay, against the recipe's numbers and a NumPy twin."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rdepth_keras.optimizers import SGD, AdamW, Schedule, rate_table

PATHS = {
    "image_encoder/stem/kernel": 0.9**13,
    "image_encoder/stem_norm/gamma": 0.9**13,
    "image_encoder/stage2_downsample_norm/gamma": 0.9**13,
    "image_encoder/stage4_downsample/kernel": 0.9**13,
    "image_encoder/stage1_block1/depthwise/kernel": 0.282,
    "image_encoder/stage2_block3/norm/gamma": 0.314,
    "image_encoder/stage3_block27/expand/kernel": 0.349,
    "image_encoder/stage4_block1/scale/gamma": 0.387,
    "image_encoder/stage4_output_norm/gamma": 1.0,
    "depth_encoder/stage1_block1/depthwise/kernel": 1.0,
    "depth_encoder/stem/kernel": 1.0,
    "decoder/bottleneck/conv/kernel": 1.0,
}


def test_the_recipes_stage_wise_table():
    factors = AdamW().factors(PATHS)
    for path, expected in PATHS.items():
        assert factors[path] == pytest.approx(expected, abs=5e-4), path


def test_the_depth_encoder_follows_by_name():
    factors = AdamW(decay_depth_encoder=True).factors(PATHS)
    assert factors["depth_encoder/stage1_block1/depthwise/kernel"] == pytest.approx(0.9**12)
    assert factors["depth_encoder/stem/kernel"] == pytest.approx(0.9**13)


def test_the_papers_schedule():
    rate = AdamW().rate(40_000)
    assert float(rate(0)) == pytest.approx(1e-10, rel=1e-3)
    assert float(rate(750)) == pytest.approx(0.5e-4, rel=1e-5)
    assert float(rate(1500)) == pytest.approx(1e-4, rel=1e-5)
    assert float(rate(20_750)) == pytest.approx(0.5e-4, rel=1e-5)
    assert float(rate(40_000)) == 0


def test_a_shorter_run_keeps_the_shape():
    short, long = AdamW().rate(400), AdamW().rate(40_000)
    for part in (0.01, 0.0375, 0.3, 0.9):
        assert float(short(400 * part)) == pytest.approx(float(long(40_000 * part)), rel=1e-4)


def test_the_decay_may_outlast_the_run():
    rate = Schedule(0.05, decay_steps=15_000, power=0.9).rate(1e-4, 10_000)
    assert float(rate(10_000)) == pytest.approx(1e-4 * (1 - 9250 / 14250) ** 0.9, rel=1e-4)


def numpy_adamw(value, gradients, optimizer, factor, rates, decays):
    first, second = np.zeros_like(value), np.zeros_like(value)
    for step, gradient in enumerate(gradients, 1):
        first = optimizer.beta1 * first + (1 - optimizer.beta1) * gradient
        second = optimizer.beta2 * second + (1 - optimizer.beta2) * gradient**2
        update = first / (1 - optimizer.beta1**step)
        update = update / (np.sqrt(second / (1 - optimizer.beta2**step)) + 1e-8)
        update = update + (optimizer.weight_decay * value if decays else 0)
        value = value - rates(step - 1) * factor * update
    return value


def test_numpy_twin_with_decay_on_matrices_only():
    optimizer, steps = AdamW(learning_rate=0.1), 50
    rng = np.random.default_rng(0)
    values = {
        "image_encoder/stage1_block1/expand/kernel": rng.normal(size=(3, 2)),
        "image_encoder/stage1_block1/expand/bias": rng.normal(size=2),
        "head/classifier/kernel": rng.normal(size=(2, 2)),
    }
    gradients = [
        {path: rng.normal(size=value.shape) for path, value in values.items()} for _ in range(6)
    ]
    params = {path: jnp.asarray(value, jnp.float32) for path, value in values.items()}
    transform = optimizer.build(params, steps)
    state = transform.init(params)
    for gradient in gradients:
        change, state = transform.update(
            {path: jnp.asarray(value, jnp.float32) for path, value in gradient.items()},
            state,
            params,
        )
        params = optax.apply_updates(params, change)
    schedule, factors = optimizer.rate(steps), optimizer.factors(values)
    for path, value in values.items():
        expected = numpy_adamw(
            value,
            [gradient[path] for gradient in gradients],
            optimizer,
            factors[path],
            lambda step: float(schedule(step)),
            value.ndim > 1,
        )
        np.testing.assert_allclose(params[path], expected, rtol=2e-4, atol=1e-6, err_msg=path)


def test_clipping_bounds_the_gradient():
    params = {"head/kernel": jnp.ones((2, 2))}
    plain = SGD(1.0, Schedule(0.0, power=0.0), clip_norm=1.0, momentum=0.0, weight_decay=0.0)
    transform = plain.build(params, 10)
    for size, expected in ((100.0, 1.0), (0.1, 0.2)):
        gradient = {"head/kernel": jnp.full((2, 2), size)}
        change, _ = transform.update(gradient, transform.init(params), params)
        assert float(optax.tree.norm(change)) == pytest.approx(expected, rel=1e-5)


def test_sgd_equals_pytorchs():
    """Momentum accumulates gradient and weight decay; two steps by hand."""
    params = {"head/bias": jnp.array([1.0])}
    optimizer = SGD(schedule=Schedule(warmup_fraction=0.0, power=0.0))
    transform = optimizer.build(params, 10)
    state, value, velocity = transform.init(params), 1.0, 0.0
    for gradient in (0.5, -0.2):
        change, state = transform.update({"head/bias": jnp.array([gradient])}, state, params)
        params = optax.apply_updates(params, change)
        velocity = 0.9 * velocity + gradient + 5e-4 * value
        value -= 1e-2 * velocity
    np.testing.assert_allclose(params["head/bias"], [value], rtol=1e-6)


def test_the_rate_stays_above_its_minimum():
    rate = Schedule(0.0, power=0.9, minimum=1e-4).rate(1e-2, 100)
    assert float(rate(0)) == pytest.approx(1e-2)
    assert float(rate(100)) == pytest.approx(1e-4)


def test_heads_may_be_faster():
    table = rate_table(AdamW(learning_rate=6e-5, stage_decay=1.0, head_factor=10.0))
    assert table["image stage 3"] == pytest.approx(6e-5)
    assert table["fusion, decoder and heads"] == pytest.approx(6e-4)


@pytest.mark.parametrize("rate", [0.0, -1e-4, float("nan"), float("inf"), 1e39])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="learning_rate must be above 0 and finite"):
        AdamW(learning_rate=rate)
