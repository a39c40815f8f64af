"""ConvNeXt: sizes, names, stochastic depth, rematerialisation. Parity is in tests/parity."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models.encoders.convnext import (
    VARIANTS,
    ConvNeXt,
    ConvNeXtBlock,
    convnext,
    linear_rates,
)

TIMM = {  # parameters of timm's classifiers of 1000 classes, without the last linear layer
    "atto": 3_695_520 - 321_000,
    "femto": 5_217_784 - 385_000,
    "pico": 9_045_672 - 513_000,
    "nano": 15_593_560 - 641_000,
    "tiny": 28_589_128 - 769_000,
    "small": 50_223_688 - 769_000,
    "base": 88_591_464 - 1_025_000,
    "large": 197_767_336 - 1_537_000,
    "xlarge": 350_196_968 - 2_049_000,
}
SMALL = {"depths": (1, 2, 1, 1), "widths": (4, 6, 8, 10)}


def small(**options):
    keras.utils.set_random_seed(1)
    encoder = ConvNeXt(**SMALL, name="image_encoder", **options)
    encoder.build((None, None, None, 3))
    return encoder


def draw(height, width, channels=3):
    return np.random.default_rng(0).normal(size=(2, height, width, channels)).astype(np.float32)


@pytest.mark.parametrize("variant", sorted(VARIANTS.keys() - {"speck"}))
def test_parameter_count_equals_the_published(variant, unallocated):
    def build():
        encoder = convnext(variant, name="image_encoder")
        encoder.build((None, None, None, 3))
        return encoder

    # Besides timm's norm after stage 4 there is one after each of the others.
    extra = 2 * sum(VARIANTS[variant][1][:3])
    assert unallocated(build).count_params() == TIMM[variant] + extra


@pytest.mark.parametrize("size", [(32, 32), (33, 63), (95, 64), (47, 61)])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_shapes(size, channels):
    encoder = ConvNeXt(**SMALL)
    shapes = encoder.compute_output_shape((2, *size, channels))
    encoder.build((2, *size, channels))
    maps = jax.eval_shape(encoder, jax.ShapeDtypeStruct((2, *size, channels), jnp.float32))
    assert tuple(x.shape for x in maps) == shapes
    for stride, x in zip((4, 8, 16, 32), maps, strict=True):
        assert x.shape[1:3] == tuple(side // stride for side in size)


def test_paths_are_unique_and_count_from_one():
    paths = [variable.path for variable in small(drop_path=0.5).variables]
    assert len(set(paths)) == len(paths)
    assert "image_encoder/stage2_block2/depthwise/kernel" in paths
    assert "image_encoder/stage4_output_norm/gamma" in paths
    assert not any("stage0" in path or "block0" in path for path in paths)


def test_too_small_an_image_names_the_least_size():
    with pytest.raises(ValueError, match="at least 32 pixels; received 31 x 40"):
        small()(draw(31, 40))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "huge"}, "Unknown ConvNeXt 'huge'; known are atto, femto"),
        ({"depths": (1, 1)}, r"received depths \(1, 1\) and widths None"),
    ],
)
def test_impossible_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        convnext(**arguments)


def test_drop_path_grows_linearly_over_all_blocks():
    encoder = small(drop_path=0.4)
    rates = [block.drop_path.rate for block in encoder.blocks]
    np.testing.assert_allclose(rates, [0, 0.1, 0.2, 0.3, 0.4])
    assert linear_rates(0.4, 1) == [0.0]


def training_step(block, x):
    """Output, changed state and gradients of one jitted call with stochastic depth."""
    params = [variable.value for variable in block.trainable_variables]
    fixed = [variable.value for variable in block.non_trainable_variables]

    def loss(params, x):
        y, after = block.stateless_call(params, fixed, x, training=True)
        return (y**2 * jnp.arange(y.shape[-1])).mean(), (y, after)

    step = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
    return step(params, x), str(step.trace(params, x).jaxpr)


class PlainBlock(ConvNeXtBlock):
    """As the papers write it: every layer takes the map before it."""

    def call(self, x, training=None, drawn=None):
        hidden = self.expand(self.norm(self.depthwise(x)))
        branch = self.scale(self.project(keras.activations.gelu(hidden, approximate=False)))
        return x + self.drop_path(branch, training=training, drawn=drawn)


@pytest.mark.parametrize("drop_path", [0.0, 0.5])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("mixed_bfloat16", 2**-5)])
def test_a_block_is_what_its_layers_are_one_by_one(drop_path, dtype, tolerance):
    """The value and all gradients; in half precision both are rounded, but not alike."""
    x = jnp.asarray(draw(5, 7, 6))
    steps = []
    for kind in (ConvNeXtBlock, PlainBlock):
        keras.utils.set_random_seed(1)
        block = kind(6, drop_path=drop_path, layer_scale=0.7, dtype=dtype)
        block.build(x.shape)
        rng = np.random.default_rng(2)
        for variable in block.trainable_variables:
            variable.assign(rng.normal(size=variable.shape) / 2)
        steps.append(training_step(block, x.astype(block.compute_dtype))[0])
    for ours, plain in zip(*map(jax.tree.leaves, steps), strict=True):
        ours, plain = (np.asarray(array, np.float32) for array in (ours, plain))
        np.testing.assert_allclose(ours, plain, rtol=0, atol=tolerance * np.abs(plain).max())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_a_quantized_block_is_still_one():
    """Its kernels are whole numbers then, with scales of their own."""
    x = draw(5, 7, 6)
    block = ConvNeXtBlock(6)
    block.build(x.shape)
    before = np.asarray(block(x))
    for layer in (block.expand, block.project):
        layer.quantize("int8")
    change = np.abs(np.asarray(block(x)) - before).max()
    assert 0 < change < 0.05 * np.abs(before - x).max()


def test_remat_changes_no_number():
    x = draw(5, 7)
    steps = []
    for remat in (False, True):
        keras.utils.set_random_seed(1)
        block = ConvNeXtBlock(3, drop_path=0.5, remat=remat)
        block.build(x.shape)
        steps.append(training_step(block, x))
    (plain, plain_text), (again, again_text) = steps
    for one, two in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-7)
    assert again_text.count("remat") > plain_text.count("remat") == 0
    assert all(block.remat for block in small(remat=True).blocks)


def test_remat_needs_jax(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(ValueError, match="need the JAX backend; this is torch"):
        small(remat=True)


def test_layer_scale_starts_at_the_given_value():
    for given, wanted in (({}, 1.0), ({"layer_scale": 1e-6}, 1e-6)):
        scale = small(**given).blocks[0].scale
        np.testing.assert_allclose(scale.gamma, wanted)


@pytest.mark.proof
def test_mixed_precision_computes_in_bfloat16_and_keeps_float32_variables():
    encoder = small(dtype="mixed_bfloat16")
    exact = small()
    maps = jax.jit(encoder)(draw(32, 40))
    assert {x.dtype for x in maps} == {jnp.dtype(jnp.bfloat16)}
    assert {variable.dtype for variable in encoder.variables} == {"float32"}
    for rough, fine in zip(maps, exact(draw(32, 40)), strict=True):
        assert np.abs(np.asarray(rough, np.float32) - fine).max() < 0.1
