"""The supervised rows that the paper was compared with, after mmsegmentation 1.1.1.

Its cross-entropy is averaged over all pixels, the ignored ones included.
"""

from rdepth_keras.adapt import SourceOnly
from rdepth_keras.data.dataset import Direction
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.data.transforms import (
    IMAGENET_MEAN,
    Photometric,
    RandomFlips,
    RandomRotation,
    RandomScale,
)
from rdepth_keras.experiment import Augmentation, Experiment, Optimizers, Training
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS
from rdepth_keras.optimizers import SGD, AdamW, Schedule

# Its resize of square tiles to (2048, 512) x U(0.5, 2), ratio kept, is 0.25 to 1 times their size.
MMSEGMENTATION = Augmentation(
    crop_fill=IMAGENET_MEAN,
    scale=RandomScale(0.25, 1.0),
    rotation=RandomRotation(probability=0.0),
    flips=RandomFlips(probability=0.5, axes=((1,),)),
    photometric=Photometric(probability=0.5),
)
WHOLE = Inference(window_pixels=None)


def deeplabv3(direction: Direction = "u2r") -> Experiment:
    """DeepLabV3 on ResNet-50-v1c, output stride 8, on the image alone.

    Source: mmsegmentation 1.1.1's LoveDA pipeline and 80k schedule; the tables name no recipe, so
        the rows may come from another one.
    Command: python scripts/train.py --recipe deeplabv3 --direction u2r
    Published: u2r 33.79, r2u 35.44
    """
    sgd = SGD(schedule=Schedule(0.0, power=0.9, minimum=1e-4))
    return Experiment(
        "deeplabv3",
        data=LoveDA(direction),
        network=MODELS["deeplabv3"],
        method=SourceOnly(average="all"),
        optimizers=Optimizers(sgd),
        training=Training(
            steps=80_000, batch_size=16, augmentation=MMSEGMENTATION, inference=WHOLE
        ),
    )


def segformer(direction: Direction = "u2r") -> Experiment:
    """SegFormer MiT-B5 on the image alone.

    Source: Xie et al., "SegFormer", NeurIPS 2021, with mmsegmentation's head and LoveDA pipeline;
        the tables name no recipe. Batch and steps are ST-DASegNet's for this network.
    Command: python scripts/train.py --recipe segformer --direction u2r
    Published: u2r 40.05, r2u 40.85
    """
    adamw = AdamW(learning_rate=6e-5, weight_decay=0.01, stage_decay=1.0, head_factor=10.0)
    return Experiment(
        "segformer",
        data=LoveDA(direction),
        network=MODELS["segformer_b5_blocks"],
        method=SourceOnly(average="all"),
        optimizers=Optimizers(adamw),
        training=Training(batch_size=2, augmentation=MMSEGMENTATION, inference=WHOLE),
    )
