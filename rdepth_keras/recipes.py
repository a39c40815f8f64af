"""Named experiments, one function each.

Published numbers are mIoU in % on LoveDA's hidden test set, scored by the benchmark's server.
"""

from collections.abc import Callable
from dataclasses import replace

from rdepth_keras.experiment import Augmentation, Cadence, Demo, Experiment, Segmenter
from rdepth_keras.infer import Inference
from rdepth_keras.train.optimizers import AdamW


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


def demo() -> Experiment:
    """A small twin network, trained from scratch on procedural scenes: minutes on two CPU cores.

    Source: this project; a check that everything works, not a table row.
    Command: python scripts/train.py --direction r2u --dataset demo
    """
    return Experiment(
        "demo",
        dataset="demo",
        weights="none",
        steps=400,
        batch_size=8,
        crop=128,
        segmenter=Segmenter(image_encoder="atto", depth_encoder="atto", channels=64, drop_path=0.0),
        optimizer=AdamW(learning_rate=1e-3, warmup_fraction=0.1, stage_decay=1.0),
        augmentation=Augmentation(crop_tries=1),
        inference=Inference(window_pixels=256),
        cadence=Cadence(checkpoint_steps=100),
        demo=Demo(),
    )


RECIPES: dict[str, Callable[[], Experiment]] = {
    recipe.__name__: recipe for recipe in (rdepth_b_s, rdepth_b_b, rdepth_xl_b, convnext_b, demo)
}


def recipe(name: str) -> Experiment:
    """The experiment of that name; ValueError lists the known ones."""
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}; known are: {', '.join(RECIPES)}.")
    return RECIPES[name]()


def default_recipe(direction: str, dataset: str) -> str:
    """The recipe meant when none is named: the published row, or ``demo`` for the demo data."""
    if dataset == "demo":
        return "demo"
    return "rdepth_b_b" if direction in ("r2u", "r2r") else "rdepth_b_s"
