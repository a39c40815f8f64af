"""The one step against plain loops: a critic of its own, a mean teacher; who trains and who not."""

import runpy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rdepth_keras.adapt import SEGMENTER, Method
from rdepth_keras.adapt.method import Outcome, Phase
from rdepth_keras.labels import IGNORE
from rdepth_keras.optimizers import SGD, Adam, Schedule
from rdepth_keras.packing import Packing
from rdepth_keras.train.state import initial_state, trained
from rdepth_keras.train.step import training_step

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
mini = SimpleNamespace(**runpy.run_path(str(CONTRACTS / "miniatures.py")))

STEPS, WHOLE, SEED = 6, 10, 5
RATE, CRITIC_RATE, CLIP = 0.05, 0.01, 0.5
SCHEDULE = Schedule(warmup_fraction=0.2, power=0.9)
OPTIMIZERS = {
    SEGMENTER: SGD(RATE, SCHEDULE, clip_norm=CLIP),
    "critic": Adam(CRITIC_RATE, SCHEDULE, clip_norm=1e-6),
}


def prepare(method, average_decay=None):
    networks = method.networks(mini.parts())
    optimizers = {name: OPTIMIZERS[name] for name in trained(method, networks)}
    average = average_decay is not None
    state = initial_state(networks, method, optimizers, seed=SEED, average=average)
    options = {"steps": WHOLE, "seed": SEED, "average_decay": average_decay}
    return networks, state, training_step(networks, method, optimizers, **options)


def states(method, steps=STEPS):
    """The networks, and on the host the state before and after each step, and the last logs."""
    networks, state, step = prepare(method)
    seen, logs = [jax.device_get(state)], {}
    for number in range(steps):
        state, logs = step(state, mini.batch(number), mini.batch(100 + number))
        seen.append(jax.device_get(state))
    return networks, seen, jax.device_get(logs)


@pytest.fixture(scope="module")
def adversarial():
    return states(mini.Adversarial())


@pytest.fixture(scope="module")
def teacher():
    return states(mini.MeanTeacher())


def rate(peak, step):
    """The schedule by hand: 2 of 10 steps of warm-up, then a polynomial to 0."""
    if step < 2:
        return peak * (1e-6 + (1 - 1e-6) * step / 2)
    return peak * (1 - (step - 2) / 8) ** 0.9


def norm(tree):
    return float(np.sqrt(sum(np.square(np.asarray(x, np.float64)).sum() for x in tree.values())))


def sgd(params, gradients, velocity, step):
    """Clipping, decay as part of the gradient, momentum; in place of the optimizer."""
    factor = min(1.0, CLIP / norm(gradients))
    for path, gradient in gradients.items():
        total = factor * np.asarray(gradient) + 5e-4 * params[path]
        velocity[path] = 0.9 * velocity.get(path, 0) + total
    return {path: params[path] - rate(RATE, step) * velocity[path] for path in params}


def adam(params, gradients, moments, step):
    """Adam without decay and clipping, with its own count of updates."""
    first, second = moments.setdefault("first", {}), moments.setdefault("second", {})
    moments["count"] = count = moments.get("count", 0) + 1
    new = {}
    for path, gradient in gradients.items():
        gradient = np.asarray(gradient)
        first[path] = 0.9 * first.get(path, 0) + 0.1 * gradient
        second[path] = 0.99 * second.get(path, 0) + 0.01 * gradient**2
        size = np.sqrt(second[path] / (1 - 0.99**count)) + 1e-8
        new[path] = params[path] - rate(CRITIC_RATE, step) * first[path] / (1 - 0.9**count) / size
    return new


def assert_near(found, expected, start):
    """Within 1e-5 of the values, or 1e-4 of the distance that the whole network moved."""
    moved = norm({path: expected[path] - np.asarray(start[path]) for path in expected})
    assert moved > 1e-3
    for path, values in expected.items():
        np.testing.assert_allclose(found[path], values, rtol=1e-5, atol=1e-4 * moved, err_msg=path)


def entropy(logits, label, weights=1.0):
    """Cross-entropy at the label's size, the mean over the labelled pixels; plain."""
    batch, height, width = label.shape
    logits = jax.image.resize(logits, (batch, height, width, mini.CLASSES), "linear")
    chosen = jax.nn.one_hot(label, mini.CLASSES)
    terms = -(chosen * jax.nn.log_softmax(logits)).sum(-1) * weights
    return terms.sum() / (label != IGNORE).sum()


def keys(step, phase):
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(SEED), step), phase)


def doubt(critic, variables, scores, domain):
    verdict = critic.apply(variables, {}, {"scores": scores})[0]
    return -jnp.log(jax.nn.sigmoid(verdict if domain else -verdict)).mean()


def test_an_adversarial_method_is_its_plain_loop(adversarial):
    networks, seen, _ = adversarial
    network, critic = networks[SEGMENTER], networks["critic"]

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def deceive(own, buffers, other, source, target, key):
        one, two = jax.random.split(key)
        outputs, kept = network.apply(own, buffers, source, one)
        guessed, kept = network.apply(own, kept, target, two)
        scores = jax.nn.softmax(guessed["logits"])
        loss = entropy(outputs["logits"], source["label"])
        return loss + 0.1 * doubt(critic, other, scores, 0), kept

    @jax.jit
    @jax.grad
    def tell_apart(other, own, buffers, source, target, key):
        maps = [
            jax.nn.softmax(network.apply(own, buffers, x, key)[0]["logits"])
            for x in (source, target)
        ]
        return 0.5 * sum(doubt(critic, other, scores, n) for n, scores in enumerate(maps))

    own, other = seen[0].params[SEGMENTER], seen[0].params["critic"]
    buffers, velocity, moments = seen[0].buffers[SEGMENTER], {}, {}
    for step in range(STEPS):
        source, target = mini.batch(step), mini.batch(100 + step)
        (_, buffers), gradients = deceive(own, buffers, other, source, target, keys(step, 0))
        own = sgd(own, gradients, velocity, step)
        gradients = tell_apart(other, own, buffers, source, target, keys(step, 1))
        other = adam(other, gradients, moments, step)
    last = seen[-1]
    assert_near(last.params[SEGMENTER], own, seen[0].params[SEGMENTER])
    assert_near(last.params["critic"], other, seen[0].params["critic"])
    for path, values in buffers.items():
        np.testing.assert_allclose(last.buffers[SEGMENTER][path], values, rtol=1e-5, atol=1e-6)


def test_a_mean_teacher_is_its_plain_loop(teacher):
    networks, seen, _ = teacher
    network, frozen = networks[SEGMENTER], networks["frozen"]

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def loss(own, buffers, pupil, statistics, source, target, key):
        outputs, statistics = network.apply(pupil, statistics, target, None, "batch")
        scores = jax.nn.softmax(outputs["logits"]).repeat(2, 1).repeat(2, 2)
        share = (scores.max(-1) > 0.4).mean()
        key, mixing = jax.random.split(key)
        label = source["label"]
        taken = jax.random.bernoulli(mixing, 0.5, (len(label), mini.CLASSES))
        pasted = jnp.stack(
            [
                sum((one == c) & chosen[c] for c in range(mini.CLASSES)) > 0
                for one, chosen in zip(label, taken, strict=True)
            ]
        )
        image = jnp.where(pasted[..., None], source["image"], target["image"])
        one, two = jax.random.split(key)
        first, kept = network.apply(own, buffers, source, one)
        second, kept = network.apply(own, kept, {"image": image}, two)
        reference, _ = frozen.apply(seen[0].params["frozen"], seen[0].buffers["frozen"], source)
        mixed = jnp.where(pasted, label, scores.argmax(-1))
        total = entropy(first["logits"], label)
        total += entropy(second["logits"], mixed, jnp.where(pasted, 1, share))
        total += 0.01 * ((first["features"] - reference["features"]) ** 2).mean()
        return total, (kept, statistics)

    own, buffers = seen[0].params[SEGMENTER], seen[0].buffers[SEGMENTER]
    (pupil, statistics), velocity = (own, buffers), {}
    for step in range(STEPS):
        batches = mini.batch(step), mini.batch(100 + step)
        (_, (buffers, statistics)), gradients = loss(
            own, buffers, pupil, statistics, *batches, keys(step, 0)
        )
        own = sgd(own, gradients, velocity, step)
        decay = min(1 - 1 / (step + 1), 0.9)
        pupil = {path: decay * pupil[path] + (1 - decay) * own[path] for path in own}
    last, start = seen[-1], seen[0].params[SEGMENTER]
    assert_near(last.params[SEGMENTER], own, start)
    assert_near(last.memory["teacher"][0], pupil, start)
    pairs = (last.buffers[SEGMENTER], buffers), (last.memory["teacher"][1], statistics)
    for found, expected in pairs:
        for path, values in expected.items():
            np.testing.assert_allclose(found[path], values, rtol=1e-5, atol=1e-6, err_msg=path)


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_network_that_no_phase_trains_stays_as_it_was_built(teacher):
    _, seen, _ = teacher
    assert seen[0].optimizer.keys() == {SEGMENTER}
    for state in seen[1:]:
        assert_same(state.params["frozen"], seen[0].params["frozen"])
        assert_same(state.buffers["frozen"], seen[0].buffers["frozen"])


class Turns(Method):
    """One network moves at a time, though the loss has gradients of both; ``trains`` says which."""

    def __init__(self, *trains):
        object.__setattr__(self, "trains", trains)

    def networks(self, parts):
        return {SEGMENTER: parts.segmenter, "critic": parts.build("critic")}

    def phases(self, networks):
        def loss(params, given):
            outputs = [
                networks[name].apply(params[name], given.buffers[name], given.source)[0]
                for name in networks
            ]
            total = sum(entropy(x["logits"], given.source["label"]) for x in outputs)
            seen = given.memory.get("seen", jnp.zeros(())) + 1
            logs = {"loss": total, "progress": given.progress}
            return Outcome(total, logs, given.buffers, {"seen": seen})

        return tuple(Phase(loss, (name,)) for name in self.trains)

    def memory(self, networks, params, buffers, key):
        return {"seen": jnp.zeros(())}


def test_only_the_named_network_moves_with_its_optimizer():
    """Bit for bit: neither gradient, nor decay, nor momentum, nor count of the other one."""
    both, state, _ = prepare(Turns(SEGMENTER, "critic"))
    optimizers = {name: OPTIMIZERS[name] for name in (SEGMENTER, "critic")}
    for own, other in ((SEGMENTER, "critic"), ("critic", SEGMENTER)):
        step = training_step(both, Turns(own), optimizers, steps=WHOLE, seed=SEED)
        after = jax.tree.map(jnp.copy, state)
        for number in range(2):
            after, _ = step(after, mini.batch(number), None)
        assert_same(after.params[other], state.params[other])
        assert_same(after.optimizer[other], state.optimizer[other])
        moved = (np.asarray(a != b).any() for a, b in zip(*leaves(after, state, own), strict=True))
        assert all(moved)


def leaves(after, before, name):
    return [jax.tree.leaves((s.params[name], s.optimizer[name])) for s in (after, before)]


def test_two_updates_are_one_step_of_the_schedule():
    """As PyCDA's: the rate goes by the step; memory and params pass from phase to phase."""
    _, state, step = prepare(Turns(SEGMENTER, SEGMENTER))
    networks = Turns().networks(mini.parts())
    own, velocity = jax.device_get(state.params[SEGMENTER]), {}
    buffers = jax.device_get(state.buffers[SEGMENTER])
    start = own

    @jax.jit
    @jax.grad
    def gradients(own, batch):
        outputs, _ = networks[SEGMENTER].apply(own, buffers, batch)
        return entropy(outputs["logits"], batch["label"])

    for number in range(4):
        state, logs = step(state, mini.batch(number), None)
        assert float(logs["progress"]) == pytest.approx(number / WHOLE)
        for _ in range(2):
            own = sgd(own, gradients(own, mini.batch(number)), velocity, number)
    assert_near(jax.device_get(state.params[SEGMENTER]), own, start)
    assert float(state.memory["seen"]) == 8 and int(state.step) == 4


def test_phases_may_go_unclipped(adversarial):
    """The critic's clip_norm is all but 0, and its phase does without; the segmenter's holds."""
    _, seen, _ = adversarial
    moment = seen[1].optimizer["critic"][0].mu
    assert norm(moment) > 1e-3
    velocity = seen[1].optimizer[SEGMENTER][0][1].trace
    decayed = {path: 5e-4 * value for path, value in seen[0].params[SEGMENTER].items()}
    decayed = Packing.of(decayed, lambda path: decayed[path].ndim > 1).pack(decayed)
    assert norm({name: velocity[name] - decayed[name] for name in velocity}) <= CLIP * (1 + 1e-4)


def test_the_logs(adversarial):
    _, _, logs = adversarial
    assert logs.keys() == {"loss", "fooled", "critic", "gradient_norm", "finite"}
    assert logs["finite"] and logs["gradient_norm"] > 0


def test_not_finite_is_told_from_any_phase():
    _, state, step = prepare(mini.Adversarial())
    broken = mini.batch(1)
    broken["image"] = np.full(broken["image"].shape, np.nan, np.float32)
    _, logs = step(state, mini.batch(0), broken)
    assert not logs["finite"]


def test_the_average_follows_what_trains():
    method = mini.MeanTeacher()
    _, state, step = prepare(method, average_decay=0.75)
    before = jax.device_get(state.average)
    assert before.keys() == {SEGMENTER}
    for number in range(2):
        state, _ = step(state, mini.batch(number), mini.batch(100 + number))
    for path, value in state.best_params[SEGMENTER].items():
        np.testing.assert_array_equal(value, state.average[SEGMENTER][path])
        assert (np.asarray(value) != before[SEGMENTER][path]).any(), path


def test_optax_agrees_with_the_loops_by_hand():
    """The loops' own SGD is optax's chain, so that they are no copy of the code they check."""
    params = {"a": np.array([1.0, -2.0], np.float32)}
    given = [{"a": np.array([3.0, 4.0], np.float32)}, {"a": np.array([-0.1, 0.2], np.float32)}]
    chain = optax.chain(
        optax.clip_by_global_norm(CLIP),
        optax.add_decayed_weights(5e-4),
        optax.sgd(lambda count: jnp.array([rate(RATE, 2), rate(RATE, 3)])[count], momentum=0.9),
    )
    state, ours, theirs, velocity = chain.init(params), params, params, {}
    for step, gradient in enumerate(given, 2):
        ours = sgd(ours, gradient, velocity, step)
        change, state = chain.update(gradient, state, theirs)
        theirs = optax.apply_updates(theirs, change)
    np.testing.assert_allclose(ours["a"], theirs["a"], rtol=1e-6)
