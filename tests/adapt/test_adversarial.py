"""What adversarial methods share: terms by hand, who learns from what, three steps as PyTorch's."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import METHODS, SEGMENTER
from rdepth_keras.adapt.adversarial import (
    SOURCE,
    TARGET,
    Adversarial,
    Critics,
    cosine,
    disagreement,
    domain_cross_entropy,
    soft_cross_entropy,
    spread,
)
from rdepth_keras.adapt.discriminators import patch_critic
from rdepth_keras.adapt.method import Given, Parts
from rdepth_keras.adapt.outputs import predicting
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.optimizers import SGD, Adam, Schedule
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

HERE = Path(__file__).parent
case = SimpleNamespace(**runpy.run_path(str(HERE / "adversarial_case.py")))
# Each is a program of its own; one of them every day.
NAMES = [
    name if name == "adaptsegnet" else pytest.param(name, marks=pytest.mark.proof)
    for name in case.CASES
]
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def test_the_domains_cross_entropy():
    assert float(domain_cross_entropy(jnp.zeros((2, 3)), SOURCE)) == pytest.approx(np.log(2))
    sure = jnp.full((1, 1, 1, 1), 100.0)
    assert float(domain_cross_entropy(sure, TARGET)) == 0
    assert float(domain_cross_entropy(sure, SOURCE)) == pytest.approx(100)
    verdict = draw(2, 3, 4, 1).astype(np.float64)
    for domain, chance in ((SOURCE, 1 - sigmoid(verdict)), (TARGET, sigmoid(verdict))):
        found = domain_cross_entropy(jnp.asarray(verdict, jnp.bfloat16), domain)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, -np.log(chance).mean(), rtol=1e-2)
        found = domain_cross_entropy(jnp.asarray(verdict, jnp.float32), domain)
        np.testing.assert_allclose(found, -np.log(chance).mean(), rtol=1e-5)


def test_the_soft_cross_entropy():
    """By hand: even logits, labels that add up to 0.9; and a plain twin."""
    even, soft = jnp.zeros((1, 1, 1, 6)), jnp.array([[[[0.9, 0.0, 0.0]]]])
    assert float(soft_cross_entropy(even, soft, SOURCE)) == pytest.approx(0.9 * np.log(6))
    verdict, soft = draw(2, 3, 4, 6), softmax(draw(2, 3, 4, 3, seed=1))
    none = np.zeros_like(soft)
    for domain, truth in ((SOURCE, [soft, none]), (TARGET, [none, soft])):
        expected = -(np.concatenate(truth, -1) * np.log(softmax(verdict))).sum(-1).mean()
        np.testing.assert_allclose(soft_cross_entropy(verdict, soft, domain), expected, rtol=1e-5)


def test_disagreement_and_cosine():
    agree = jnp.array([[[[0.2, 0.3, 0.5]]]])
    np.testing.assert_allclose(disagreement(agree, agree), [[[[0.0]]]], atol=1e-6)
    apart = disagreement(jnp.array([[[[1.0, 0.0]]]]), jnp.array([[[[0.0, 1.0]]]]))
    np.testing.assert_allclose(apart, [[[[1.0]]]])
    one, other = softmax(draw(2, 3, 4, 5)), softmax(draw(2, 3, 4, 5, seed=1))
    lengths = np.linalg.norm(one, axis=-1) * np.linalg.norm(other, axis=-1)
    expected = 1 - (one * other).sum(-1) / lengths
    np.testing.assert_allclose(disagreement(one, other)[..., 0], expected, rtol=1e-4, atol=1e-6)

    one, other = ({"a": draw(3, 2, seed=s), "b": draw(4, seed=s + 1)} for s in (0, 5))
    flat = [np.concatenate([each["a"].ravel(), each["b"]]) for each in (one, other)]
    expected = flat[0] @ flat[1] / np.linalg.norm(flat[0]) / np.linalg.norm(flat[1])
    np.testing.assert_allclose(cosine(one, other), expected, rtol=1e-5)
    nothing = {"a": jnp.zeros(3)}
    assert np.isfinite(cosine(nothing, nothing))
    assert np.isfinite(jax.grad(lambda x: cosine({"a": x}, nothing))(jnp.zeros(3))).all()


@pytest.mark.parametrize("function", [disagreement, lambda a, b: cosine({0: a}, {0: b})])
def test_gradients_by_finite_differences(function):
    one, other = softmax(draw(1, 2, 2, 3)), softmax(draw(1, 2, 2, 3, seed=1))

    def value(x):
        return jnp.sum(function(x, jnp.asarray(other)) * (1 + jnp.arange(2.0)[:, None]))

    found = np.asarray(jax.jit(jax.grad(value))(one))
    for place in np.ndindex(one.shape):
        step = np.zeros_like(one)
        step[place] = 1e-2
        difference = (value(one + step) - value(one - step)) / 2e-2
        np.testing.assert_allclose(found[place], difference, rtol=0.02, atol=2e-3)


def test_verdicts_are_enlarged_between_the_centres_of_corners():
    row = jnp.array([0.0, 3.0], jnp.bfloat16).reshape(1, 1, 2, 1)
    found = spread(row, jnp.zeros((1, 1, 4)))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found[0, 0, :, 0], [0, 1, 2, 3], rtol=1e-6)


def test_a_verdict_moves_the_critic_or_the_map():
    """Never both: exact zeros."""
    network = patch_critic("critic", 2, (3,), seed=0)
    params, buffers = network.init()
    x = draw(1, 8, 8, 2)

    def verdict(way):
        def value(params, x):
            critics = Critics({"critic": network}, {"critic": params}, {"critic": buffers})
            return getattr(critics, way)("critic", x).sum()

        return jax.grad(value, argnums=(0, 1))(params, x)

    of_params, of_map = verdict("fixed")
    assert not any(np.asarray(value).any() for value in of_params.values()) and of_map.any()
    of_params, of_map = verdict("learning")
    assert all(np.asarray(value).any() for value in of_params.values()) and not of_map.any()


def test_the_base_alone_has_no_terms():
    with pytest.raises(TypeError, match="Adversarial defines no terms"):
        Adversarial().terms({}, {}, {}, Critics({}, {}, {}), None)


# -- the methods -----------------------------------------------------------------------------------


def networks_of(method, stages, settings):
    norm = TransNorm if method == "transnorm" else BatchNorm
    segmenter = toys.segmenter(stages, norm, case.CLASSES)
    method = METHODS[method](**settings)
    return method, method.networks(Parts(segmenter, lambda name: segmenter, case.CLASSES, None, 0))


def outputs_of(stages, seed):
    """As of a network with features at stride 2."""
    side, width = case.SIZE, toys.WIDTH
    logits = [draw(2, side, side, case.CLASSES, seed=seed + i) for i in range(len(stages))]
    features = tuple(draw(2, side // 2, side // 2, width, seed=seed + 10 + i) for i in range(4))
    return {"logits": tuple(logits) if len(logits) > 1 else logits[0], "features": features}


def seen(outputs):
    """With what the segmenter predicts."""
    return {**outputs, "prediction": sum(predicting(outputs))}


@pytest.mark.parametrize("name", NAMES)
def test_who_receives_gradient(name):
    """The segmenter's terms move its maps and no critic; the critics' terms the reverse."""
    kind, stages, settings = case.CASES[name]
    method, networks = networks_of(kind, stages, settings)
    values = {network: each.init() for network, each in networks.items()}
    params, buffers = ({k: v[i] for k, v in values.items()} for i in (0, 1))
    batch = {"label": jnp.asarray(case.batch(0)["label"])}
    key, late = jax.random.key(0), jnp.asarray(0.5)
    given = Given(batch, batch, buffers, {}, key, jnp.asarray(1), late)

    def values_of(source, target, critics):
        everything = {**params, **critics}
        judges = Critics(networks, everything, buffers)
        terms = method.terms(seen(source), seen(target), everything, judges, given)
        return [sum(each.values()) for each in terms]

    critics = {network: params[network] for network in networks if network != SEGMENTER}
    source, target = outputs_of(stages, 0), outputs_of(stages, 50)
    jacobian = jax.jit(jax.jacrev(values_of, argnums=(0, 1, 2)))
    own, theirs = jacobian(source, target, critics)

    def moved(tree):
        return [bool(np.asarray(leaf).any()) for leaf in jax.tree.leaves(tree)]

    assert all(moved(own[0]["logits"])) and not any(moved(own[2]))
    read = own[1]["features"][2] if kind == "fada" else own[1]["logits"]
    ignored = own[1]["logits"] if kind == "fada" else own[1]["features"]
    assert all(moved(read)) and not any(moved(ignored))
    assert not any(moved(theirs[:2])) and all(moved(theirs[2]))


@pytest.fixture(scope="module")
def golden():
    with np.load(HERE / "golden" / "adversarial.npz") as file:
        return dict(file)


def norm(tree):
    return float(np.sqrt(sum(np.square(np.asarray(x, np.float64)).sum() for x in tree.values())))


@pytest.mark.parametrize("name", NAMES)
def test_three_steps_are_pytorchs(name, golden):
    """Within 1e-4 of the distance that each network moved: see make_adversarial.py."""
    kind, stages, settings = case.CASES[name]
    method, networks = networks_of(kind, stages, settings)
    constant = Schedule(0.0, power=0.0)
    sgd = SGD(case.RATE, constant, case.CLIP, case.MOMENTUM, case.DECAY)
    adam = Adam(case.CRITIC_RATE, constant, case.CLIP, *case.BETAS)
    optimizers = {network: sgd if network == SEGMENTER else adam for network in networks}
    state = initial_state(networks, method, optimizers, seed=0)
    drawn = case.draw(kind, stages)
    assert drawn.keys() == networks.keys()

    def filled(variables):
        return {n: {p: jnp.asarray(drawn[n][p]) for p in each} for n, each in variables.items()}

    for network, values in drawn.items():
        assert values.keys() == {*state.params[network], *state.buffers[network]}
    state = state.with_params(filled(state.params))._replace(buffers=filled(state.buffers))
    step = training_step(networks, method, optimizers, steps=case.STEPS, seed=0)
    for number in range(case.STEPS):
        state, logs = step(state, *case.batches(number))
    assert logs["finite"]
    for network, start in drawn.items():
        found = jax.device_get({**state.params[network], **state.buffers[network]})
        wanted = {path: golden[f"{name}/{network}/{path}"] for path in start}
        moved = norm({path: wanted[path] - start[path] for path in state.params[network]})
        assert moved > 1e-2
        for path, values in wanted.items():
            np.testing.assert_allclose(
                found[path], values, rtol=1e-5, atol=1e-4 * moved, err_msg=path
            )


@pytest.mark.parametrize("name", NAMES)
def test_terms_are_float32_in_a_network_of_bfloat16(name):
    kind, stages, settings = case.CASES[name]
    norm = TransNorm if kind == "transnorm" else BatchNorm
    segmenter = toys.segmenter(stages, norm, case.CLASSES)
    method = METHODS[kind](**settings)
    parts = Parts(segmenter, lambda name: segmenter, case.CLASSES, "mixed_bfloat16", 0)
    networks = method.networks(parts)
    values = {network: each.init() for network, each in networks.items()}
    params, buffers = ({k: v[i] for k, v in values.items()} for i in (0, 1))
    batch = {"label": jnp.asarray(case.batch(0)["label"])}

    def terms(source, target, progress):
        given = Given(batch, batch, buffers, {}, jax.random.key(0), jnp.asarray(1), progress)
        critics = Critics(networks, params, buffers)
        return method.terms(seen(source), seen(target), params, critics, given)

    halves = jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), outputs_of(stages, 0))
    found = jax.eval_shape(terms, halves, halves, jnp.asarray(0.5))
    assert {(x.shape, x.dtype) for x in jax.tree.leaves(found)} == {((), jnp.dtype("float32"))}
