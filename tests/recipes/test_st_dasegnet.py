"""ST-DASegNet's rows as its release configured them for LoveDA."""

import pytest

from rdepth_keras.adapt import STDASegNet
from rdepth_keras.data.transforms import RandomScale
from rdepth_keras.optimizers import SGD, AdamW
from rdepth_keras.recipes import recipe

NAMES = ("st_dasegnet_deeplabv3", "st_dasegnet_segformer")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", ["u2r", "r2u"])
def test_tiles_and_oversights(name, direction):
    experiment = recipe(name, direction)
    method, training = experiment.method, experiment.training
    assert (training.steps, training.batch_size, training.crop) == (40_000, 2, 384)
    assert training.sampling.target_split == "train" and training.choice.selection == "last"
    target = training.target_augmentation
    assert target.scale == RandomScale(384 / 1024, 384 / 1024), "the whole tile"
    assert target.flips.probability == target.rotation.probability == target.crop_redraws == 0
    assert training.augmentation.scale == RandomScale(0.5, 2.0)
    assert target.photometric == training.augmentation.photometric
    assert training.inference.scales == (0.75, 1, 1.25, 1.5)
    assert (method.critic_weight, method.average) == (0.005, "all")
    assert method.teacher_dropout and method.teacher_shuffled
    plain = STDASegNet()
    assert (plain.critic_weight, plain.average) == (1, "valid")
    assert not plain.teacher_dropout and not plain.teacher_shuffled


def test_directions_differ_in_the_classes_weights():
    for name in NAMES:
        methods = [recipe(name, direction).method for direction in ("u2r", "r2u")]
        assert [method.class_weights[0] for method in methods] == [1, 1.25]
        assert [method.pseudo_class_weights[5] for method in methods] == [2.01, 1.51]


def test_networks_differ_in_critics_rates_and_windows():
    deeplab, segformer = map(recipe, NAMES)
    assert (deeplab.method.widths[-1], deeplab.method.halvings) == (512, 3)
    assert (segformer.method.widths[-1], segformer.method.halvings) == (256, 2)
    optimizer, critic = deeplab.optimizers.segmenter, deeplab.optimizers.critic
    assert isinstance(optimizer, SGD) and optimizer.head_factor == 2
    assert float(critic.rate(40_000)(0)) == pytest.approx(2.5e-4)
    rate = optimizer.rate(40_000)
    assert float(rate(0)) == pytest.approx(1e-3) and float(rate(40_000)) == pytest.approx(1e-5)
    optimizer = segformer.optimizers.segmenter
    assert isinstance(optimizer, AdamW) and optimizer.head_factor == optimizer.stage_decay == 1
    rate = optimizer.rate(40_000)
    assert float(rate(400)) == pytest.approx(3e-5, rel=1e-3)
    assert float(rate(20_000)) == pytest.approx(3e-5, rel=1e-3)
    assert deeplab.training.inference.window_pixels is None
    windows = segformer.training.inference
    assert (windows.window_pixels, windows.stride_pixels) == (1024, 768)
