"""The paper's network: its parts, its variables, and that depth trains as three channels."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.models import DGCD, FUSIONS, DeepLabV2, Twin

ENCODER = {"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 10)}
SMALL = Twin(ENCODER, ENCODER, channels=4, auxiliary_channels=4, drop_path=0.0, dropout=0.0)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return SMALL.build(taps=True)


def test_paths_and_groups_of_variables(model):
    paths = {variable.path for variable in model.variables}
    groups = {path.split("/")[0] for path in paths}
    assert groups == {"image_encoder", "depth_encoder", "decoder", "head", "auxiliary"}
    assert {
        "image_encoder/stem/kernel",
        "depth_encoder/stage2_downsample/kernel",
        "decoder/pyramid6/conv/kernel",
        "decoder/fuse/norm/moving_variance",
        "head/classifier/kernel",
        "auxiliary/block/conv/kernel",
    } <= paths


def test_depth_trains_as_three_equal_channels(model):
    """A grey image and its depth map: the two encoders have equal maps and equal gradients.

    All of a step follows from that, whatever the optimizer. The first stage is enough: the rest
    of both is the same.
    """
    model = keras.Model(model.input, model.output["features"][:1])
    variables = {v.path.partition("_encoder/")[::2]: v.value for v in model.trainable_variables}
    twins = {rest for kind, rest in variables if kind == "depth"}
    params = [
        variables["image", path[1]] if path[1] in twins and path[0] == "depth" else value
        for path, value in variables.items()
    ]
    depth = np.random.default_rng(0).random((2, 32, 40, 1), np.float32)
    inputs = {"image": 255 * depth.repeat(3, -1), "depth": depth}
    fixed = [variable.value for variable in model.non_trainable_variables]

    def energy(params):
        features, _ = model.stateless_call(params, fixed, inputs)
        halves = [jnp.split(x, 2, -1) for x in features]  # the encoders are of the same widths
        return sum((half**3).sum() for pair in halves for half in pair), halves

    slopes, halves = jax.jit(jax.grad(energy, has_aux=True))(params)
    for image, grey in halves:
        np.testing.assert_allclose(image, grey, rtol=1e-4, atol=1e-5)
    slopes = dict(zip(variables, slopes, strict=True))
    assert slopes["depth", "stem/kernel"].shape == (4, 4, 3, 4)
    for path in twins:
        theirs = slopes["image", path]
        tolerance = 1e-4 * np.abs(theirs).max()
        np.testing.assert_allclose(slopes["depth", path], theirs, atol=tolerance, err_msg=path)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_fusions_are_a_name(fusion):
    output = jax.eval_shape(
        lambda: replace(SMALL, fusion=fusion).build(taps=True)(
            {"image": np.zeros((1, 32, 33, 3)), "depth": np.zeros((1, 32, 33, 1))}
        )
    )
    widths = [x.shape[-1] for x in output["features"]]
    assert widths == [width * (2 if fusion == "concat" else 1) for width in ENCODER["widths"]]


def test_without_depth():
    model = replace(SMALL, depth_encoder=None).build(taps=True)
    assert list(model.input) == ["image"]
    groups = {variable.path.split("/")[0] for variable in model.variables}
    assert groups == {"image_encoder", "decoder", "head", "auxiliary"}


def test_without_the_auxiliary_head():
    model = replace(SMALL, auxiliary_channels=None).build(taps=True)
    assert model.output.keys() == {"logits", "features"}
    assert not any("auxiliary" in variable.path for variable in model.variables)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_encoder": "huge"}, "Unknown image_encoder 'huge'; known are atto, base"),
        ({"depth_encoder": "huge"}, "Unknown depth_encoder 'huge'; known are atto, base"),
        ({"fusion": "sum"}, "Unknown fusion 'sum'; known are add, concat, gated"),
        ({"decoder": "fcn"}, "Unknown decoder 'fcn'; known are .*upernet"),
    ],
)
def test_unknown_parts_are_refused_before_it_is_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        Twin(**arguments)


@pytest.mark.parametrize("name", ["drop_path", "dropout"])
@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5, float("nan")])
def test_rates_that_are_no_probability_are_refused(name, rate):
    for network in (Twin, DGCD, DeepLabV2):
        with pytest.raises(ValueError, match=f"{name} must be at least 0 and below 1; received"):
            network(**{name: rate})
