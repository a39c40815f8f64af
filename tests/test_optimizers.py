"""Rates by path, schedule and weight decay, against the recipe's numbers and a NumPy twin."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rdepth_keras.optimizers import OPTIMIZERS, SGD, Adam, AdamW, Schedule, rate_table
from rdepth_keras.packing import Packed

PATHS = {
    "image_encoder/stem/kernel": 0.9**13,
    "image_encoder/stem_norm/gamma": 0.9**13,
    "image_encoder/stage2_downsample_norm/gamma": 0.9**13,
    "image_encoder/stage4_downsample/kernel": 0.9**13,
    "image_encoder/stage2_patches/kernel": 0.9**13,
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
    rate = Schedule(0.05, decay_end=1.5, power=0.9).rate(1e-4, 10_000)
    assert float(rate(10_000)) == pytest.approx(1e-4 * (1 - 9250 / 14250) ** 0.9, rel=1e-4)


def test_the_decay_may_start_before_the_warmup_ends():
    """LoveDA's release: base * i / 750, then base * (1 - i / 15 000)^0.9, stopped at 10 000."""
    rate = Schedule(0.05, decay_end=1.5, power=0.9, decays_from="start").rate(1e-2, 10_000)
    assert float(rate(375)) == pytest.approx(0.5e-2, rel=1e-5)
    assert float(rate(749)) == pytest.approx(749 / 750 * 1e-2, rel=1e-5)
    for step in (750, 5000, 10_000):
        assert float(rate(step)) == pytest.approx(1e-2 * (1 - step / 15_000) ** 0.9, rel=1e-4)


def test_encoders_go_by_the_end_of_their_name():
    """Two students of one network, as in ST-DASegNet; and a depth encoder of any name."""
    optimizer = AdamW()
    for encoder in ("source_encoder", "target_encoder", "encoder_encoder"):
        factors = optimizer.factors([f"{encoder}/stage2_block3/kernel", f"{encoder}/stem/kernel"])
        assert list(factors.values()) == pytest.approx([0.9**11, 0.9**13])
    paths = ["source_depth_encoder/stem/kernel"]
    assert list(optimizer.factors(paths).values()) == [1.0]
    assert list(AdamW(decay_depth_encoder=True).factors(paths).values()) == [0.9**13]
    assert list(AdamW(head_factor=3.0).factors(["encoder_neck/stem/kernel"]).values()) == [3.0]


def updates(optimizer, params, gradients, steps=10):
    """Params after one update for each gradient, with the rate of its number and with clipping."""
    packing, rate = optimizer.packing(params), optimizer.rate(steps)
    transform, pack = optimizer.build(packing), packing.pack
    state = transform.init(pack(params))
    for step, gradient in enumerate(gradients):
        change, state = transform.update(pack(optimizer.clip(gradient)), state, pack(params))
        change = Packed(packing, change)
        params = {path: params[path] - rate(step) * change[path] for path in params}
    return params


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
    wanted = [
        {path: jnp.asarray(value, jnp.float32) for path, value in gradient.items()}
        for gradient in gradients
    ]
    params = updates(optimizer, params, wanted, steps)
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
    optimizer = SGD(clip_norm=1.0)
    for size, expected in ((100.0, 1.0), (0.1, 0.2)):
        gradient = {"head/kernel": jnp.full((2, 2), size)}
        assert float(optax.tree.norm(optimizer.clip(gradient))) == pytest.approx(expected, rel=1e-5)
    assert SGD().clip(gradient) is gradient


def test_sgd_equals_pytorchs():
    """Momentum accumulates gradient and weight decay; two steps by hand."""
    optimizer = SGD(schedule=Schedule(warmup_fraction=0.0, power=0.0))
    params, given = {"head/bias": jnp.array([1.0])}, (0.5, -0.2)
    params = updates(optimizer, params, [{"head/bias": jnp.array([value])} for value in given])
    value, velocity = 1.0, 0.0
    for gradient in given:
        velocity = 0.9 * velocity + gradient + 5e-4 * value
        value -= 1e-2 * velocity
    np.testing.assert_allclose(params["head/bias"], [value], rtol=1e-6)


def test_adam_has_no_decay():
    """Two steps by hand, in Adam's own numbers."""
    optimizer = Adam(learning_rate=0.1, schedule=Schedule(0.0, power=0.0))
    params = {"block/kernel": jnp.full((1, 1), 2.0)}
    params = updates(
        optimizer, params, [{"block/kernel": jnp.full((1, 1), value)} for value in (3.0, -1.0)]
    )
    second = (0.09 * 3 + 0.1 * -1) / (1 - 0.81), (0.99 * 0.09 + 0.01) / (1 - 0.99**2)
    expected = 2 - 0.1 - 0.1 * second[0] / second[1] ** 0.5
    np.testing.assert_allclose(params["block/kernel"], [[expected]], rtol=1e-5)


@pytest.mark.parametrize("kind", OPTIMIZERS.values())
def test_the_schedule_is_not_the_optimizers(kind):
    """Nothing that an optimizer carries from update to update is its rate or the schedule's."""
    path = "image_encoder/stem/kernel"
    params = {path: jnp.ones((2, 2))}
    gradients = [{path: jnp.full((2, 2), value)} for value in (1.0, -2.0)]
    moments = []
    for schedule in (Schedule(), Schedule(0.9, decay_end=3, power=2.0)):
        optimizer = kind(schedule=schedule)
        transform = optimizer.build(optimizer.packing(params))
        state = transform.init(params)
        for gradient in gradients:
            _, state = transform.update(gradient, state, params)
        moments.append(state)
    for one, other in zip(*map(jax.tree.leaves, moments), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_rate_stays_above_its_minimum():
    rate = Schedule(0.0, power=0.9, minimum=1e-4).rate(1e-2, 100)
    assert float(rate(0)) == pytest.approx(1e-2)
    assert float(rate(100)) == pytest.approx(1e-4)


def test_heads_may_be_faster():
    table = rate_table(AdamW(learning_rate=6e-5, stage_decay=1.0, head_factor=10.0))
    assert table["image stage 3"] == pytest.approx(6e-5)
    assert table["fusion"] == table["decoder and heads"] == pytest.approx(6e-4)
    table = rate_table(SGD(head_factor=2.0))
    assert 2 * table["fusion"] == table["decoder and heads"] == 2e-2
    heads = ("source_decoder/fuse/conv/kernel", "target_head/bias", "head1/kernel", "auxiliary/x")
    others = ("source_encoder/head/kernel", "distinct1/source/kernel", "source_fusion1/kernel")
    factors = SGD(head_factor=2.0).factors([*heads, *others])
    assert list(factors.values()) == [2.0] * len(heads) + [1.0] * len(others)


@pytest.mark.parametrize(
    ("optimizer", "path", "wanted"),
    [
        (AdamW(), "backbone/stage1_block1/depthwise/kernel", "names end in _encoder.* of backbone"),
        (AdamW(stage_decay=1.0, head_factor=10.0), "backbone/stem/kernel", "names end in _encoder"),
        (AdamW(), "image_encoder/layer1/kernel", "stages by names such as image_encoder/stage1"),
        (AdamW(decay_depth_encoder=True), "depth_encoder/layer1/kernel", "stages by names such as"),
        (SGD(head_factor=2.0), "classifier/kernel", "layers with decoder, head or auxiliary"),
    ],
)
def test_rates_that_go_by_names_of_nothing_are_refused(optimizer, path, wanted):
    with pytest.raises(ValueError, match=wanted):
        optimizer.packing({path: jnp.ones((2, 2))})
    kind = type(optimizer)
    plain = kind(head_factor=1.0, stage_decay=1.0) if kind is AdamW else kind(head_factor=1.0)
    assert plain.packing({path: jnp.ones((2, 2))}).groups.keys() == {path}


def test_encoders_that_do_not_train_are_known_all_the_same():
    """And a depth encoder without stage-wise rates, the paper's quirk, is no fault."""
    head = {"decoder/kernel": jnp.ones((2, 2))}
    with pytest.raises(ValueError, match="names end in _encoder"):
        AdamW().packing(head)
    assert AdamW().packing(head, ["image_encoder/stage1_block1/depthwise/kernel"]).groups
    assert AdamW().packing({"depth_encoder/stem/kernel": jnp.ones((2, 2))}).groups


@pytest.mark.parametrize("rate", [0.0, -1e-4, float("nan"), float("inf"), 1e39])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(ValueError, match="learning_rate must be above 0 and finite"):
        AdamW(learning_rate=rate)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Schedule, {"warmup_fraction": 3}, "warmup_fraction must be from 0 to 1; received 3"),
        (Schedule, {"warmup_fraction": -0.1}, "warmup_fraction"),
        (Schedule, {"warmup_fraction": float("nan")}, "warmup_fraction"),
        (Schedule, {"decay_end": 0.5}, "decay_end must be at least 1 and finite; received 0.5"),
        (Schedule, {"decays_from": "peak"}, "decays_from must be 'warmup' or 'start'"),
        (Schedule, {"power": -1.0}, "power must be at least 0"),
        (Schedule, {"minimum": float("inf")}, "minimum must be at least 0 and finite"),
        (
            *(AdamW, {"learning_rate": 1e-4, "schedule": Schedule(minimum=1e-3)}),
            "minimum must be at most the learning_rate, .* received 0.001 and 0.0001",
        ),
        (AdamW, {"clip_norm": 0.0}, "clip_norm must be above 0, or None; received 0.0"),
        (SGD, {"clip_norm": float("nan")}, "clip_norm"),
        (AdamW, {"beta1": 1.0}, "beta1 must be at least 0 and below 1; received 1.0"),
        (AdamW, {"beta2": -0.5}, "beta2"),
        (Adam, {"beta2": 1.5}, "beta2"),
        (AdamW, {"weight_decay": -1.0}, "weight_decay must be at least 0 and finite"),
        (AdamW, {"stage_decay": 0.0}, "stage_decay must be above 0 and at most 1"),
        (AdamW, {"head_factor": float("inf")}, "head_factor"),
        (SGD, {"head_factor": 0.0}, "head_factor"),
        (SGD, {"momentum": 1.0}, "momentum must be at least 0 and below 1"),
        (SGD, {"weight_decay": float("nan")}, "weight_decay"),
    ],
)
def test_impossible_settings_are_refused(kind, settings, message):
    with pytest.raises(ValueError, match=message):
        kind(**settings)
