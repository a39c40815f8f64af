"""The critics: their arithmetic by hand, their sizes, and how they start."""

import jax
import keras
import numpy as np
import pytest

from rdepth_keras.adapt.discriminators import (
    Halving,
    Sliding,
    Uniform,
    class_critic,
    patch_critic,
    style_critic,
)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def convolve(x, kernel, bias, stride):
    """Padded by one pixel on every side, as PyTorch's padding=1."""
    side = len(kernel)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = ((size + 2 - side) // stride + 1 for size in x.shape[1:3])
    out = np.empty((len(x), height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            patch = padded[:, top : top + side, left : left + side]
            out[:, row, column] = np.einsum("bijc,ijco->bo", patch, kernel) + bias
    return out


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def applied(network, x):
    params, buffers = network.init()
    assert not buffers
    return params, np.asarray(network.apply(params, buffers, {"map": x})[0])


@pytest.mark.parametrize("size", [(8, 12), (7, 10)])
def test_a_verdict_for_each_patch(size):
    network, x = patch_critic("critic", 3, (4, 5), seed=0), draw(2, *size, 3)
    if size == (7, 10):
        network = patch_critic("critic", 3, (4,), seed=0)
    params, found = applied(network, x)
    last = len(params) // 2
    for index in range(1, last + 1):
        x = convolve(x, params[f"conv{index}/kernel"], params[f"conv{index}/bias"], 2)
        x = x if index == last else leaky(x)
    assert found.shape == (2, size[0] // 2**last, size[1] // 2**last, 1)
    np.testing.assert_allclose(found, x, rtol=1e-4, atol=1e-6)


def test_classes_of_both_domains_for_each_place():
    params, found = applied(class_critic("critic", 3, 2, (4, 5), seed=0), x := draw(1, 3, 4, 3))
    for name in ("conv1", "conv2"):
        x = leaky(convolve(x, params[f"{name}/kernel"], params[f"{name}/bias"], 1))
    both = [
        convolve(x, params[f"{name}/kernel"], params[f"{name}/bias"], 1)
        for name in ("source", "target")
    ]
    np.testing.assert_allclose(found, np.concatenate(both, -1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("halvings", [0, 1, 3])
def test_a_verdict_on_a_students_map(halvings):
    """The second convolution is normalised, each channel of an image by itself, without bias."""
    x = draw(2, 9, 12, 3)
    params, found = applied(style_critic("critic", 3, (4, 5), halvings, seed=0), x)
    assert params.keys() == {
        *("conv1/kernel", "conv1/bias", "conv2/kernel", "conv3/kernel", "conv3/bias")
    }
    for index in (1, 2, 3):
        bias = params.get(f"conv{index}/bias", 0)
        x = convolve(x, params[f"conv{index}/kernel"], bias, 2 if index <= halvings else 1)
        if index == 2:
            mean, variance = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
            x = (x - mean) / np.sqrt(variance + 1e-5)
        x = x if index == 3 else leaky(x)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, x, rtol=1e-4, atol=1e-5)


def test_the_sizes_of_the_originals():
    """7 -> 64 -> 128 -> 256 -> 512 -> 1 on 512 pixels: 16 x 16; and 1024 -> 512 -> 256 -> 2 x 7."""
    critic = patch_critic("critic", 7, (64, 128, 256, 512), seed=0).model
    assert critic.compute_output_shape({"map": (8, 512, 512, 7)}) == (8, 16, 16, 1)
    wanted = sum(16 * a * b + b for a, b in ((7, 64), (64, 128), (128, 256), (256, 512), (512, 1)))
    assert critic.count_params() == wanted
    for channels, side, widths, halvings, left in (
        (512, 12, (64, 128, 256), 2, 1),  # of ST-DASegNet on MiT-B5, and on a ResNet of stride 8
        (2048, 48, (64, 128, 256, 512), 3, 4),
    ):
        critic = style_critic("critic", channels, widths, halvings, seed=0).model
        assert critic.compute_output_shape({"map": (2, side, side, channels)}) == (2, left, left, 1)
    critic = class_critic("critic", 1024, 7, (512, 256), seed=0).model
    assert critic.compute_output_shape({"map": (8, 32, 32, 1024)}) == (8, 32, 32, 14)
    assert critic.count_params() == sum(
        9 * a * b + b for a, b in ((1024, 512), (512, 256), (256, 14))
    )


def test_they_start_as_pytorchs_convolutions():
    """Kernel and bias uniform within 1 / sqrt(incoming connections)."""
    params, _ = patch_critic("critic", 7, (64, 128), seed=0).init()
    for name, incoming in (("conv1", 16 * 7), ("conv2", 16 * 64)):
        bound = incoming**-0.5
        for path in (f"{name}/kernel", f"{name}/bias"):
            values = np.asarray(params[path])
            assert abs(values).max() <= bound
            assert abs(values).max() > 0.9 * bound and abs(values.mean()) < 0.2 * bound
        deviation = np.asarray(params[f"{name}/kernel"]).std()
        assert deviation == pytest.approx(bound / 3**0.5, rel=0.03)


def test_the_students_critics_start_for_their_rectifiers():
    """Normal, of variance 2 / (1.04 outgoing connections), but for the last one."""
    params, _ = style_critic("critic", 8, (64, 128), 2, seed=0).init()
    for name, width in (("conv1", 64), ("conv2", 128)):
        deviation = np.asarray(params[f"{name}/kernel"]).std()
        assert deviation == pytest.approx((2 / 1.04 / (16 * width)) ** 0.5, rel=0.03)
    assert not np.asarray(params["conv1/bias"]).any()
    assert abs(np.asarray(params["conv3/kernel"])).max() <= (16 * 128) ** -0.5


def test_seed_and_name_decide_the_start():
    def kernel(name, seed):
        return np.asarray(patch_critic(name, 2, (3,), seed=seed).init()[0]["conv1/kernel"])

    np.testing.assert_array_equal(kernel("critic", 1), kernel("critic", 1))
    assert (kernel("critic", 1) != kernel("critic", 2)).all()
    assert (kernel("critic", 1) != kernel("critic_auxiliary", 1)).all()


def test_logits_are_float32_under_any_policy():
    for network in (
        patch_critic("critic", 3, (4,), seed=0, dtype="mixed_bfloat16"),
        class_critic("critic", 3, 2, (4,), seed=0, dtype="mixed_bfloat16"),
        style_critic("critic", 3, (4,), 1, seed=0, dtype="mixed_bfloat16"),
    ):
        assert network.model.output.dtype == "float32"
        assert network.model.get_layer("conv1").compute_dtype == "bfloat16"
        assert all(value.dtype == "float32" for value in network.init()[0].values())


def test_a_map_too_small_for_the_critic_is_refused():
    network = patch_critic("critic", 2, (3, 3, 3), seed=0)
    params, _ = network.init()
    assert applied(network, draw(1, 16, 16, 2))[1].shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="conv4 cannot halve a map of 1 x 2. Use a larger --crop"):
        network.apply(params, {}, {"map": draw(1, 8, 16, 2)})
    network = style_critic("critic", 2, (3, 3), 1, seed=0)
    params, _ = network.init()

    def judge(x):
        return network.apply(params, {}, {"map": x})[0]

    assert jax.eval_shape(judge, draw(1, 6, 7, 2)).shape == (1, 1, 1, 1)
    with pytest.raises(ValueError, match="conv3 finds nothing left of a map of 1 x 2. Use a large"):
        jax.eval_shape(judge, draw(1, 5, 7, 2))


@pytest.mark.parametrize(
    "part", [Halving(4, name="conv1"), Sliding(4, name="conv1"), Uniform(3, incoming=12)]
)
def test_parts_survive_their_config(part):
    again = type(part).from_config(part.get_config())
    assert again.get_config() == part.get_config()
    assert keras.saving.get_registered_name(type(part)).startswith("rdepth_keras>")
