"""Encoders that take a batch in parts: the numbers of the whole batch, batch norm included."""

from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.adapt import SEGMENTER, SourceOnly
from rdepth_keras.adapt.method import Given
from rdepth_keras.models.encoders.convnext import ConvNeXt
from rdepth_keras.models.encoders.mit import MiT
from rdepth_keras.models.layers.memory import in_parts
from rdepth_keras.network import Network
from rdepth_keras.train.devices import data_mesh, shard_batch

CONVNEXT = {"depths": (1, 1, 2, 1), "widths": (8, 8, 8, 8)}
MIT = (1, 1, 1, 1), (8, 16, 40, 64)


def network(image_encoder, accumulate):
    """Stochastic depth, dropout, and batch norm in the decoder and the auxiliary head."""
    keras.utils.set_random_seed(0)
    parts = {"image_encoder": image_encoder, "depth_encoder": None, "accumulate": accumulate}
    options = {"channels": 8, "auxiliary_channels": 8, "drop_path": 0.5, "taps": True}
    options["decoder"] = "segformer"
    return Network(models.build("twin", **parts, **options))


def example():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 7, (4, 32, 32)).astype(np.uint8)
    label[0] = 255  # parts differ in their number of valid pixels
    label[2, :20] = 255
    image = rng.integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    return {"image": image, "depth": np.zeros((4, 32, 32, 1), np.float32), "label": label}


def gradients(net, method, batch):
    """(loss, buffers, gradients) of one step's loss."""
    params, buffers = ({SEGMENTER: values} for values in net.init())
    (phase,) = method.phases({SEGMENTER: net})

    def value(params, batch):
        given = Given(batch, None, buffers, {}, jax.random.key(3), jnp.zeros((), int), 0.0)
        outcome = phase.loss(params, given)
        return outcome.loss, outcome.buffers

    (total, kept), found = jax.jit(jax.value_and_grad(value, has_aux=True))(params, batch)
    return total, kept[SEGMENTER], found[SEGMENTER]


def assert_equal(parts, whole):
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-5)
    for ours, theirs in zip(parts[1:], whole[1:], strict=True):
        for path, values in theirs.items():
            tolerance = 1e-3 * float(jnp.abs(values).max()) + 1e-7
            np.testing.assert_allclose(ours[path], values, rtol=0, atol=tolerance, err_msg=path)


@pytest.mark.proof
def test_equal_to_the_large_batch_also_on_many_devices():
    """Each device holds an equal share of every part. tests/contracts has one device."""
    assert jax.device_count() == 2, "tests run on two CPU devices"
    method, batch = SourceOnly(), example()
    whole = gradients(network(CONVNEXT, 1), method, batch)
    assert_equal(gradients(network(CONVNEXT, 2), method, shard_batch(batch, data_mesh())), whole)


def encoder_step(make, accumulate):
    """The compiled gradients of an encoder alone, and its variables."""
    keras.utils.set_random_seed(0)
    encoder = make(drop_path=0.5, accumulate=accumulate, name="encoder")
    encoder.build((4, 64, 64, 3))

    def loss(params, image):
        fixed = [variable.value for variable in encoder.non_trainable_variables]
        maps, _ = encoder.stateless_call(params, fixed, image, training=True)
        return sum((x * jnp.sin(jnp.arange(x.size).reshape(x.shape))).mean() for x in maps)

    params = [variable.value for variable in encoder.trainable_variables]
    image = jax.random.normal(jax.random.key(0), (4, 64, 64, 3))
    return jax.jit(jax.value_and_grad(loss)).lower(params, image).compile(), params, image


@pytest.mark.proof
@pytest.mark.parametrize("make", [partial(ConvNeXt, *CONVNEXT.values()), partial(MiT, *MIT)])
def test_encoders_need_the_memory_of_one_part_for_the_same_numbers(make):
    whole, params, image = encoder_step(make, 1)
    parts, *_ = encoder_step(make, 4)
    ours, theirs = (step.memory_analysis().temp_size_in_bytes for step in (parts, whole))
    assert ours < theirs / 2
    for one, other in zip(
        jax.tree.leaves(parts(params, image)), jax.tree.leaves(whole(params, image)), strict=True
    ):
        tolerance = 1e-4 * float(jnp.abs(other).max()) + 1e-7
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def test_the_order_of_the_batch_and_its_structure_are_kept():
    numbers = jnp.arange(12.0).reshape(6, 2)
    for parts in (1, 2, 3, 6):
        doubled, drawn = in_parts(
            lambda x, drawn: (2 * x, drawn[1]), parts, numbers, [None, numbers]
        )
        np.testing.assert_array_equal(doubled, 2 * numbers)
        np.testing.assert_array_equal(drawn, numbers)


def test_prediction_takes_any_batch():
    encoder = ConvNeXt(**CONVNEXT, name="encoder", accumulate=4)
    assert encoder(np.zeros((3, 32, 32, 3), np.float32))[0].shape == (3, 8, 8, 8)


@pytest.mark.parametrize(
    ("image_encoder", "accumulate", "message"),
    [
        (CONVNEXT, 3, "A batch of 4 does not split into 3 equal parts"),
        (CONVNEXT, 0, "accumulate must be a whole number, at least 1; received 0"),
        ("resnet50", 2, "batch norms need the statistics of the whole"),
    ],
)
def test_what_cannot_be_is_refused(image_encoder, accumulate, message):
    with pytest.raises(ValueError, match=message):
        gradients(network(image_encoder, accumulate), SourceOnly(), example())
