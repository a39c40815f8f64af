"""Fusions: what they compute, and that gated starts as the network of the image alone."""

from functools import partial

import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.fusion import Added, Align, concat, gated

IMAGE, DEPTH = (partial(ResNet, (1, 1, 1, 1), width) for width in (4, 6))
SIZES = {"decoder": "segformer", "channels": 8, "auxiliary_channels": None, "drop_path": 0}


def draw(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def test_gated_starts_as_the_network_of_the_image_alone():
    keras.utils.set_random_seed(0)
    alone = models.build("twin", image_encoder=IMAGE, depth_encoder=None, **SIZES)
    gated = models.build("twin", image_encoder=IMAGE, depth_encoder=DEPTH, fusion="gated", **SIZES)
    theirs = {variable.path: variable for variable in alone.variables}
    shared = [variable for variable in gated.variables if variable.path in theirs]
    assert len(shared) == len(theirs)
    for variable in shared:
        variable.assign(np.array(theirs[variable.path].value))
    image = np.random.default_rng(0).integers(0, 256, (1, 40, 33, 3)).astype(np.uint8)
    depth = np.random.default_rng(1).random((1, 40, 33, 1), np.float32)
    inputs = {"image": image, "depth": depth}
    wanted = alone.predict({"image": image}, verbose=0)
    # Two programs, which may round differently.
    rounding = 1e-6 * np.abs(wanted).max()
    np.testing.assert_allclose(gated.predict(inputs, verbose=0), wanted, rtol=0, atol=rounding)
    for stage in (1, 2, 3, 4):  # and depth counts once the scales move
        gamma = gated.get_layer(f"fusion{stage}").scale.gamma
        gamma.assign(np.ones(gamma.shape))
    moved = np.abs(gated.predict(inputs, verbose=0) - wanted)
    assert moved.max() > 1e-2 * np.abs(wanted).max()


def test_gate():
    inputs = keras.Input((4, 5, 3)), keras.Input((4, 5, 2))
    fused = gated(*inputs, name="fusion")
    model = keras.Model(inputs, fused)
    model = keras.Model(inputs, [fused, model.get_layer("fusion_gate").output])
    values = {}
    for seed, variable in enumerate(model.variables):
        variable.assign(draw(variable.shape, seed))
        values[variable.path] = np.asarray(variable.value)
    image, depth = draw((2, 4, 5, 3), 10), draw((2, 4, 5, 2), 11)
    both = np.concatenate([image, depth], -1)
    share = both @ values["fusion_gate/dense/kernel"] + values["fusion_gate/dense/bias"]
    gate = 1 / (1 + np.exp(-share))
    value = depth @ values["fusion/project/kernel"] + values["fusion/project/bias"]
    wanted = image + values["fusion/scale/gamma"] * gate * value
    found = model([image, depth])
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1], gate, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [3, 2])
def test_add(width):
    layer = Added()
    image, depth = draw((1, 4, 5, 3)), draw((1, 4, 5, width), 1)
    layer.build((image.shape, depth.shape))
    if width == 3:
        assert not layer.variables
        wanted = image + depth
    else:
        layer.project.kernel.assign(draw((width, 3), 2))
        wanted = image + depth @ draw((width, 3), 2)
    np.testing.assert_allclose(layer([image, depth]), wanted, rtol=1e-5, atol=1e-5)


def test_concat_takes_any_channels():
    inputs = keras.Input((4, 5, 3)), keras.Input((4, 5, 2))
    model = keras.Model(inputs, concat(*inputs, name="fusion"))
    image, depth = draw((1, 4, 5, 3)), draw((1, 4, 5, 2), 1)
    np.testing.assert_array_equal(model([image, depth]), np.concatenate([image, depth], -1))


def test_align_resizes_to_the_other_map():
    x = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    other = np.zeros((1, 4, 2, 5), np.float32)
    aligned = Align()(x, other)
    np.testing.assert_allclose(aligned[0, :, 0, 0], [0, 0.5, 1.5, 2])
    assert Align().compute_output_shape(x.shape, other.shape) == (1, 4, 2, 1)
