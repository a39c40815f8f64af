"""Named experiments, one function each.

Published numbers are mIoU in % on LoveDA's hidden test set, scored by the benchmark's server.
"""

from collections.abc import Callable

from rdepth_keras.adapt import DGCD
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.data.transforms import Photometric, RandomFlips, RandomRotation, RandomScale
from rdepth_keras.experiment import (
    Augmentation,
    Experiment,
    Optimizers,
    Resources,
    Training,
    differences,
    in_words,
)
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS, Twin
from rdepth_keras.optimizers import SGD, AdamW, Schedule
from rdepth_keras.train.loop import Cadence

# Its resize of square tiles to (2048, 512) x U(0.5, 2), ratio kept, is 0.25 to 1 times their size.
MMSEGMENTATION = Augmentation(
    scale=RandomScale(0.25, 1.0),
    rotation=RandomRotation(probability=0.0),
    flips=RandomFlips(probability=0.5, axes=((1,),)),
    photometric=Photometric(probability=0.5),
)
WHOLE = Inference(window_pixels=None)


def rdepth_b_s() -> Experiment:
    """ConvNeXt-B on the image, ConvNeXt-S on relative depth.

    Source: Sun et al., "Exploiting Relative Depth for Cross-domain Semantic Segmentation of
        High-resolution Satellite Remote Sensing Images"; details from its successor's release.
    Command: python scripts/train.py --direction u2r
    Published: u2r 48.98
    """
    return Experiment("rdepth_b_s", LoveDA("u2r"), MODELS["rdepth_b_s"])


def rdepth_b_b() -> Experiment:
    """ConvNeXt-B on the image, ConvNeXt-B on relative depth.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --direction r2u
    Published: r2u 46.73
    """
    return rdepth_b_s().changed(
        recipe="rdepth_b_b", data=LoveDA("r2u"), network=MODELS["rdepth_b_b"]
    )


def rdepth_xl_b() -> Experiment:
    """ConvNeXt-XL on the image, ConvNeXt-B on relative depth.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --recipe rdepth_xl_b --direction u2r
    Published: u2r 49.71, r2u 47.68
    """
    return rdepth_b_s().changed(recipe="rdepth_xl_b", network=MODELS["rdepth_xl_b"])


def convnext_b() -> Experiment:
    """ConvNeXt-B on the image alone: the paper's baseline.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --recipe convnext_b --direction u2r
    Published: u2r 47.13, r2u 44.11
    """
    return rdepth_b_s().changed(recipe="convnext_b", network=MODELS["convnext_b"])


def dgcd() -> Experiment:
    """rdepth_b_s with the successor's depth-guided refiner and cross-modal contrastive term.

    Source: ArthasMil/DGCD, IEEE TGRS 2026, doi 10.1109/TGRS.2026.3701909; no row of the tables.
    Command: python scripts/train.py --recipe dgcd --direction u2r
    """
    return rdepth_b_s().changed(recipe="dgcd", network=MODELS["dgcd"], method=DGCD())


def deeplabv3() -> Experiment:
    """DeepLabV3 on ResNet-50-v1c, output stride 8, on the image alone.

    Source: mmsegmentation 1.1.1's LoveDA pipeline and 80k schedule; the tables name no recipe, so
        the rows may come from another one.
    Command: python scripts/train.py --recipe deeplabv3 --direction u2r
    Published: u2r 33.79, r2u 35.44
    """
    sgd = SGD(schedule=Schedule(0.0, power=0.9, minimum=1e-4))
    return rdepth_b_s().changed(
        recipe="deeplabv3",
        network=MODELS["deeplabv3"],
        optimizers=Optimizers(sgd),
        training=Training(
            steps=80_000, batch_size=16, augmentation=MMSEGMENTATION, inference=WHOLE
        ),
    )


def segformer() -> Experiment:
    """SegFormer MiT-B5 on the image alone.

    Source: Xie et al., "SegFormer", NeurIPS 2021, with mmsegmentation's head and LoveDA pipeline;
        the tables name no recipe. Batch and steps are ST-DASegNet's for this network.
    Command: python scripts/train.py --recipe segformer --direction u2r
    Published: u2r 40.05, r2u 40.85
    """
    adamw = AdamW(learning_rate=6e-5, weight_decay=0.01, stage_decay=1.0, head_factor=10.0)
    return rdepth_b_s().changed(
        recipe="segformer",
        network=MODELS["segformer_b5_blocks"],
        optimizers=Optimizers(adamw),
        training=Training(batch_size=2, augmentation=MMSEGMENTATION, inference=WHOLE),
    )


def demo() -> Experiment:
    """A small twin network, trained from scratch on procedural scenes: minutes on two CPU cores.

    Source: this project; a check that everything works, not a table row.
    Command: python scripts/train.py --direction r2u --dataset demo
    """
    return Experiment(
        "demo",
        data=Demo(),
        network=Twin("atto", "atto", channels=64, drop_path=0.0),
        optimizers=Optimizers(AdamW(1e-3, Schedule(0.1), stage_decay=1.0)),
        training=Training(
            weights="none",
            steps=240,
            batch_size=8,
            crop=128,
            augmentation=Augmentation(crop_tries=1),
            inference=Inference(window_pixels=256),
        ),
        resources=Resources(cadence=Cadence(checkpoint_steps=100)),
    )


RECIPES: dict[str, Callable[[], Experiment]] = {
    recipe.__name__: recipe
    for recipe in (
        *(rdepth_b_s, rdepth_b_b, rdepth_xl_b, convnext_b),
        *(dgcd, deeplabv3, segformer, demo),
    )
}
# What is meant when none is named: the published row of a direction, but for the demo's data.
PUBLISHED_ROWS = {"r2u": "rdepth_b_b", "r2r": "rdepth_b_b", "u2r": "rdepth_b_s"}
DEFAULTS = {"demo": dict.fromkeys(("r2u", "u2r", "r2r", "u2u"), "demo")}


def recipe(name: str) -> Experiment:
    """The experiment of that name; ValueError lists the known ones."""
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}; known are: {', '.join(RECIPES)}.")
    return RECIPES[name]()


def default_recipe(direction: str, dataset: str) -> str:
    """The name of the recipe that is meant when none is given."""
    return DEFAULTS.get(dataset, PUBLISHED_ROWS).get(direction, "rdepth_b_s")


def changes(experiment: Experiment) -> list[str]:
    """Where an experiment leaves its recipe, in words.

    Data, seed and resources are no part of a recipe, but the source of the depth is: the published
    numbers are of one. Nothing is told of a recipe that is unknown here.
    """
    if experiment.recipe not in RECIPES:
        return []
    base = recipe(experiment.recipe)
    same_data = experiment.changed(data=base.data)
    found = in_words(differences(base.essence(seed=0), same_data.essence(seed=0)))
    return found + (experiment.data.departures() if base.network.reads_depth else [])


def deviation(experiment: Experiment) -> str:
    """:func:`changes` in one line; empty where there are none."""
    found = changes(experiment)
    return f"not as in the recipe {experiment.recipe}: {'; '.join(found)}" if found else ""
