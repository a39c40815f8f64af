"""Settings that would pass for another experiment, and change nothing, are refused."""

from dataclasses import replace

import pytest

from rdepth_keras.adapt import SourceOnly
from rdepth_keras.data.transforms import Photometric, RandomFlips, RandomRotation
from rdepth_keras.experiment import Augmentation, Optimizers, Sampling
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS, Twin
from rdepth_keras.optimizers import AdamW, Schedule
from rdepth_keras.recipes import RECIPES, recipe
from rdepth_keras.run.effects import check_effects

PAPERS = recipe("rdepth_b_s")
OWN = PAPERS.training.augmentation
IDLE = {
    "target-split": ({"training": {"sampling": Sampling(target_split="test")}}, "SourceOnly reads"),
    "optimizer.decay-depth-encoder": (
        {
            "optimizers": Optimizers(AdamW(decay_depth_encoder=True)),
            "network": MODELS["convnext_b"],
        },
        "the network has no depth encoder",
    ),
    "method.auxiliary-weight": (
        {
            "method": SourceOnly(auxiliary_weight=0.1),
            "network": Twin("atto", "atto", auxiliary_channels=None),
        },
        "the network has no auxiliary head",
    ),
    "augmentation.crop-wanted-pixels": (
        {"training": {"augmentation": replace(OWN, crop_wanted_pixels=10)}},
        "without --rare-class-temperature",
    ),
    "augmentation.crop-largest-share": (
        {"training": {"augmentation": replace(OWN, crop_redraws=0, crop_largest_share=0.5)}},
        "no crop is drawn again",
    ),
    "augmentation.photometric.hue": (
        {"training": {"augmentation": replace(OWN, photometric=Photometric(hue=9))}},
        "the photometric has the probability 0",
    ),
    "augmentation.rotation.largest-degrees": (
        {"training": {"augmentation": replace(OWN, rotation=RandomRotation(0.0, 9.0))}},
        "the rotation has the probability 0",
    ),
    "augmentation.flips.axes": (
        {"training": {"augmentation": replace(OWN, flips=RandomFlips(0.0, ((1,),)))}},
        "the flips has the probability 0",
    ),
    "optimizer.decay-depth-encoder has no effect": (
        {"optimizers": Optimizers(AdamW(decay_depth_encoder=True, stage_decay=1.0))},
        "the stage-decay is 1",
    ),
    "optimizer.schedule.decays-from": (
        {
            "optimizers": Optimizers(
                AdamW(schedule=Schedule(warmup_fraction=0.0, decays_from="start"))
            )
        },
        "there is no warm-up",
    ),
    "inference.blend": (
        {"training": {"inference": Inference(256, blend="tapered")}},
        "tapered fades overlapping windows into one another, and there are none",
    ),
    "inference.window-pixels": (
        {"training": {"inference": Inference(31)}},
        "must be at least 32, which networks take; received 31",
    ),
}


@pytest.mark.parametrize(("parts", "said"), IDLE.values(), ids=IDLE)
def test_settings_without_effect_are_refused(parts, said, request):
    changed = PAPERS.changed(**parts)
    with pytest.raises(ValueError, match=f"--{request.node.callspec.id}.* {said}"):
        check_effects(changed)


def test_mixed_depth_without_depth_is_refused():
    """Else there would be another experiment with the same numbers."""
    for name in ("daformer", "rdepth_daformer"):
        own = recipe(name)
        changed = own.changed(method=replace(own.method, mixed_depth=False))
        if name == "daformer":
            with pytest.raises(ValueError, match="--method.no-mixed-depth has no effect"):
                check_effects(changed)
        else:
            check_effects(changed)


def test_settings_with_effect_and_those_of_a_recipe_are_not():
    check_effects(recipe("demo").changed(optimizers=Optimizers(AdamW(decay_depth_encoder=True))))
    blended = {"inference": Inference(256, 128, blend="tapered")}
    check_effects(recipe("demo").changed(training=blended))
    split = {"sampling": Sampling(target_split="test")}
    check_effects(recipe("daformer").changed(training=split))
    for name in RECIPES:
        check_effects(recipe(name))
    mine = recipe("demo").changed(recipe="my own", training=split)
    check_effects(mine)


def test_what_comes_with_a_transform_or_a_method_was_not_asked_for():
    demo = recipe("daformer")
    own = Augmentation(crop_redraws=0, rotation=RandomRotation(probability=0.0))
    check_effects(demo.changed(training={"target_augmentation": own}))
    check_effects(demo.changed(method=SourceOnly()))
