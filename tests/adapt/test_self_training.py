"""What self-training methods share: heads, rounds, a start in the run; three steps as PyTorch's."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import CBST, IAST, METHODS, SEGMENTER
from rdepth_keras.adapt.method import Given
from rdepth_keras.adapt.self_training import LabelledRounds, SelfTraining
from rdepth_keras.labels import IGNORE
from rdepth_keras.optimizers import SGD, Schedule
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

HERE = Path(__file__).parent
case = SimpleNamespace(**runpy.run_path(str(HERE / "self_training_case.py")))
# Each is a program of its own; one of them every day.
NAMES = [
    name if name == "cbst" else pytest.param(name, marks=pytest.mark.proof) for name in case.CASES
]
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))
OWN = ("pycda", "cbst", "iast", "dca")


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def entropy(logits, label):
    """Mean over the labelled pixels; logits of the label's size."""
    kept = label != IGNORE
    surprise = np.log(np.exp(logits).sum(-1))
    chosen = np.take_along_axis(logits, np.where(kept, label, 0)[..., None].astype(int), -1)[..., 0]
    return ((surprise - chosen) * kept).sum() / max(kept.sum(), 1)


def test_the_source_is_averaged_over_the_heads_and_the_auxiliary_is_weighed():
    label = np.random.default_rng(0).integers(0, 3, (2, 8, 8)).astype(np.uint8)
    label[0, :2] = IGNORE
    one, other, auxiliary = (draw(2, 8, 8, 3, seed=seed) for seed in range(3))
    terms = SelfTraining(auxiliary_weight=0.3).supervised(
        {"logits": (one, other), "auxiliary": auxiliary}, label
    )
    assert terms.keys() == {"decode", "auxiliary"}
    both = (entropy(one, label) + entropy(other, label)) / 2
    np.testing.assert_allclose(terms["decode"], both, rtol=1e-5)
    np.testing.assert_allclose(terms["auxiliary"], 0.3 * entropy(auxiliary, label), rtol=1e-5)
    nothing = np.full_like(label, IGNORE)
    assert SelfTraining().supervised({"logits": one}, nothing) == {"decode": 0}


def test_rounds_are_parts_of_the_run():
    assert CBST().rounds(10_000) == (4000, 5000, 6000, 7000, 8000, 9000)
    assert CBST().rounds(10) == (4, 5, 6, 7, 8, 9)
    assert IAST().rounds(10_000) == (8000, 9000)
    assert IAST(start=0.4).rounds(100) == (40, 50, 60, 70, 80, 90)
    assert CBST().rounds(1) == () and CBST().rounds(3) == (2,)
    assert CBST(start=0.0, every=1.0).rounds(7) == (0,)
    assert CBST(start=0.5, every=1e-12).rounds(6) == (3, 4, 5)


@pytest.mark.parametrize("steps", [1, 2, 7, 300, 5000, 9999, 10_000, 40_000])
@pytest.mark.parametrize("start", [0.0, 0.1, 0.3, 0.4, 1 / 3, 0.8])
def test_the_target_counts_from_the_first_round_on(start, steps):
    """The step's float32 and the host's whole numbers mean the same moment."""
    begun = np.float32(np.arange(steps)) / np.float32(steps) >= np.float32(start - 1e-6)
    first = int(begun.argmax()) if begun.any() else None
    assert first == next(iter(CBST(start=start).rounds(steps)), None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": 1.0}, "start must be at least 0 and below 1; received 1.0"),
        ({"every": 0.0}, "every must be above 0 and at most 1; received 0.0"),
        ({"target_weight": -1.0}, "target_weight must be at least 0; received -1.0"),
        ({"auxiliary_weight": float("nan")}, "auxiliary_weight must be at least 0; received nan"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LabelledRounds(**settings)


@pytest.fixture(scope="module")
def outcomes():
    """CBST's first step before and after its first round, on batches of the case."""
    network = toys.segmenter((2,), classes=case.CLASSES)
    params, buffers = network.init()
    source, target = case.batches(0)
    (phase,) = CBST().phases({SEGMENTER: network})

    @jax.jit
    def loss(progress):
        given = Given(
            source, target, {SEGMENTER: buffers}, {}, jax.random.key(0), jnp.asarray(0), progress
        )
        return phase.loss({SEGMENTER: params}, given)

    key = jax.random.key(0)
    _, kept = network.apply(params, buffers, source, key)
    _, both = network.apply(params, kept, target, key)
    return SimpleNamespace(before=loss(0.39), after=loss(0.4), source=kept, both=both)


def test_before_the_first_round_the_target_is_not_seen(outcomes):
    """Not even its statistics are."""
    before, after = outcomes.before, outcomes.after
    assert before.logs.keys() == after.logs.keys() == {"loss", "decode", "pseudo"}
    assert before.logs["pseudo"] == 0 and before.loss == before.logs["decode"]
    assert after.logs["pseudo"] > 0 and after.loss > before.loss
    for path, value in outcomes.source.items():
        np.testing.assert_allclose(before.buffers[SEGMENTER][path], value, rtol=1e-5, atol=1e-6)
        both = outcomes.both[path]
        np.testing.assert_allclose(after.buffers[SEGMENTER][path], both, rtol=1e-5, atol=1e-6)
        assert not np.allclose(value, both, rtol=1e-3)


# -- three steps -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden():
    with np.load(HERE / "golden" / "self_training.npz") as file:
        return dict(file)


@pytest.mark.parametrize("name", NAMES)
def test_three_steps_are_pytorchs(name, golden):
    """Within 1e-4 of the distance moved, statistics too: see make_self_training.py."""
    kind, heads, settings = case.CASES[name]
    networks = {SEGMENTER: toys.segmenter((2,) * heads, classes=case.CLASSES)}
    method, schedule = METHODS[kind](**settings), Schedule(0.0, power=0.0)
    sgd = {SEGMENTER: SGD(case.RATE, schedule, case.CLIP, case.MOMENTUM, case.DECAY)}
    state, start = initial_state(networks, method, sgd, seed=0), case.draw(heads)
    assert start.keys() == {*state.params[SEGMENTER], *state.buffers[SEGMENTER]}

    def filled(variables):
        return {SEGMENTER: {path: jnp.asarray(start[path]) for path in variables[SEGMENTER]}}

    state = state.with_params(filled(state.params))._replace(buffers=filled(state.buffers))
    step = training_step(networks, method, sgd, steps=case.STEPS, seed=0)
    for number in range(case.STEPS):
        state, logs = step(state, *case.batches(number))
    assert logs["finite"]
    found = jax.device_get({**state.params[SEGMENTER], **state.buffers[SEGMENTER]})
    wanted = {path: golden[f"{name}/{path}"] for path in start}
    squares = [np.square(wanted[path] - start[path]).sum() for path in state.params[SEGMENTER]]
    moved = float(np.sqrt(sum(squares)))
    assert moved > 1e-2
    for path, values in wanted.items():
        np.testing.assert_allclose(found[path], values, rtol=1e-5, atol=1e-4 * moved, err_msg=path)
