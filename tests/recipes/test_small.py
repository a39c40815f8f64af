"""Recipes at the demo's size: method, kind of network and what is seen of the target stay."""

import pytest

from rdepth_keras.adapt.discriminators import style_critic
from rdepth_keras.experiment import from_json, to_json
from rdepth_keras.models import ENCODERS
from rdepth_keras.recipes import RECIPES, recipe
from rdepth_keras.recipes.deviation import changes
from rdepth_keras.recipes.small import smallest


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("direction", ["u2r", "r2u"])
def test_any_recipe_can_be_small(name, direction):
    whole, own = recipe(name, direction), recipe(f"demo_{name}", direction)
    assert own.recipe == f"demo_{name}" and own.data.direction == direction
    assert own.data == recipe("demo", direction).data
    assert type(own.network) is type(whole.network) and type(own.method) is type(whole.method)
    assert own.network.encoders.keys() == whole.network.encoders.keys()
    assert set(own.network.encoders.values()) <= ENCODERS.keys()
    assert own.training.weights == "none" and own.training.steps == recipe("demo").training.steps
    assert own.training.inference.window_pixels == own.training.crop
    assert own.training.sampling.target_split == whole.training.sampling.target_split
    seen, own_view = whole.training.target_augmentation, own.training.target_augmentation
    assert (own_view is None) == (seen is None)
    assert own_view is None or not own_view.rotation.probability
    assert (own.optimizers.critic is None) == (whole.optimizers.critic is None)
    assert from_json(to_json(own)) == own
    assert changes(own) == []
    assert changes(own.changed(training={"steps": 7}))


@pytest.mark.parametrize(
    ("name", "small"),
    [
        *(("xlarge", "speck"), ("mit_b5", "mit_b0"), ("resnet50c_s8", "resnet14c_s8_narrow")),
        ("resnet50_s16_transnorm", "resnet14_s16_transnorm_narrow"),
    ],
)
def test_smallest_of_the_family(name, small):
    assert smallest(name) == small


def test_narrow_resnets():
    """Else the demo's steps took ten seconds with two students."""
    maps = ENCODERS["resnet14c_s8_narrow"]().compute_output_shape((1, 128, 128, 3))
    assert maps == tuple((1, s, s, c) for s, c in ((32, 32), (16, 64), (16, 128), (16, 256)))
    assert not {f"{name}_narrow" for name in ENCODERS if "resnet50" in name} & ENCODERS.keys()


def test_critics_are_narrow_as_well():
    assert recipe("demo_adaptsegnet").method.widths == (16, 32, 64, 128)
    assert recipe("demo_fada").method.widths == (128, 64)


@pytest.mark.parametrize(("heads", "stride"), [("deeplabv3", 16), ("segformer", 32)])
def test_critics_of_styles_find_something_in_a_crop_of_64(heads, stride):
    """In the leaderboard's crops every sweep over SegFormer's row failed."""
    method, side = recipe(f"demo_st_dasegnet_{heads}").method, 64 // stride
    critic = style_critic("critic", 8, method.widths, method.halvings, seed=0).model
    left = side - len(method.widths) - 1
    assert left > 0
    assert critic.compute_output_shape({"map": (1, side, side, 8)}) == (1, left, left, 1)


def test_a_small_recipe_of_nothing():
    with pytest.raises(ValueError, match="Unknown recipe 'nope'"):
        recipe("demo_nope")
