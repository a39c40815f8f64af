"""The self-training rows: those of LoveDA's release, and DCA, which builds on it.

All on PSPNet's head behind a ResNet-50 of stride 16, on the image alone; the published numbers are
of the checkpoint best by the labels of the target's Val (see ``recipes/loveda_base.py``).
"""

from dataclasses import replace

from rdepth_keras.adapt import CBST, DCA, IAST, PyCDA
from rdepth_keras.data.dataset import Direction
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.experiment import Experiment
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS
from rdepth_keras.recipes.loveda_base import TRAINING, optimizers


def pycda(direction: Direction = "u2r") -> Experiment:
    """PyCDA: sure pixels and boxes teach themselves, in an update of their own.

    Source: Lian et al., ICCV 2019, as in Junjue-Wang/LoveDA, PyCDA_train.py; from rural tiles
        slower, and less had to be sure.
    Command: python scripts/train.py --recipe pycda --direction u2r
    Published: u2r 32.14 (its classes' mean is 31.49), r2u 36.25
    """
    rural = _from_rural(direction)
    return Experiment(
        "pycda",
        data=LoveDA(direction),
        network=MODELS["pspnet"],
        method=PyCDA(confidence=0.5 if rural else 0.7),
        optimizers=optimizers(1e-3 if rural else 1e-2),
        training=TRAINING,
    )


def cbst(direction: Direction = "u2r") -> Experiment:
    """CBST: of every class the surest pixels label themselves, in six rounds.

    Source: Zou et al., ECCV 2018, as in Junjue-Wang/LoveDA, CBST_train.py; from rural tiles half of
        the pixels, else a tenth.
    Command: python scripts/train.py --recipe cbst --direction u2r
    Published: u2r 34.36, r2u 41.32
    """
    return Experiment(
        "cbst",
        data=LoveDA(direction),
        network=MODELS["pspnet"],
        method=CBST(share=0.5 if _from_rural(direction) else 0.1),
        optimizers=optimizers(1e-2),
        training=TRAINING,
    )


def iast(direction: Direction = "u2r") -> Experiment:
    """IAST: thresholds that follow the tiles; entropy where they leave labels out.

    Source: Mei et al., ECCV 2020, as in Junjue-Wang/LoveDA, IAST_train.py; from rural tiles it
        adapts from 4000 steps on, else from 8000.
    Command: python scripts/train.py --recipe iast --direction u2r
    Published: u2r 38.44, r2u 40.48
    """
    return cbst(direction).changed(
        recipe="iast", method=IAST(start=0.4 if _from_rural(direction) else 0.8)
    )


def dca(direction: Direction = "u2r") -> Experiment:
    """DCA: prototypes of the classes that agree; two heads; windows in eight views.

    Source: Wu et al., IEEE TGRS 2022, and Luffy03/DCA, DCA_train.py, with the slip in its
        prototypes; half as long from urban tiles. It stops one step later, to score.
    Command: python scripts/train.py --recipe dca --direction u2r
    Published: u2r 45.17, r2u 46.36
    """
    windows = Inference(512, 256, average="probabilities", views="symmetries")
    steps = TRAINING.steps if _from_rural(direction) else TRAINING.steps // 2
    return Experiment(
        "dca",
        data=LoveDA(direction),
        network=MODELS["pspnet_two_heads"],
        method=DCA(across_classes=True),
        optimizers=optimizers(1e-2),
        training=replace(TRAINING, steps=steps, inference=windows),
    )


def _from_rural(direction: Direction) -> bool:
    return direction.startswith("r")
