"""The adversarial rows as LoveDA's release trained them."""

import pytest

from rdepth_keras.data.transforms import RandomFlips
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS
from rdepth_keras.optimizers import SGD, Adam
from rdepth_keras.recipes import recipe

NETWORKS = {
    "adaptsegnet": "deeplabv2_two_taps",
    "transnorm": "deeplabv2_transnorm",
    "clan": "deeplabv2_two_heads",
    "fada": "deeplabv2",
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("direction", ["u2r", "r2u"])
def test_the_shared_base(name, direction):
    """SGD 5e-3, Adam 1e-4, clipped at 35; 8 crops of 512; stopped at 10 000 of 15 000 steps."""
    experiment = recipe(name, direction)
    assert experiment.network == MODELS[NETWORKS[name]]
    segmenter, critic = experiment.optimizers.segmenter, experiment.optimizers.critic
    assert isinstance(segmenter, SGD) and isinstance(critic, Adam)
    assert (segmenter.momentum, segmenter.weight_decay) == (0.9, 5e-4)
    assert (critic.beta1, critic.beta2) == (0.9, 0.99)
    assert segmenter.clip_norm == critic.clip_norm == 35
    training = experiment.training
    assert (training.steps, training.batch_size, training.crop) == (10_000, 8, 512)
    assert training.inference == Inference(window_pixels=None)
    assert training.sampling.target_split == "val" and training.choice.selection == "last"
    assert training.augmentation.crop_redraws == 0
    assert training.augmentation.flips == RandomFlips(0.75, ((1,), (0,)), exclusive=True)
    for optimizer, peak in ((segmenter, 5e-3), (critic, 1e-4)):
        rate = optimizer.rate(training.steps)
        warm = not (name == "adaptsegnet" and direction == "r2u")
        assert float(rate(375)) == pytest.approx(
            peak * (0.5 if warm else (1 - 375 / 15_000) ** 0.9), rel=1e-4
        )
        assert float(rate(10_000)) == pytest.approx(peak * (1 / 3) ** 0.9, rel=1e-4)


def test_the_control():
    """U2R 1e-2, warm-up, 10 000 of 15 000 steps; R2U 1e-3, none, all 15 000; 16 crops, no clip."""
    for direction, steps, peak, last in (
        ("u2r", 10_000, 1e-2, 1e-2 * (1 / 3) ** 0.9),
        ("r2u", 15_000, 1e-3, 0.0),
    ):
        experiment = recipe("source_only_deeplabv2", direction)
        training, optimizer = experiment.training, experiment.optimizers.segmenter
        assert experiment.network == MODELS["deeplabv2"] and not experiment.method.uses_target
        assert (training.steps, training.batch_size) == (steps, 16)
        assert optimizer.learning_rate == peak and optimizer.clip_norm is None
        rate = optimizer.rate(steps)
        assert float(rate(steps)) == pytest.approx(last, abs=1e-9)
        assert (float(rate(0)) < 1e-6) == (direction == "u2r")
    assert experiment.optimizers.critic is None


def test_the_terms_weights():
    method = recipe("adaptsegnet").method
    weights = method.auxiliary_weight, method.adversarial_weight
    assert (*weights, method.auxiliary_adversarial_weight) == (0.1, 0.001, 0.0002)
    method = recipe("clan").method
    assert (method.adversarial_weight, method.discrepancy_weight) == (0.001, 0.02)
    assert (method.local_weight, method.local_floor) == (10, 0.4)
    assert method.warmup_fraction * 10_000 == 750 and method.weight_gradient
    method = recipe("fada").method
    assert (method.segmentation_weight, method.adversarial_weight) == (0.1, 0.001)
    assert (method.temperature, method.largest_label) == (1.8, 0.9)
