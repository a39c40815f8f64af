"""What every network keeps as data, and a new one in one file."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from rdepth_keras.models import ARCHITECTURES, ENCODERS, MODELS, Architecture, Twin
from rdepth_keras.models.architecture import choose
from rdepth_keras.models.encoders.convnext import ConvNeXt
from rdepth_keras.models.heads import Head
from rdepth_keras.models.weights.load import variables_by_path


@dataclass(frozen=True)
class Mean(Architecture):
    """The mean of two images' maps: a network as a newcomer would write it."""

    left_image_encoder: str = "atto"
    right_image_encoder: str | None = "atto"

    def connect(self, classes, *, dtype, **options):
        image = keras.Input((None, None, 3), name="image")
        features = [
            choose(name, encoder, ENCODERS)(name=name, dtype=dtype, **options)(image)[0]
            for name, encoder in self.encoders.items()
        ]
        logits = Head(classes, name="head", dtype=dtype)(sum(features) / len(features))
        return {"image": image}, {"image": image, "features": tuple(features), "logits": logits}


def test_a_new_network_is_one_class():
    network = Mean()
    assert network.encoders == {"left_image_encoder": "atto", "right_image_encoder": "atto"}
    assert not network.reads_depth
    model = network.build(3)
    assert model.output.shape == (None, None, None, 3)
    assert model.name == "mean"
    assert {path.split("/")[0] for path in variables_by_path(model)} == {*network.encoders, "head"}
    with pytest.raises(ValueError, match="expected min_ndim=4, found ndim=3"):
        model({"image": np.zeros((32, 32, 3))})


def test_an_encoder_that_is_none_is_no_encoder():
    assert Mean(right_image_encoder=None).encoders == {"left_image_encoder": "atto"}


def test_networks_say_what_they_read():
    assert MODELS["rdepth_xl_b"].encoders == {"image_encoder": "xlarge", "depth_encoder": "base"}
    assert MODELS["twin"].reads_depth
    assert not MODELS["convnext_b"].reads_depth
    assert not MODELS["pspnet"].reads_depth


def test_all_networks_are_of_the_listed_kinds_and_of_names_alone():
    """So that an experiment can store each of them."""
    assert {type(network) for network in MODELS.values()} == set(ARCHITECTURES.values())
    plain = (str, int, float, bool, type(None))
    for network in MODELS.values():
        for value in vars(network).values():
            assert all(isinstance(one, plain) for one in keras.tree.flatten(value))
        assert hash(network) is not None


def test_choose():
    table = {"one": 1, "two": 2}
    assert choose("number", "two", table) == 2
    assert choose("number", len, table) is len
    sizes = {"depths": (1, 1, 1, 1), "widths": (4, 4, 4, 4)}
    assert isinstance(choose("encoder", sizes, table)(), ConvNeXt)
    with pytest.raises(ValueError, match="Unknown number 'three'; known are one, two."):
        choose("number", "three", table)


def test_equal_networks_are_equal():
    assert Twin() == MODELS["twin"] == MODELS["rdepth_b_s"] != MODELS["convnext_b"]


def test_frozen_encoders_do_not_train():
    """They keep their place among the variables, and the rest still trains."""
    network = Mean(frozen=("left_image_encoder",))
    model = network.build(3)
    trained = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert trained == {"right_image_encoder", "head"}
    assert variables_by_path(model).keys() == variables_by_path(Mean().build(3)).keys()


@pytest.mark.parametrize(
    "frozen", [("no",), "left_image_encoder", None, ("left_image_encoder",) * 2]
)
def test_what_is_no_encoder_cannot_be_frozen(frozen):
    with pytest.raises(ValueError, match="frozen must be a tuple of encoders of the network, left"):
        Mean(frozen=frozen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_encoder": 5}, "Unknown image_encoder 5; known are atto, base"),
        ({"image_encoder": None}, "Unknown image_encoder None; known are atto"),
        ({"depth_encoder": {"depths": (1, 1, 1, 1)}}, "Unknown depth_encoder {'depths': "),
        ({"fusion": None}, "Unknown fusion None; known are add, concat, gated"),
        ({"drop_path": None}, "drop_path must be at least 0 and below 1; received None"),
        ({"channels": 0}, "channels must be a whole number, at least 1; received 0"),
        ({"auxiliary_channels": 0}, "auxiliary_channels must be a whole number, at least 1"),
        ({"depth_encoder": None, "fusion": "gated"}, "'gated' joins image and depth, and there is"),
    ],
)
def test_what_no_network_can_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        Twin(**arguments)
