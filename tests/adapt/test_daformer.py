"""DAFormer with MIC: three steps against PyTorch's, who gets gradients, what is refused.

``make_daformer.py`` wrote the golden, in a process without JAX.
"""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, DAFormer
from rdepth_keras.adapt.daformer import PRETRAINED
from rdepth_keras.adapt.method import Given, Parts
from rdepth_keras.adapt.recolouring import Recolouring
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.convolutions import PaddedConv
from rdepth_keras.network import Network
from rdepth_keras.optimizers import SGD, Schedule
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

TOYS = Path(__file__).parents[1] / "contracts" / "toys.py"
toys = SimpleNamespace(**runpy.run_path(str(TOYS)))
case = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("make_daformer.py"))))
DEPTH_ALONE = {"image": 3, "depth": 1}  # channels of what a network is given; it reads the depth
PLAIN = Recolouring(probability=0.0, blur_probability=0.0)


class Encoder(keras.Layer):
    """Two blocks at stride 2."""

    def __init__(self, **options):
        super().__init__(**options)
        self.convs = [PaddedConv(case.WIDTH, 3, 2 // n, name=f"conv{n}") for n in (1, 2)]
        self.norms = [BatchNorm(name=f"norm{n}") for n in (1, 2)]

    def build(self, shape):
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build(shape)
            shape = conv.compute_output_shape(shape)
            norm.build(shape)

    def call(self, x, training=None):
        maps = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = keras.ops.relu(norm(conv(x), training=training))
            maps.append(x)
        return tuple(maps)

    def compute_output_spec(self, x, training=None):
        return (keras.KerasTensor((None, None, None, case.WIDTH), "float32"),) * 2


def network(name):
    image = keras.Input((None, None, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    maps = Encoder(name="image_encoder")(x)
    logits = keras.layers.Dense(case.CLASSES, name="head")(maps[-1])
    model = keras.Model({"image": image}, {"logits": logits, "features": maps}, name=name)
    values = case.weights()
    for variable in model.variables:
        variable.assign(values[variable.path])
    return Network(model)


def parts():
    return Parts(
        network(SEGMENTER), lambda name, *_: network(name), case.CLASSES, "float32", case.SEED
    )


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(case.GOLDEN))


@pytest.fixture(scope="module")
def trained():
    """The state after the golden's steps, the losses, and the state before."""
    method = DAFormer(recolouring=PLAIN, **case.SETTINGS)
    networks = method.networks(parts())
    rule = {SEGMENTER: SGD(case.RATE, Schedule(0.0, power=0.0), None, case.MOMENTUM, case.DECAY)}
    state = initial_state(networks, method, rule, seed=case.SEED)
    first = jax.device_get(state)
    step = training_step(networks, method, rule, steps=case.STEPS, seed=case.SEED)
    losses = []
    for number in range(case.STEPS):
        state, logs = step(state, case.batch(0, number), case.batch(1, number))
        losses.append(float(logs["loss"]))
    return jax.device_get(state), losses, first


def test_three_steps_are_pytorchs(trained, golden):
    state, losses, first = trained
    np.testing.assert_allclose(losses, golden["losses"], rtol=1e-5)
    start = first.params[SEGMENTER]
    for kind, found in (("params", state.params[SEGMENTER]), ("teacher", state.memory["teacher"])):
        assert found.keys() == start.keys()
        moved = np.sqrt(
            sum(np.square(golden[f"{kind}/{path}"] - start[path]).sum() for path in start)
        )
        for path, value in found.items():
            apart = np.linalg.norm(value - golden[f"{kind}/{path}"])
            assert apart <= 1e-4 * moved, (kind, path)
    for path, value in state.buffers[SEGMENTER].items():
        np.testing.assert_allclose(value, golden[f"buffers/{path}"], rtol=1e-4, atol=1e-5)


def test_the_pretrained_encoder_stays_and_is_in_no_state_but_its_own(trained):
    state, _, first = trained
    assert state.optimizer.keys() == {SEGMENTER}
    assert all(path.startswith("image_encoder/") for path in state.params[PRETRAINED])
    for path, value in state.params[PRETRAINED].items():
        np.testing.assert_array_equal(value, first.params[PRETRAINED][path])


@pytest.mark.proof
def test_no_gradient_passes_teacher_and_pretrained_encoder():
    method = DAFormer(**case.SETTINGS)
    networks = method.networks(parts())
    values = {name: one.init() for name, one in networks.items()}
    params = {name: own for name, (own, _) in values.items()}
    buffers = {name: own for name, (_, own) in values.items()}
    (phase,) = method.phases(networks)

    def loss(teacher, pretrained):
        given = Given(
            case.batch(0, 0),
            case.batch(1, 0),
            buffers,
            {"teacher": teacher},
            jax.random.key(0),
            jnp.asarray(0),
            0.0,
        )
        return phase.loss({**params, PRETRAINED: pretrained}, given).loss

    for gradient in jax.grad(loss, (0, 1))(params[SEGMENTER], params[PRETRAINED]):
        assert not any(np.asarray(value).any() for value in gradient.values())


def test_without_distance_there_is_no_second_encoder():
    assert DAFormer(feature_weight=0.0).networks(parts()).keys() == {SEGMENTER}


def test_the_distance_of_a_frozen_encoder_is_refused():
    own = parts()
    own.segmenter.model.get_layer("image_encoder").trainable = False
    with pytest.raises(ValueError, match="where a frozen one is anyway: add --method.feature-w"):
        DAFormer().networks(own)


@pytest.mark.parametrize("mixed_depth", [False, True])
def test_the_depth_of_what_is_pasted_is_seen_only_where_it_is_mixed(mixed_depth):
    inputs = {name: keras.Input((None, None, n), name=name) for name, n in DEPTH_ALONE.items()}
    logits = keras.layers.Dense(case.CLASSES, name="head")(inputs["depth"])
    network = Network(keras.Model(inputs, {"logits": logits, "features": (logits,)}))
    method = DAFormer(feature_weight=0.0, mixed_depth=mixed_depth)
    (phase,) = method.phases(method.networks(parts()._replace(segmenter=network)))
    params, buffers = network.init()
    own, other = case.batch(0, 0), case.batch(1, 0)
    shape = (*own["image"].shape[:3], 1)
    target = {**other, "depth": jnp.linspace(0, 1, np.prod(shape)).reshape(shape)}

    @jax.jit
    def mixed(depth):
        source, memory = {**own, "depth": jnp.full(shape, depth)}, {"teacher": params}
        key = jax.random.key(0)
        given = Given(source, target, {SEGMENTER: buffers}, memory, key, jnp.asarray(0), 0.0)
        return phase.loss({SEGMENTER: params}, given).logs["mixed"]

    found = mixed(0.2), mixed(0.7)
    assert (found[0] != found[1]) == mixed_depth and found[0] > 0


def test_several_heads_learn_what_they_predict_together():
    """Of all heads there are losses, and the teacher labels by what they give together."""
    network = toys.segmenter((1, 2), classes=case.CLASSES)
    method = DAFormer(feature_weight=0.0)
    networks = method.networks(parts()._replace(segmenter=network))
    params, buffers = network.init()
    (phase,) = method.phases(networks)
    batches = case.batch(0, 0), case.batch(1, 0)
    memory = {"teacher": params}
    given = Given(*batches, {SEGMENTER: buffers}, memory, jax.random.key(0), jnp.asarray(0), 0.0)

    def loss(own):
        return phase.loss({SEGMENTER: own}, given).loss

    found = jax.jit(jax.grad(loss))(params)
    assert all(np.asarray(found[f"head{index}/kernel"]).any() for index in (1, 2))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"decay": 1.5}, "decay must be from 0 to 1; received 1.5"),
        ({"masked_share": -0.1}, "masked_share must be from 0 to 1"),
        ({"mixed_weight": -1.0}, "mixed_weight must be at least 0"),
        ({"masked_block": 0}, "masked_block must be at least 1"),
        ({"masked_block": 32}, "masked_share and masked_block have no effect without"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        DAFormer(**settings)


def test_classes_that_are_none():
    with pytest.raises(ValueError, match=r"train ids from 0 to 4; received \[5\]"):
        DAFormer(feature_classes=(0, 5)).networks(parts())
