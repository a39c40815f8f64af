"""Named experiments, one function each.

Published numbers are mIoU in % on LoveDA's hidden test set, scored by the benchmark's server.
"""

from collections.abc import Callable
from dataclasses import replace

from rdepth_keras.data.transforms import Photometric, RandomFlips, RandomRotation, RandomScale
from rdepth_keras.depth.presets import PUBLISHED
from rdepth_keras.experiment import Augmentation, Demo, Experiment, Segmenter, differences
from rdepth_keras.infer import Inference
from rdepth_keras.optimizers import SGD, AdamW, Schedule
from rdepth_keras.train.loop import Cadence

# Its resize of square tiles to (2048, 512) x U(0.5, 2), ratio kept, is 0.25 to 1 times their size.
MMSEGMENTATION = Augmentation(
    scale=RandomScale(0.25, 1.0),
    rotation=RandomRotation(probability=0.0),
    flips=RandomFlips(probability=0.5, axes=((1,),)),
    photometric=Photometric(probability=0.5),
)


def rdepth_b_s() -> Experiment:
    """ConvNeXt-B on the image, ConvNeXt-S on relative depth.

    Source: Sun et al., "Exploiting Relative Depth for Cross-domain Semantic Segmentation of
        High-resolution Satellite Remote Sensing Images"; details from its successor's release.
    Command: python scripts/train.py --direction u2r
    Published: u2r 48.98
    """
    return Experiment("rdepth_b_s", direction="u2r")


def rdepth_b_b() -> Experiment:
    """ConvNeXt-B on the image, ConvNeXt-B on relative depth.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --direction r2u
    Published: r2u 46.73
    """
    base = rdepth_b_s()
    return replace(
        base,
        recipe="rdepth_b_b",
        direction="r2u",
        segmenter=replace(base.segmenter, depth_encoder="base"),
    )


def rdepth_xl_b() -> Experiment:
    """ConvNeXt-XL on the image, ConvNeXt-B on relative depth.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --recipe rdepth_xl_b --direction u2r
    Published: u2r 49.71, r2u 47.68
    """
    base = rdepth_b_s()
    return replace(
        base,
        recipe="rdepth_xl_b",
        segmenter=replace(base.segmenter, image_encoder="xlarge", depth_encoder="base"),
    )


def convnext_b() -> Experiment:
    """ConvNeXt-B on the image alone: the paper's baseline.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --recipe convnext_b --direction u2r
    Published: u2r 47.13, r2u 44.11
    """
    base = rdepth_b_s()
    return replace(base, recipe="convnext_b", segmenter=replace(base.segmenter, depth_encoder=None))


def dgcd() -> Experiment:
    """rdepth_b_s with the successor's depth-guided refiner and cross-modal contrastive term.

    Source: ArthasMil/DGCD, IEEE TGRS 2026, doi 10.1109/TGRS.2026.3701909; no row of the tables.
    Command: python scripts/train.py --recipe dgcd --direction u2r
    """
    base = rdepth_b_s()
    return replace(
        base, recipe="dgcd", segmenter=replace(base.segmenter, refine=True, contrast=True)
    )


def deeplabv3() -> Experiment:
    """DeepLabV3 on ResNet-50-v1c, output stride 8, on the image alone.

    Source: mmsegmentation 1.1.1's LoveDA pipeline and 80k schedule; the tables name no recipe, so
        the rows may come from another one.
    Command: python scripts/train.py --recipe deeplabv3 --direction u2r
    Published: u2r 33.79, r2u 35.44
    """
    return Experiment(
        "deeplabv3",
        direction="u2r",
        steps=80_000,
        batch_size=16,
        segmenter=Segmenter("resnet50c_s8", None, decoder="aspp", drop_path=0.0),
        optimizer=SGD(schedule=Schedule(0.0, power=0.9, minimum=1e-4)),
        augmentation=MMSEGMENTATION,
        inference=Inference(window_pixels=None),
    )


def segformer() -> Experiment:
    """SegFormer MiT-B5 on the image alone.

    Source: Xie et al., "SegFormer", NeurIPS 2021, with mmsegmentation's head and LoveDA pipeline;
        the tables name no recipe. Batch and steps are ST-DASegNet's for this network.
    Command: python scripts/train.py --recipe segformer --direction u2r
    Published: u2r 40.05, r2u 40.85
    """
    return Experiment(
        "segformer",
        direction="u2r",
        batch_size=2,
        segmenter=Segmenter(
            "mit_b5",
            None,
            decoder="segformer_blocks",
            channels=256,
            drop_path=0.1,
            auxiliary_channels=None,
        ),
        optimizer=AdamW(learning_rate=6e-5, weight_decay=0.01, stage_decay=1.0, head_factor=10.0),
        augmentation=MMSEGMENTATION,
        inference=Inference(window_pixels=None),
    )


def demo() -> Experiment:
    """A small twin network, trained from scratch on procedural scenes: minutes on two CPU cores.

    Source: this project; a check that everything works, not a table row.
    Command: python scripts/train.py --direction r2u --dataset demo
    """
    return Experiment(
        "demo",
        dataset="demo",
        weights="none",
        steps=240,
        batch_size=8,
        crop=128,
        segmenter=Segmenter(image_encoder="atto", depth_encoder="atto", channels=64, drop_path=0.0),
        optimizer=AdamW(learning_rate=1e-3, schedule=Schedule(0.1), stage_decay=1.0),
        augmentation=Augmentation(crop_tries=1),
        inference=Inference(window_pixels=256),
        cadence=Cadence(checkpoint_steps=100),
        demo=Demo(),
    )


NO_PART_OF_A_RECIPE = (
    *("direction", "dataset", "data_dir", "config", "classes", "source_domain", "target_domain"),
    *("cache", "workers", "seed", "cadence", "demo", "accumulate", "segmenter.remat"),
)
RECIPES: dict[str, Callable[[], Experiment]] = {
    recipe.__name__: recipe
    for recipe in (
        *(rdepth_b_s, rdepth_b_b, rdepth_xl_b, convnext_b),
        *(dgcd, deeplabv3, segformer, demo),
    )
}


def recipe(name: str) -> Experiment:
    """The experiment of that name; ValueError lists the known ones."""
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}; known are: {', '.join(RECIPES)}.")
    return RECIPES[name]()


def changes(experiment: Experiment) -> list[str]:
    """Where an experiment leaves its recipe, as :func:`differences` says it.

    Data, direction, seed, memory and what is recorded are no part of a recipe, but the source of
    the depth is: the published numbers are of one. Nothing is told of a recipe that is unknown
    here.
    """
    if experiment.recipe not in RECIPES:
        return []
    base = recipe(experiment.recipe)
    found = differences(base, experiment)
    found = [change for change in found if not change.startswith(NO_PART_OF_A_RECIPE)]
    reads_depth = experiment.dataset == "loveda_rdepth" and base.segmenter.depth_encoder is not None
    if reads_depth and experiment.config not in (None, PUBLISHED):
        found.append(f"depth: {PUBLISHED} -> {experiment.config}")
    return found


def deviation(experiment: Experiment) -> str:
    """:func:`changes` in one line; empty where there are none."""
    found = changes(experiment)
    return f"not as in the recipe {experiment.recipe}: {'; '.join(found)}" if found else ""


def default_recipe(direction: str, dataset: str) -> str:
    """The recipe meant when none is named: the published row, or ``demo`` for the demo data."""
    if dataset == "demo":
        return "demo"
    return "rdepth_b_b" if direction in ("r2u", "r2r") else "rdepth_b_s"
