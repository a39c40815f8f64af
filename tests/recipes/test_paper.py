"""The paper's rows as the paper had them."""

import pytest

from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS
from rdepth_keras.recipes import recipe


def test_the_papers_numbers():
    """recipe.md: AdamW 1e-4, decay 0.05, 40 000 steps of 4 crops of 512, windows 512/512."""
    experiment = recipe("rdepth_b_s")
    training = experiment.training
    assert (training.steps, training.batch_size, training.crop) == (40_000, 4, 512)
    assert experiment.optimizers.segmenter.schedule.warmup_fraction * training.steps == 1500
    assert training.inference == Inference(window_pixels=512)
    assert experiment.network.drop_path == 0.4 and experiment.network.channels == 512


@pytest.mark.parametrize(
    ("name", "image", "depth"),
    [
        *(("rdepth_b_s", "base", "small"), ("rdepth_b_b", "base", "base")),
        *(
            ("rdepth_xl_b", "xlarge", "base"),
            ("convnext_b", "base", None),
            ("dgcd", "base", "small"),
        ),
    ],
)
def test_its_networks_and_its_loss(name, image, depth):
    experiment = recipe(name)
    assert experiment.network == MODELS[name]
    assert (experiment.network.image_encoder, experiment.network.depth_encoder) == (image, depth)
    assert experiment.method.average == "all", "mmsegmentation's avg_non_ignore=False"
    assert experiment.method.auxiliary_weight == 0.4
    assert experiment.training.augmentation.crop_redraws == 10
