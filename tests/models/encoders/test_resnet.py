"""ResNet: sizes, dilation, counts, weights, serialisation."""

import jax
import keras
import numpy as np
import pytest

from rdepth_keras.models import ENCODERS
from rdepth_keras.models.encoders.resnet import Bottleneck, ResNet, stage_plan
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.models.weights import load as weights

SHALLOW = {"depths": (1, 1, 1, 1), "width": 8}


def draw(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize(
    ("output_stride", "contracted", "plan"),
    [
        (32, True, [(1, 1, 1), (2, 1, 1), (2, 1, 1), (2, 1, 1)]),
        (16, True, [(1, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 2)]),
        (8, True, [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 4)]),
        (8, False, [(1, 1, 1), (2, 1, 1), (1, 2, 2), (1, 4, 4)]),
    ],
)
def test_dilation_takes_the_place_of_stride(output_stride, contracted, plan):
    assert stage_plan(output_stride, contracted) == plan


def test_an_unknown_output_stride_is_refused():
    with pytest.raises(ValueError, match="8, 16 or 32; received 4"):
        ResNet(**SHALLOW, output_stride=4)


def test_remat_is_refused():
    with pytest.raises(ValueError, match="no remat"):
        ResNet(**SHALLOW, remat=True)


@pytest.mark.parametrize(
    ("name", "parameters"), [("resnet50", 23_508_032), ("resnet50c_s8", 23_527_264)]
)
def test_parameters_are_those_published(name, parameters, unallocated):
    def build():
        encoder = ENCODERS[name]()
        encoder.build((None, None, None, 3))
        return encoder

    encoder = unallocated(build)
    assert (
        sum(int(np.prod(variable.shape)) for variable in encoder.trainable_variables) == parameters
    )


@pytest.mark.parametrize("output_stride", [8, 16, 32])
@pytest.mark.parametrize("size", [(32, 33), (45, 64)])
def test_declared_sizes_are_true(output_stride, size):
    encoder = ResNet(**SHALLOW, output_stride=output_stride)
    encoder.build((None, None, None, 2))
    maps = jax.eval_shape(encoder, draw((1, *size, 2)))
    assert tuple(x.shape for x in maps) == encoder.compute_output_shape((1, *size, 2))
    assert maps[3].shape[1] == -(-size[0] // output_stride)


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="at least 32"):
        ResNet(**SHALLOW).compute_output_shape((None, 31, 64, 3))


@pytest.mark.parametrize("norm", [BatchNorm, TransNorm])
def test_configuration_round_trip(norm):
    one = ResNet(**SHALLOW, output_stride=8, deep_stem=True, norm=norm, name="encoder")
    other = ResNet.from_config(one.get_config())
    assert other.get_config() == one.get_config()
    for encoder in (one, other):
        encoder.build((None, 64, 64, 3))
    assert [v.path for v in other.variables] == [v.path for v in one.variables]


def test_variant_names_the_published_weights():
    assert ENCODERS["resnet50_s16"]().variant == "resnet50"
    assert ENCODERS["resnet50c_s8"]().variant == "resnet50c"
    assert ResNet((3, 4, 6, 3), width=32).variant is None
    assert weights.published(ENCODERS["resnet50"]()) == "timm/resnet50.tv_in1k"


def test_training_updates_every_statistic():
    encoder = ResNet(**SHALLOW, deep_stem=True)
    encoder.build((None, None, None, 3))
    variables = encoder.non_trainable_variables
    state = [[v.value for v in group] for group in (encoder.trainable_variables, variables)]

    @jax.jit
    def train(x):
        return encoder.stateless_call(*state, x, training=True)[1]

    for variable, after in zip(variables, train(draw((2, 40, 40, 3))), strict=True):
        assert (np.asarray(variable.value) != np.asarray(after)).all(), variable.path


def published_arrays(encoder):
    """Random arrays under the names that timm gives to the layers of such an encoder."""
    arrays = {}
    for index, variable in enumerate(encoder.variables):
        layer, _, leaf = variable.path.removeprefix(f"{encoder.name}/").rpartition("/")
        *block, layer = layer.split("/")
        if leaf.startswith("source"):
            continue
        stage = [f"layer{block[0][5]}", str(int(block[0][12:]) - 1)] if block else []
        names = {"stem1": "conv1", "stem_norm1": "bn1"}
        names |= {f"norm{n}": f"bn{n}" for n in (1, 2, 3)}
        names |= {"shortcut": "downsample.0", "shortcut_norm": "downsample.1"}
        leaves = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
        kind = "running_mean" if leaf.endswith("mean") else "running_var"
        name = ".".join([*stage, names.get(layer, layer), leaves.get(leaf, kind)])
        numbers = draw(variable.shape, index)
        if numbers.ndim == 4:
            arrays[name] = (numbers / np.prod(numbers.shape[:3]) ** 0.5).transpose(3, 2, 0, 1)
        else:
            arrays[name] = np.exp(0.2 * numbers) if kind == "running_var" else 0.1 * numbers
    return arrays


def assign(encoder, arrays):
    variables = {
        path.removeprefix(f"{encoder.name}/"): variable
        for path, variable in weights.variables_by_path(encoder).items()
    }
    layout = weights.LAYOUTS[ResNet][0]
    assert layout.fits(arrays)
    found = weights.match(variables, arrays, layout, "drawn")
    for path, array in found.items():
        variables[path].assign(array)


def test_statistics_go_to_both_domains():
    encoder = ResNet((1, 1, 1, 1), norm=TransNorm, name="encoder")
    encoder.build((None, None, None, 3))
    assign(encoder, published_arrays(encoder))
    values = {variable.path: np.asarray(variable.value) for variable in encoder.variables}
    pairs = [(path, path.replace("source_", "target_")) for path in values if "source_" in path]
    assert len(pairs) == 2 * (1 + 4 * 4)
    for source, target in pairs:
        np.testing.assert_array_equal(values[source], values[target])
        assert values[source].std() > 0


def test_a_checkpoint_of_another_size_is_refused():
    encoder = ResNet((1, 1, 1, 1), name="encoder")
    encoder.build((None, None, None, 3))
    arrays = published_arrays(encoder)
    arrays["layer1.1.conv1.weight"] = arrays.pop("layer1.0.conv1.weight")
    with pytest.raises(ValueError, match=r"layer1\.1\.conv1.*lacks stage1_block1/conv1/kernel"):
        assign(encoder, arrays)


def test_drop_path_leaves_the_shortcut():
    block = Bottleneck(2, drop_path=0.99)
    x = np.abs(draw((4, 3, 3, 8)))
    keras.utils.set_random_seed(0)
    np.testing.assert_array_equal(block(x, training=True), x)
    assert (np.asarray(block(x)) != x).any()
