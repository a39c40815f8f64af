"""ST-DASegNet: terms against plain NumPy, who gets gradients, three steps against PyTorch's."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, STDASegNet
from rdepth_keras.adapt.adversarial import Critics
from rdepth_keras.adapt.method import Given, Parts
from rdepth_keras.adapt.outputs import see
from rdepth_keras.adapt.st_dasegnet import spatial_softmax
from rdepth_keras.models.layers.resample import interpolation
from rdepth_keras.optimizers import SGD, Adam, Schedule
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

HERE = Path(__file__).parent
case = SimpleNamespace(**runpy.run_path(str(HERE / "make_st_dasegnet.py")))
students = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "students.py")))
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))
LARGE = (case.SIZE, case.SIZE)


def parts(segmenter=None, classes=case.CLASSES, dtype=None):
    segmenter = segmenter or students.segmenter(classes, dropout=0.0, dtype=dtype)
    return Parts(segmenter, lambda name: segmenter, classes, dtype, 0)


def test_an_encoder_that_nothing_trains_is_refused():
    own = parts()
    STDASegNet(widths=(4,)).networks(own)
    own.segmenter.model.get_layer("target_encoder").trainable = False
    with pytest.raises(ValueError, match="two encoders make, and one of them is frozen: leave"):
        STDASegNet(widths=(4,)).networks(own)
    STDASegNet(widths=(4,), adversarial_weight=0.0).networks(own)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def softmax(x, axis=-1):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def outputs_of(seed):
    """As of the network, its logits full-size."""
    side, width = case.SIZE // 2, case.WIDTH
    logits, encoded = (
        tuple(draw(*shape, seed=seed + index) for index in (first, first + 1))
        for first, shape in ((0, (2, *LARGE, case.CLASSES)), (2, (2, side, side, width)))
    )
    channels = (width, width, width, 2 * width)
    styles = tuple(
        tuple(draw(2, side, side, c, seed=seed + first + s) for s, c in enumerate(channels))
        for first in (10, 20)
    )
    return {"logits": logits, "encoded": encoded, "styles": styles}


class Prepared(SimpleNamespace):
    """A method's terms as a function of all that could receive a gradient."""

    def __init__(self, **settings):
        self.method = STDASegNet(**{**case.SETTINGS, **settings})
        self.networks = self.method.networks(parts())
        values = {name: network.init() for name, network in self.networks.items()}
        self.params, self.buffers = ({k: v[i] for k, v in values.items()} for i in (0, 1))
        drawn = case.draw()["teacher"]
        self.teacher = {path: jnp.asarray(value) for path, value in drawn.items()}
        self.label = jnp.asarray(case.batch(0)["label"])

    def given(self, teacher):
        batch = {"label": self.label}
        key, half = jax.random.key(0), jnp.asarray(0.5)
        return Given(batch, batch, self.buffers, {"teacher": teacher}, key, jnp.asarray(1), half)

    def terms(self, source, target, critics, teacher):
        params = {**self.params, **critics}
        judges = Critics(self.networks, params, self.buffers)
        return self.method.terms(source, target, params, judges, self.given(teacher))

    @property
    def critics(self):
        return {name: own for name, own in self.params.items() if name != SEGMENTER}


@pytest.fixture(scope="module")
def prepared():
    return Prepared()


# -- the terms -------------------------------------------------------------------------------------


def entropy(logits, label, factors, weights=1.0):
    """The sum over labelled pixels in parts of all pixels."""
    kept = label != 255
    safe = np.where(kept, label, 0)
    chosen = np.take_along_axis(np.log(softmax(logits)), safe[..., None].astype(int), -1)[..., 0]
    return (-chosen * kept * np.asarray(factors)[safe] * weights).sum() / kept.size


def test_terms_are_plain_ones(prepared):
    """Critics and the teacher are taken as they are: they have tests of their own."""
    source, target, settings = outputs_of(0), outputs_of(50), case.SETTINGS

    @jax.jit
    def both(source, target, critics, teacher):
        given = prepared.given(teacher)
        labels = prepared.method.labels(prepared.networks[SEGMENTER], target, given)
        return *prepared.terms(source, target, critics, teacher), *labels

    own, theirs, guess, weights = both(source, target, prepared.critics, prepared.teacher)
    label = np.asarray(prepared.label)

    def verdict(name, x):
        """(B, H, W): softmax over the places of a channel, the critic, enlarged."""
        spread = softmax(x.reshape(2, -1, case.WIDTH), 1).reshape(x.shape)
        own = prepared.params[name], {}
        found = np.asarray(prepared.networks[name].apply(*own, {"map": spread})[0])[..., 0]
        matrix = interpolation(found.shape[1], case.SIZE)
        return np.einsum("oh,bhw,pw->bop", matrix, found, matrix)

    def bce(verdict, domain):
        return np.logaddexp(0, -verdict if domain else verdict).mean()

    for index, style in enumerate(("source", "target")):
        factors = settings["class_weights"]
        wanted = entropy(source["logits"][index], label, factors)
        np.testing.assert_allclose(own[f"decode_{style}"], wanted, rtol=1e-5)
        wanted = 0.8 * entropy(target["logits"][index], np.asarray(guess), factors, weights)
        np.testing.assert_allclose(own[f"pseudo_{style}"], wanted, rtol=1e-5)
        name = f"critic_{style}"
        seen, unseen = (verdict(name, each["encoded"][index]) for each in (source, target))
        foreign = unseen if style == "source" else seen
        np.testing.assert_allclose(
            own[f"adversarial_{style}"], 0.6 * bce(foreign, style == "target"), rtol=1e-5
        )
        wanted = 0.7 * (bce(seen, False) + bce(unseen, True))
        np.testing.assert_allclose(theirs[name], wanted, rtol=1e-5)
    assert len(own) == 6 and theirs.keys() == {"critic_source", "critic_target"}


def test_weights_of_the_pseudo_labels_by_hand():
    """Of four pixels one is sure: a quarter, times the class's weight, or a half of it."""
    probabilities = np.array([[[[0.99, 0.01], [0.1, 0.9]], [[0.8, 0.2], [0.55, 0.45]]]])
    logits = jnp.log(jnp.asarray(probabilities, jnp.float32))
    method = STDASegNet(pseudo_class_weights=(1.5, 2.0), counted_confidence=0.79)
    label, weights = method.weigh(logits)
    assert label.tolist() == [[[0, 1], [0, 0]]] and label.dtype == jnp.uint8
    np.testing.assert_allclose(weights, [[[0.375, 0.5], [0.375, 0.125]]])
    np.testing.assert_allclose(STDASegNet().weigh(logits)[1][0, 0], [0.25, 0.25])
    assert not STDASegNet(confidence=1.0).weigh(logits)[1].any(), "nothing is sure"


@pytest.mark.proof
def test_the_teacher_labels_with_the_networks_prediction(prepared):
    """With the students' own heads, its logits are those that the network predicts with."""
    segmenter = prepared.networks[SEGMENTER]
    params, buffers = prepared.params[SEGMENTER], prepared.buffers[SEGMENTER]
    outputs, _ = see(segmenter, params, buffers, case.batch(1), statistics="batch")
    label, weights = prepared.method.labels(segmenter, outputs, prepared.given(params))
    wanted, factors = prepared.method.weigh(outputs["prediction"])
    np.testing.assert_array_equal(label, wanted)
    np.testing.assert_allclose(weights, factors, rtol=1e-6)


def test_a_channels_places_add_up_to_one():
    x = draw(2, 3, 4, 5)
    found = spatial_softmax(jnp.asarray(x, jnp.bfloat16))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found.sum((1, 2)), np.ones((2, 5)), rtol=1e-6)
    wanted = softmax(x.reshape(2, 12, 5), 1).reshape(x.shape)
    np.testing.assert_allclose(spatial_softmax(jnp.asarray(x)), wanted, rtol=1e-6)


# -- gradients -------------------------------------------------------------------------------------

# Term -> all that moves by it; everything else must not, to the last bit.
MOVED = {
    "decode_source": {"source logits 0"},
    "decode_target": {"source logits 1"},
    "pseudo_source": {"target logits 0"},
    "pseudo_target": {"target logits 1"},
    "adversarial_source": {"target encoded 0"},
    "adversarial_target": {"source encoded 1"},
    "critic_source": {"critic_source"},
    "critic_target": {"critic_target"},
}


@pytest.mark.proof
def test_who_receives_gradient(prepared):
    def everything(*given):
        own, theirs = prepared.terms(*given)
        return {**own, **theirs}

    given = outputs_of(0), outputs_of(50), prepared.critics, prepared.teacher
    slopes = jax.jit(jax.jacrev(everything, argnums=(0, 1, 2, 3)))(*given)
    assert slopes.keys() == MOVED.keys()
    for term, (source, target, critics, teacher) in slopes.items():
        found = {
            f"{domain} {name} {index}": value
            for domain, outputs in (("source", source), ("target", target))
            for name, pair in outputs.items()
            for index, value in enumerate(pair)
        }
        found |= {**critics, "teacher": teacher}
        moved = {
            name
            for name, tree in found.items()
            if any(np.asarray(leaf).any() for leaf in jax.tree.leaves(tree))
        }
        assert moved == MOVED[term], term


# -- three steps -----------------------------------------------------------------------------------


def norm(tree):
    return float(np.sqrt(sum(np.square(np.asarray(x, np.float64)).sum() for x in tree.values())))


@pytest.mark.proof
def test_three_steps_are_pytorchs():
    """Within 1e-4 of the distance that each network moved: see make_st_dasegnet.py."""
    with np.load(HERE / "golden" / "st_dasegnet.npz") as file:
        golden = dict(file)
    method = STDASegNet(**case.SETTINGS)
    networks = method.networks(parts())
    constant = Schedule(0.0, power=0.0)
    sgd = SGD(case.RATE, constant, None, case.MOMENTUM, case.DECAY, case.HEAD_FACTOR)
    adam = Adam(case.CRITIC_RATE, constant, None, *case.BETAS)
    optimizers = {network: sgd if network == SEGMENTER else adam for network in networks}
    state = initial_state(networks, method, optimizers, seed=0)
    drawn = case.draw()

    def filled(variables):
        return {n: {p: jnp.asarray(drawn[n][p]) for p in each} for n, each in variables.items()}

    for network in networks:
        assert drawn[network].keys() == {*state.params[network], *state.buffers[network]}
    assert state.memory["teacher"].keys() == drawn["teacher"].keys()
    params, buffers, memory = map(filled, (state.params, state.buffers, state.memory))
    state = state.with_params(params)._replace(buffers=buffers, memory=memory)
    step = training_step(networks, method, optimizers, steps=case.STEPS, seed=0)
    losses = []
    for number in range(case.STEPS):
        state, logs = step(state, *case.batches(number))
        losses.append(float(logs["loss"]))
    assert logs["finite"]
    np.testing.assert_allclose(losses, golden["losses"], rtol=1e-5)
    after = {**state.params, **state.memory}
    for network, start in drawn.items():
        found = jax.device_get({**after[network], **state.buffers.get(network, {})})
        wanted = {path: golden[f"{network}/{path}"] for path in start}
        moved = norm({path: wanted[path] - start[path] for path in after[network]})
        assert moved > 1e-2
        for path, values in wanted.items():
            np.testing.assert_allclose(
                found[path], values, rtol=1e-5, atol=1e-4 * moved, err_msg=path
            )


# -- the teacher's start, and what is refused ------------------------------------------------------


def test_the_teacher_starts_as_the_students_or_freshly_drawn(prepared):
    own = prepared.params[SEGMENTER]
    given = prepared.networks, prepared.params, prepared.buffers, jax.random.key(0)
    same, apart, again = (
        STDASegNet(teacher_shuffled=shuffled).memory(*given)["teacher"]
        for shuffled in (False, True, True)
    )
    assert {path.split("/")[0] for path in same} == {
        f"{style}_{part}" for style in ("source", "target") for part in ("decoder", "head")
    }
    for path, value in same.items():
        np.testing.assert_array_equal(value, own[path])
        np.testing.assert_array_equal(apart[path], again[path])
        np.testing.assert_array_equal(np.sort(apart[path].ravel()), np.sort(value.ravel()))
        assert (apart[path] != value).any() == path.endswith("kernel"), path


def test_the_teacher_drops_channels_only_where_it_is_told():
    segmenter = students.segmenter(case.CLASSES, dropout=0.5)
    params, buffers = segmenter.init()
    outputs = outputs_of(0)

    def labels(key, **settings):
        given = Given({}, {}, {SEGMENTER: buffers}, {"teacher": params}, key, jnp.asarray(0), 0.0)
        return STDASegNet(**settings).labels(segmenter, outputs, given)[0]

    keys = [jax.random.key(seed) for seed in (0, 1)]
    still, dropping = ([labels(key, teacher_dropout=on) for key in keys] for on in (False, True))
    np.testing.assert_array_equal(*still)
    assert (dropping[0] != dropping[1]).any()


def test_terms_are_float32_in_a_network_of_bfloat16():
    prepared = Prepared()
    halves = [jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), outputs_of(s)) for s in (0, 50)]
    found = jax.eval_shape(prepared.terms, *halves, prepared.critics, prepared.teacher)
    assert {(x.shape, x.dtype) for x in jax.tree.leaves(found)} == {((), jnp.dtype("float32"))}


def test_a_network_of_one_student_is_refused():
    with pytest.raises(ValueError, match="trains a network of two students: use --model st_dasegn"):
        STDASegNet().networks(parts(toys.segmenter((2, 2))))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pseudo_weight": -1.0}, "pseudo_weight must be at least 0; received -1.0"),
        ({"confidence": 1.5}, "confidence must be from 0 to 1"),
        ({"class_weights": (1.0, -1.0)}, "class_weights must be at least 0 each, or None"),
        ({"widths": (0,)}, "widths must be of at least 1 each"),
        ({"halvings": -1}, "halvings must be at least 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        STDASegNet(**settings)


@pytest.mark.parametrize("name", ["class_weights", "pseudo_class_weights"])
def test_weights_of_other_classes_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be a factor for each of the 5 classes; r"):
        STDASegNet(**{name: (1.0,) * 7}).networks(parts())
