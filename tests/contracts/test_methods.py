"""One battery for all methods: shapes, learning, reproducibility, buffers, parts, averages."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.adapt import METHODS, SEGMENTER
from rdepth_keras.network import Network
from rdepth_keras.optimizers import AdamW, Schedule
from rdepth_keras.train.devices import data_mesh, replicated, shard_batch
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

SMALL = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
STEPS = 40
DECAY = 0.75  # of the moving average, in all tests: one program serves most of them


def segmenter(accumulate=1):
    keras.utils.set_random_seed(0)
    model = models.build(
        "twin",
        image_encoder=SMALL,
        depth_encoder=SMALL,
        channels=8,
        auxiliary_channels=8,
        drop_path=0.1,
        dropout=0.1,
        taps=True,
        accumulate=accumulate,
    )
    return Network(model)


def batch(seed, size=4):
    rng = np.random.default_rng(seed)
    label = (rng.random((size, 4, 4)) * 7).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    image = np.stack([label * 30, label * 10, 255 - label * 30], -1).astype(np.uint8)
    depth = (label / 6).astype(np.float32)[..., None]
    label[:, :2] = 255
    return {"image": image, "depth": depth, "label": label}


def prepare(method, network, mesh=None):
    networks = {SEGMENTER: network, **method.networks()}
    optimizer = AdamW(learning_rate=1e-2, schedule=Schedule(0.0, 10_000), stage_decay=1.0)
    optimizers = {name: optimizer.build(net.init()[0], STEPS) for name, net in networks.items()}
    state = initial_state(networks, method, optimizers, seed=0, average=True)
    placement = replicated(mesh) if mesh else None
    if mesh:
        state = jax.device_put(state, placement)
    return state, training_step(
        networks, method, optimizers, seed=0, average_decay=DECAY, placement=placement
    )


def run(method, network, batches, mesh=None):
    state, step = prepare(method, network, mesh)
    losses = []
    for source in batches:
        target = batch(99) if method.uses_target else None
        if mesh:
            source = shard_batch(source, mesh)
            target = target and shard_batch(target, mesh)
        state, logs = step(state, source, target)
        losses.append(float(logs["loss"]))
    return state, losses


def assert_close(one, other, **tolerance):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), **tolerance)


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]()


def test_the_loss_falls_and_the_same_seed_gives_the_same_numbers(method):
    state, losses = run(method, segmenter(), [batch(0)] * STEPS)
    assert losses[-1] < 0.8 * losses[0]
    again, _ = run(method, segmenter(), [batch(0)] * STEPS)
    assert_close(state.params, again.params, rtol=0, atol=0)
    assert int(state.step) == STEPS
    assert all(jax.tree.leaves(jax.tree.map(lambda x: bool(jnp.isfinite(x).all()), state.params)))


def test_all_variables_of_the_segmenter_train_and_all_statistics_move(method):
    network = segmenter()
    before, buffers = network.init()
    state, _ = run(method, network, [batch(0)])
    for path, value in state.params[SEGMENTER].items():
        assert (np.asarray(value) != np.asarray(before[path])).any(), path
    for path, value in state.buffers[SEGMENTER].items():
        assert (np.asarray(value) != np.asarray(buffers[path])).any(), path


def test_the_labels_of_the_target_do_not_matter(method):
    if not method.uses_target:
        pytest.skip(f"{type(method).__name__} never sees the target")
    state, step = prepare(method, segmenter())
    other, _ = prepare(method, segmenter())
    hidden = {**batch(5), "label": np.zeros_like(batch(5)["label"])}
    state, _ = step(state, batch(0), batch(5))
    other, _ = step(other, batch(0), hidden)
    assert_close(state.params, other.params, rtol=0, atol=0)


def test_many_devices_give_the_numbers_of_one(method):
    """Batch norm and loss are over the global batch, and random draws do not see the devices."""
    assert jax.device_count() == 2, "tests run on two CPU devices"
    one, losses = run(method, segmenter(), [batch(0), batch(1)])
    many, losses_many = run(method, segmenter(), [batch(0), batch(1)], data_mesh())
    np.testing.assert_allclose(losses_many, losses, rtol=1e-3)
    # Adam turns rounding in tiny gradients into steps: a few statistics differ after the first.
    assert_close(many.buffers, one.buffers, rtol=1e-2, atol=1e-3)


def test_a_batch_in_parts_gives_the_numbers_of_the_whole(method):
    whole, losses = run(method, segmenter(), [batch(0), batch(1)])
    parts, losses_parts = run(method, segmenter(accumulate=2), [batch(0), batch(1)])
    np.testing.assert_allclose(losses_parts, losses, rtol=1e-3)
    assert_close(parts.buffers, whole.buffers, rtol=1e-2, atol=1e-3)


def test_a_moving_average_follows(method):
    network = segmenter()
    first, _ = network.init()
    state, _ = run(method, network, [batch(0)])
    expected = jax.tree.map(
        lambda old, new: DECAY * old + (1 - DECAY) * new, first, state.params[SEGMENTER]
    )
    assert_close(state.average[SEGMENTER], expected, rtol=1e-5, atol=1e-7)
    assert state.best_params is state.average


def test_not_finite_is_told(method):
    state, step = prepare(method, segmenter())
    broken = {**batch(0), "depth": np.full_like(batch(0)["depth"], np.nan)}
    _, logs = step(state, broken, batch(1) if method.uses_target else None)
    assert not logs["finite"]
