"""What disentangles two students' maps, against plain NumPy loops."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.st_dasegnet.disentangle import Distinct, Universal, attend, narrow

LAYERS = (Distinct, Universal)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def filled(layer, shape):
    """Path within the layer -> values, drawn anew for each."""
    layer.build(shape, shape)
    values = {}
    for seed, variable in enumerate(layer.variables):
        name = variable.path.split("/", 1)[1]
        values[name] = draw(*variable.shape, seed=seed) / 4
        variable.assign(values[name])
    return values


def convolve(x, kernel, bias):
    """3x3, padded to the size of ``x``."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [
        padded[:, row : row + height, column : column + width] @ kernel[row, column]
        for row, column in np.ndindex(3, 3)
    ]
    return sum(shifted) + bias


def test_an_eighth_but_eight_at_least():
    assert [narrow(channels) for channels in (2048, 512, 64, 16)] == [256, 64, 8, 8]


def test_channels_are_weighted_between_the_styles():
    layer, source, target = Distinct(), draw(2, 3, 4, 80, seed=20), draw(2, 3, 4, 80, seed=21)
    values = filled(layer, (None, None, None, 80))
    assert values["hidden/kernel"].shape == (80, 10) and len(values) == 6
    pooled = (source + target).mean((1, 2))
    hidden = pooled @ values["hidden/kernel"] + values["hidden/bias"]
    scores = [
        hidden @ values[f"{style}/kernel"] + values[f"{style}/bias"]
        for style in ("source", "target")
    ]
    weights = softmax(np.stack(scores), 0)[:, :, None, None]
    ours = layer(source, target)
    for found, wanted in zip(ours, weights * np.stack([source, target]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_channels_attend_to_those_that_they_are_least_alike():
    x, joint = draw(2, 3, 4, 5), draw(2, 3, 4, 5, seed=1)
    found = np.asarray(attend(x, joint))
    for image, row in np.ndindex(2, 5):
        energy = np.array([(x[image, ..., row] * joint[image, ..., c]).sum() for c in range(5)])
        wanted = softmax(energy.max() - energy, 0)  # as the paper writes it
        np.testing.assert_allclose(found[image, row], wanted, rtol=1e-4)
        assert found[image, row].argmax() == energy.argmin()


def test_what_both_styles_share():
    layer, pair = Universal(), [draw(2, 3, 4, 16, seed=seed) / 2 for seed in (30, 31)]
    values = filled(layer, (None, None, None, 16))
    joint = np.maximum(
        convolve((pair[0] + pair[1]) / 2, values["joint/kernel"], values["joint/bias"]), 0
    )
    attention = sum(np.asarray(attend(x, joint)) for x in pair) / 2
    ours = layer(*pair)
    for found, style, x in zip(ours, ("source", "target"), pair, strict=True):
        mixed = np.zeros_like(x)
        for c, d in np.ndindex(16, 16):
            mixed[..., c] += attention[:, c, d, None, None] * x[..., d]
        kernel, bias = values[f"{style}/kernel"], values[f"{style}/bias"]
        wanted = np.maximum(convolve(mixed, kernel, bias), 0)
        assert found.shape == (2, 3, 4, 8) and wanted.any()
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", LAYERS)
def test_half_precision_and_config(kind):
    layer = kind.from_config(kind(dtype="mixed_bfloat16", name="one").get_config())
    found = layer(jnp.ones((1, 2, 3, 16)), jnp.ones((1, 2, 3, 16)))
    symbols = [keras.KerasTensor((None, None, None, 16), "bfloat16") for _ in range(2)]
    for value, symbol in zip(found, layer.compute_output_spec(*symbols), strict=True):
        assert value.dtype == jnp.bfloat16 and symbol.dtype == "bfloat16"
        assert value.shape[-1] == symbol.shape[-1]
    assert attend(jnp.ones((1, 2, 2, 4), jnp.bfloat16), jnp.ones((1, 2, 2, 4))).dtype == "float32"
