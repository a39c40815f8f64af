"""One battery for all methods: learning, reproducibility, buffers, devices, averages.

A step is compiled once for each method, and all tests of the method share it. A batch in parts is
looked at in tests/train/test_accumulation.py.
"""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.adapt import METHODS, SEGMENTER
from rdepth_keras.adapt.method import Parts
from rdepth_keras.adapt.recolouring import Recolouring
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.network import Network
from rdepth_keras.optimizers import Adam, AdamW, Schedule
from rdepth_keras.train.devices import data_mesh, replicated, shard_batch
from rdepth_keras.train.state import initial_state, trained
from rdepth_keras.train.step import training_step

mini = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("miniatures.py"))))
toys = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("toys.py"))))
students = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("students.py"))))

SMALL = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
STEPS = 30
DECAY = 0.75  # of the moving average
SCHEDULE = Schedule(0.0, 10_000)
OPTIMIZERS = {
    SEGMENTER: AdamW(learning_rate=1e-2, schedule=SCHEDULE, stage_decay=1.0),
    "critic": Adam(learning_rate=1e-3, schedule=SCHEDULE),
}

# Methods on a network of heads that compiles in a second: the stages of the heads.
ADVERSARIAL = {"adaptsegnet": (1, 2), "transnorm": (2, 2), "clan": (2, 2), "fada": (2,)}
HEADS = {**ADVERSARIAL, "pycda": (2,), "cbst": (2,), "iast": (2,), "dca": (2, 2)}
RELEASED = {"teacher_dropout": True, "teacher_shuffled": True}
# Critics and boxes are small and few: the full ones take seconds. All terms count from the start.
SETTINGS = {
    **{name: {"widths": (4, 6)} for name in ADVERSARIAL},
    **{name: {"start": 0.0} for name in ("cbst", "iast", "dca")},
    "pycda": {"boxes": (1, 2)},
    "st_dasegnet": {"widths": (4, 6), "halvings": 1, "confidence": 0.2, **RELEASED},
    # Full colours and styles hide the classes of so small images.
    "source_style": {"style_strength": 0.1, "recolouring": Recolouring(0.02, 0.02)},
}


def parts(name):
    """Of a method of the project, its network at toy size; of a miniature, the miniatures' own."""
    if name in mini.MINIATURES:
        return mini.parts()
    if name == "st_dasegnet":
        return Parts(students.segmenter(), students.segmenter, 7, "float32", 0)
    if name in HEADS:
        norm = TransNorm if name == "transnorm" else BatchNorm
        return Parts(toys.segmenter(HEADS[name], norm), toys.segmenter, 7, "float32", 0)

    def build(label, architecture=None, weights=None):
        keras.utils.set_random_seed(0)
        model = models.build(
            "dgcd" if name == "dgcd" else "twin",
            image_encoder=SMALL,
            depth_encoder=SMALL if name == "dgcd" else None,  # a half compiles twice as fast
            decoder="segformer",
            channels=8,
            auxiliary_channels=8,
            drop_path=0.1,
            dropout=0.1,
            taps=True,
        )
        return Network(model)

    return Parts(build(SEGMENTER), build, 7, "float32", 0)


def batch(name, seed):
    if name in mini.MINIATURES:
        return mini.batch(seed)
    rng = np.random.default_rng(seed)
    label = (rng.random((4, 4, 4)) * 7).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    image = np.stack([label * 30, label * 10, 255 - label * 30], -1).astype(np.uint8)
    depth = (label / 6).astype(np.float32)[..., None]
    label[:, :2] = 255
    return {"image": image, "depth": depth, "label": label}


class Prepared:
    """A method's first state and its compiled step."""

    def __init__(self, name, mesh=None):
        self.name, self.mesh = name, mesh
        self.method = {**METHODS, **mini.MINIATURES}[name](**SETTINGS.get(name, {}))
        networks = self.method.networks(parts(name))
        self.trained = trained(self.method, networks)
        optimizers = {
            network: OPTIMIZERS[SEGMENTER if network == SEGMENTER else "critic"]
            for network in self.trained
        }
        self.first = initial_state(networks, self.method, optimizers, seed=0, average=True)
        placement = replicated(mesh) if mesh else None
        self.step = training_step(
            networks,
            self.method,
            optimizers,
            steps=STEPS,
            seed=0,
            average_decay=DECAY,
            placement=placement,
        )

    def state(self):
        """The first state anew; a step takes it away."""
        state = jax.tree.map(jnp.copy, self.first)
        return jax.device_put(state, replicated(self.mesh)) if self.mesh else state

    def run(self, batches, target=None):
        """The state after these batches, and the losses."""
        state, losses = self.state(), []
        target = batch(self.name, 99) if target is None else target
        target = target if self.method.uses_target else None
        for source in batches:
            pair = [source, target]
            if self.mesh:
                pair = [x and shard_batch(x, self.mesh) for x in pair]
            state, logs = self.step(state, *pair)
            losses.append(float(logs["loss"]))
        return state, losses


# The miniatures use every part of the contract; the others compile long, all together.
DAILY = ("cbst", *mini.MINIATURES)
NAMES = [
    name if name in DAILY else pytest.param(name, marks=pytest.mark.proof)
    for name in (*METHODS, *mini.MINIATURES)
]


@pytest.fixture(scope="module", params=NAMES)
def prepared(request):
    return Prepared(request.param)


@pytest.fixture(scope="module")
def after_two(prepared):
    """The state after two steps, and the losses."""
    return prepared.run([batch(prepared.name, 0), batch(prepared.name, 1)])


def assert_close(one, other, **tolerance):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), **tolerance)


def test_the_loss_falls(prepared):
    state, losses = prepared.run([batch(prepared.name, 0)] * STEPS)
    assert np.mean(losses[-3:]) < 0.8 * losses[0]
    assert int(state.step) == STEPS
    assert all(jax.tree.leaves(jax.tree.map(lambda x: bool(jnp.isfinite(x).all()), state.params)))


def test_the_same_seed_gives_the_same_numbers(prepared, after_two):
    """Also, where that is quick, in a program compiled anew, of networks built anew."""
    again = Prepared(prepared.name) if prepared.name in mini.MINIATURES else prepared
    state, _ = again.run([batch(prepared.name, 0), batch(prepared.name, 1)])
    assert_close(state, after_two[0], rtol=0, atol=0)


def test_all_variables_train_and_all_statistics_move(prepared, after_two):
    state, _ = after_two
    for name in prepared.trained:
        for path, value in state.params[name].items():
            # Stages 2 to 4 of a 32-pixel crop are a single place, which has no negatives.
            if re.match("contrast[2-4]/", path):
                continue
            assert (np.asarray(value) != np.asarray(prepared.first.params[name][path])).any(), path
        for path, value in state.buffers[name].items():
            assert (np.asarray(value) != np.asarray(prepared.first.buffers[name][path])).any(), path


def test_the_labels_of_the_target_do_not_matter(prepared, after_two):
    if not prepared.method.uses_target:
        pytest.skip(f"{prepared.name} never sees the target")
    if prepared.method.rounds(100):
        pytest.skip(f"the target's labels are those of {prepared.name}'s own rounds")
    hidden = batch(prepared.name, 99)
    hidden["label"] = np.zeros_like(hidden["label"])
    state, _ = prepared.run([batch(prepared.name, 0), batch(prepared.name, 1)], hidden)
    assert_close(state, after_two[0], rtol=0, atol=0)


def test_many_devices_give_the_numbers_of_one(prepared, after_two, proofs):
    """Batch norm and loss are over the global batch, and random draws do not see the devices."""
    assert jax.device_count() == 2, "tests run on two CPU devices"
    if prepared.name == "dgcd":
        pytest.skip("compiles long, and shares its loss with source_only")
    if proofs < 2 and prepared.name not in mini.MINIATURES:
        pytest.skip("compiles once more; it runs with RDEPTH_PROOFS=2")
    shared = Prepared(prepared.name, data_mesh())
    batches = [batch(prepared.name, 0), batch(prepared.name, 1)]
    _, losses = shared.run(batches)
    np.testing.assert_allclose(losses, after_two[1], rtol=1e-3)
    # Of the first step: after it, Adam has made steps of the rounding in tiny gradients.
    (one, _), (many, _) = (either.run(batches[:1]) for either in (prepared, shared))
    assert_close(many.buffers, one.buffers, rtol=1e-4, atol=1e-5)


def test_a_moving_average_follows(prepared):
    state, _ = prepared.run([batch(prepared.name, 0)])
    assert state.average.keys() == set(prepared.trained)
    for name in prepared.trained:
        expected = jax.tree.map(
            lambda old, new: DECAY * old + (1 - DECAY) * new,
            prepared.first.params[name],
            state.params[name],
        )
        assert_close(state.average[name], expected, rtol=1e-5, atol=1e-7)
        assert_close(state.best_params[name], dict(state.average[name]), rtol=0, atol=0)


def test_not_finite_is_told(prepared):
    state = prepared.state()
    state = state._replace(params=jax.tree.map(lambda value: value * jnp.nan, state.params))
    target = batch(prepared.name, 1) if prepared.method.uses_target else None
    _, logs = prepared.step(state, batch(prepared.name, 0), target)
    assert not logs["finite"]


def test_rounds_come_in_rising_order_and_within_the_run(prepared):
    for steps in (1, 10, 1000):
        rounds = prepared.method.rounds(steps)
        assert list(rounds) == sorted(set(rounds))
        assert all(0 <= at < steps for at in rounds)
