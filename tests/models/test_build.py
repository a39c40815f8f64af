"""Networks by name: what build takes and refuses, and how a network is used."""

import re
from functools import partial

import jax
import keras
import numpy as np
import pytest

from rdepth_keras import models
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.fusion import add

ENCODER = {"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 10)}
SMALL = {"image_encoder": ENCODER, "channels": 4, "auxiliary_channels": 4}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("unet", {}, "Unknown network 'unet'; known are convnext_b, .*rdepth_xl_b"),
        ("twin", {"colour": 3}, "'twin' has no argument colour; it has image_encoder, "),
        ("twin", {"image_encoder": "huge"}, "Unknown image_encoder 'huge'; known are atto, base"),
        ("twin", {"fusion": "sum"}, "Unknown fusion 'sum'; known are add, concat, gated"),
        ("twin", {"decoder": "fcn"}, "Unknown decoder 'fcn'; known are .*upernet"),
    ],
)
def test_unknown_names_list_the_known(name, arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        models.build(name, **arguments)
    assert "\n" not in str(error.value)


def sizes(depths=(1, 1, 1, 1), widths=(4, 6, 8, 10)):
    return {"image_encoder": {"depths": depths, "widths": widths}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            ({"classes": classes}, "classes must be a whole number, from 1 to 255; received")
            for classes in (0, -1, 256, True, 7.0)
        ),
        *(
            ({"accumulate": parts}, "accumulate must be a whole number, at least 1; received")
            for parts in (0, -1, 2.0, True)
        ),
        *(
            ({flag: "no"}, f"{flag} must be True or False; received 'no'")
            for flag in ("taps", "remat")
        ),
        *(({"dtype": dtype}, "dtype must be a policy of floats") for dtype in ("int8", "bool")),
        ({"dtype": "int8_from_float32"}, "dtype must be a policy of floats"),
        ({"drop_path": 1.0}, "drop_path must be at least 0 and below 1"),
        (sizes(depths=(0, 1, 1, 1)), "depths and widths must be a whole number, at least 1"),
        (sizes(widths=(4, 6, 8.0, 10)), "depths and widths must be a whole number, at least 1"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        models.build("convnext_b", **{**SMALL, **arguments})
    assert "\n" not in str(error.value)


def test_functions_stand_for_names():
    model = models.build("twin", depth_encoder=ENCODER, fusion=add, **SMALL)
    assert model.get_layer("fusion1").__class__.__name__ == "Added"


@pytest.fixture(scope="module")
def twin():
    return models.build("twin", depth_encoder=ENCODER, **SMALL)


def test_fused_widths_are_the_papers():
    """Concatenation: B + S 224/448/896/1792, XL + B 384/768/1536/3072."""
    for names, widths in (
        (("base", "small"), (224, 448, 896, 1792)),
        (("xlarge", "base"), (384, 768, 1536, 3072)),
    ):
        encoders = [models.ENCODERS[name](name=name) for name in names]
        shapes = zip(*(e.compute_output_shape((1, 64, 64, 3)) for e in encoders), strict=True)
        assert tuple(one[-1] + two[-1] for one, two in shapes) == widths


def test_summary_fits_a_page(twin, capsys):
    twin.summary()
    text = capsys.readouterr().out
    assert "image_encoder" in text
    assert "decoder" in text
    assert len(text.splitlines()) < 80


def test_same_seed_same_network():
    def draw():
        keras.utils.set_random_seed(7)
        return [v.value for v in models.build("convnext_b", **SMALL).trainable_variables]

    for one, two in zip(draw(), draw(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("image", "depth", "message"),
    [
        ((64, 64, 3), (64, 64, 2), "takes 1 channels; received 2"),
        ((64, 64, 4), (64, 64, 1), "expected shape=(None, None, None, 3), found"),
        ((31, 64, 3), (31, 64, 1), "at least 32 pixels; received 31 x 64. Enlarge or pad"),
        ((64, 64, 3), (64, 40, 1), "received (1, 64, 40, 1) beside (1, 64, 64, 3). Resize"),
    ],
)
def test_wrong_inputs_are_refused_in_one_line(twin, image, depth, message):
    inputs = {"image": np.zeros((1, *image), np.uint8), "depth": np.zeros((1, *depth), np.float32)}
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        jax.eval_shape(twin, inputs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fusion", ["add", "concat", "gated"])
@pytest.mark.parametrize("counts", [(4, 1), (1, 4)])
def test_one_depth_map_for_several_images_is_refused(counts, fusion):
    """Or the other way round: a sum spreads one over all of them."""
    model = models.build("twin", **SMALL, depth_encoder=ENCODER, fusion=fusion)
    image, depth = (np.zeros((n, 32, 32, c)) for n, c in zip(counts, (3, 1), strict=True))
    with pytest.raises(ValueError, match="Each image takes one depth map of its height") as error:
        jax.eval_shape(model, {"image": image, "depth": depth})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("depth_encoder", [None, ENCODER])
def test_an_image_without_batch_axis_is_refused_in_one_line(depth_encoder):
    inputs = {"image": np.zeros((64, 64, 3), np.uint8), "depth": np.zeros((64, 64, 1), np.float32)}
    model = models.build("twin", depth_encoder=depth_encoder, **SMALL)
    with pytest.raises(ValueError, match="'image' .* expected min_ndim=4, found ndim=3") as error:
        model({name: inputs[name] for name in model.input})
    assert "\n" not in str(error.value)


def test_a_missing_input_is_named(twin):
    with pytest.raises(ValueError, match='Missing data for input "depth"') as error:
        twin({"image": np.zeros((1, 64, 64, 3), np.uint8)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [5, None, models.Twin, models.MODELS["twin"]])
def test_what_names_no_network(name):
    with pytest.raises(ValueError, match="takes the name of a network, one of twin, convnext_b, "):
        models.build(name)


@pytest.mark.parametrize("weights", [5, ["imagenet"], {"image_encoder": 5}, {}])
def test_weights_that_cannot_be(weights):
    with pytest.raises(ValueError, match="weights must be None, 'imagenet', a file, .* received"):
        models.build("convnext_b", weights=weights, **SMALL)


@pytest.mark.parametrize("classes", [0, 256, "7", 7.0, True])
def test_classes_that_cannot_be(classes):
    with pytest.raises(ValueError, match="classes must be a whole number, from 1 to 255; received"):
        models.MODELS["twin"].build(classes)


RESNET = partial(ResNet, (1, 1, 1, 1), width=4, output_stride=16)
FROZEN = {
    "convnext": ("twin", {**SMALL, "depth_encoder": ENCODER, "fusion": "gated"}),
    "mit": ("segformer_b0", {"channels": 4}),
    "resnet": ("deeplabv2", {"image_encoder": RESNET}),
}


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize("again", ["cloned", "loaded"])
@pytest.mark.parametrize("kind", FROZEN)
def test_what_is_frozen_stays_frozen(kind, again, tmp_path):
    """Encoders and a decoder, whose parts are made after their layer was told."""
    name, options = FROZEN[kind]
    model = models.build(name, classes=3, **options)
    frozen = [layer for layer in model.layers if layer.name.endswith(("encoder", "decoder"))]
    for layer in frozen:
        layer.trainable = False
    if again == "cloned":
        other = keras.models.clone_model(model)
    else:
        model.save(tmp_path / "model.keras")
        other = keras.saving.load_model(tmp_path / "model.keras")
    wanted = {variable.path for variable in model.trainable_variables}
    assert wanted and {variable.path for variable in other.trainable_variables} == wanted
    frozen = [other.get_layer(layer.name) for layer in frozen]
    assert frozen and not any(variable.trainable for layer in frozen for variable in layer.weights)


def test_a_network_of_float16_is_compiled_with_loss_scaling():
    model = models.build("twin", dtype="mixed_float16", classes=3, **SMALL)
    model.compile("sgd", loss=models.compiled_cross_entropy)
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
