"""The adversarial rows of LoveDA's release, and the control without adaptation.

All on DeepLabV2 with ResNet-50 of stride 16, on the image alone; the published numbers are of the
checkpoint best by the labels of the target's Val (see ``recipes/loveda_base.py``).
"""

from dataclasses import replace

from rdepth_keras.adapt import CLAN, FADA, AdaptSegNet, SourceOnly, TransNorm
from rdepth_keras.data.dataset import Direction
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.experiment import Experiment
from rdepth_keras.models import MODELS
from rdepth_keras.optimizers import Schedule
from rdepth_keras.recipes.loveda_base import SCHEDULE, TRAINING, WITHOUT_WARMUP, optimizers


def source_only_deeplabv2(direction: Direction = "u2r") -> Experiment:
    """DeepLabV2 trained on the source alone: the control of the rows of LoveDA's release.

    Source: Junjue-Wang/LoveDA, Unsupervised_Domian_Adaptation/configs/base; from rural tiles it
        trained longer, slower and without warm-up.
    Command: python scripts/train.py --recipe source_only_deeplabv2 --direction u2r
    """
    steps, rules = 10_000, optimizers(1e-2, clip_norm=None)
    if _from_rural(direction):
        schedule = Schedule(0.0, power=0.9)
        steps, rules = 15_000, optimizers(1e-3, schedule=schedule, clip_norm=None)
    return Experiment(
        "source_only_deeplabv2",
        data=LoveDA(direction),
        network=MODELS["deeplabv2"],
        method=SourceOnly(),
        optimizers=rules,
        training=replace(TRAINING, steps=steps, batch_size=16),
    )


def adaptsegnet(direction: Direction = "u2r") -> Experiment:
    """AdaptSegNet: critics of the softmax maps of two levels.

    Source: Tsai et al., CVPR 2018, as in Junjue-Wang/LoveDA, AdaptSegNet_train.py; from rural tiles
        without warm-up.
    Command: python scripts/train.py --recipe adaptsegnet --direction u2r
    Published: u2r 32.27, r2u 32.68 (its classes' mean is 32.57)
    """
    schedule = WITHOUT_WARMUP if _from_rural(direction) else SCHEDULE
    return Experiment(
        "adaptsegnet",
        data=LoveDA(direction),
        network=MODELS["deeplabv2_two_taps"],
        method=AdaptSegNet(),
        optimizers=optimizers(5e-3, 1e-4, schedule=schedule),
        training=TRAINING,
    )


def transnorm(direction: Direction = "u2r") -> Experiment:
    """AdaptSegNet's terms with transferable normalisation, a domain's statistics its own.

    Source: Wang et al., NeurIPS 2019, as in Junjue-Wang/LoveDA, TN_train.py.
    Command: python scripts/train.py --recipe transnorm --direction u2r
    Published: u2r 24.62, r2u 27.73
    """
    return adaptsegnet(direction).changed(
        recipe="transnorm",
        network=MODELS["deeplabv2_transnorm"],
        method=TransNorm(),
        optimizers=optimizers(5e-3, 1e-4),
    )


def clan(direction: Direction = "u2r") -> Experiment:
    """CLAN: a critic that looks harder where two heads disagree.

    Source: Luo et al., CVPR 2019, as in Junjue-Wang/LoveDA, CLAN_train.py, whose segmenter has a
        gradient through the disagreement, too.
    Command: python scripts/train.py --recipe clan --direction u2r
    Published: u2r 30.39, r2u 33.11
    """
    return adaptsegnet(direction).changed(
        recipe="clan",
        network=MODELS["deeplabv2_two_heads"],
        method=CLAN(weight_gradient=True),
        optimizers=optimizers(5e-3, 1e-4),
    )


def fada(direction: Direction = "u2r") -> Experiment:
    """FADA: a critic of domain and class, on features.

    Source: Wang et al., ECCV 2020, as in Junjue-Wang/LoveDA, FADA_train.py, without
        self-distillation.
    Command: python scripts/train.py --recipe fada --direction u2r
    Published: u2r 28.65, r2u 31.41
    """
    return adaptsegnet(direction).changed(
        recipe="fada",
        network=MODELS["deeplabv2"],
        method=FADA(),
        optimizers=optimizers(5e-3, 1e-4),
    )


def _from_rural(direction: Direction) -> bool:
    return direction.startswith("r")
