"""The paper's rows: two ConvNeXt encoders, one for the image and one for relative depth.

Published numbers are mIoU in % on LoveDA's hidden test set, scored by the benchmark's server. As in
their releases, the cross-entropy is averaged over all pixels, the ignored ones included.
"""

from rdepth_keras.adapt import DGCD, SourceOnly
from rdepth_keras.data.dataset import Direction
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.experiment import Experiment
from rdepth_keras.models import MODELS


def rdepth_b_s(direction: Direction = "u2r") -> Experiment:
    """ConvNeXt-B on the image, ConvNeXt-S on relative depth.

    Source: Sun et al., "Exploiting Relative Depth for Cross-domain Semantic Segmentation of
        High-resolution Satellite Remote Sensing Images"; details from its successor's release.
    Command: python scripts/train.py --direction u2r
    Published: u2r 48.98
    """
    return Experiment(
        "rdepth_b_s", LoveDA(direction), MODELS["rdepth_b_s"], method=SourceOnly(average="all")
    )


def rdepth_b_b(direction: Direction = "r2u") -> Experiment:
    """ConvNeXt-B on the image, ConvNeXt-B on relative depth.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --direction r2u
    Published: r2u 46.73
    """
    return rdepth_b_s(direction).changed(
        recipe="rdepth_b_b", data=LoveDA(direction), network=MODELS["rdepth_b_b"]
    )


def rdepth_xl_b(direction: Direction = "u2r") -> Experiment:
    """ConvNeXt-XL on the image, ConvNeXt-B on relative depth.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --recipe rdepth_xl_b --direction u2r
    Published: u2r 49.71, r2u 47.68
    """
    return rdepth_b_s(direction).changed(recipe="rdepth_xl_b", network=MODELS["rdepth_xl_b"])


def convnext_b(direction: Direction = "u2r") -> Experiment:
    """ConvNeXt-B on the image alone: the paper's baseline.

    Source: as rdepth_b_s.
    Command: python scripts/train.py --recipe convnext_b --direction u2r
    Published: u2r 47.13, r2u 44.11
    """
    return rdepth_b_s(direction).changed(recipe="convnext_b", network=MODELS["convnext_b"])


def dgcd(direction: Direction = "u2r") -> Experiment:
    """rdepth_b_s with the successor's depth-guided refiner and cross-modal contrastive term.

    Source: ArthasMil/DGCD, IEEE TGRS 2026, doi 10.1109/TGRS.2026.3701909; no row of the tables.
    Command: python scripts/train.py --recipe dgcd --direction u2r
    """
    return rdepth_b_s(direction).changed(
        recipe="dgcd", network=MODELS["dgcd"], method=DGCD(average="all")
    )
