"""Both rows of ST-DASegNet, after its release's configurations for LoveDA.

Where these differ from cv516Buaa/ST-DASegNet, ``experiments/*/config_LoveDA``:

- The source's Val trains, too, and the checkpoint is the last one; the release trained on Train and
  watched the target's Val.
- Windows and scales are averaged as probabilities; within a scale the release averages logits.
- A decay of weights leaves biases out under AdamW; the least rate of SGD's heads is twice the
  others'. The warm-up rises to the peak, where the release multiplies the decay by it.
- The seed is the experiment's. A user of the release (its issue 10) reports 41.2 for u2r on
  SegFormer, and its author names a larger batch and other means for what was published.
"""

from rdepth_keras.adapt import STDASegNet
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
from rdepth_keras.optimizers import SGD, Adam, AdamW, Schedule

CROP = 384
COLOURS = Photometric(probability=0.5)
NO_ROTATION, NO_FLIPS = RandomRotation(probability=0.0), RandomFlips(probability=0.0)
SCALES = (0.75, 1.0, 1.25, 1.5)
TRAINING = Training(
    batch_size=2,
    crop=CROP,
    augmentation=Augmentation(
        crop_fill=IMAGENET_MEAN,
        scale=RandomScale(0.5, 2.0),
        rotation=NO_ROTATION,
        flips=RandomFlips(probability=0.5, axes=((1,),)),
        photometric=COLOURS,
    ),
    # The whole tile of 1024 x 1024, squashed to a crop; nothing else but its colours changes.
    target_augmentation=Augmentation(
        crop_redraws=0,
        scale=RandomScale(CROP / 1024, CROP / 1024),
        rotation=NO_ROTATION,
        flips=NO_FLIPS,
        photometric=COLOURS,
    ),
    inference=Inference(window_pixels=None, average="probabilities", scales=SCALES),
)


def st_dasegnet_deeplabv3(direction: Direction = "u2r") -> Experiment:
    """ST-DASegNet: two students, critics of their features; on DeepLabV3+, as the release has it.

    Source: Zhao et al., JAG 2024, and cv516Buaa/ST-DASegNet, ST-DASegNet_deeplabv3plus_*.py; the
        tables call it DeepLabV3.
    Command: python scripts/train.py --recipe st_dasegnet_deeplabv3 --direction u2r
    Published: u2r 45.69 (its classes' mean is 46.67), r2u 44.38
    """
    schedule = Schedule(0.0, power=0.9, minimum=1e-5)
    return Experiment(
        "st_dasegnet_deeplabv3",
        data=LoveDA(direction),
        network=MODELS["st_dasegnet_deeplabv3"],
        method=_method(direction, widths=(64, 128, 256, 512), halvings=3),
        optimizers=Optimizers(SGD(1e-3, schedule, head_factor=2.0), Adam(2.5e-4, schedule)),
        training=TRAINING,
    )


def st_dasegnet_segformer(direction: Direction = "u2r") -> Experiment:
    """ST-DASegNet on SegFormer with two MiT-B5.

    Source: as st_dasegnet_deeplabv3, ST-DASegNet_segformerb5_*.py. Its factor on the heads' rate
        matches nothing, so there is none. The tables have two rows towards rural tiles.
    Command: python scripts/train.py --recipe st_dasegnet_segformer --direction u2r
    Published: u2r 46.25 and 50.08, r2u 50.28 (its classes' mean is 50.25)
    """
    schedule = Schedule(0.02, decays_from="start")
    adamw = AdamW(6e-5, schedule, weight_decay=0.01, stage_decay=1.0)
    windows = Inference(1024, 768, average="probabilities", scales=SCALES)
    return st_dasegnet_deeplabv3(direction).changed(
        recipe="st_dasegnet_segformer",
        network=MODELS["st_dasegnet_segformer"],
        method=_method(direction),
        optimizers=Optimizers(adamw, Adam(1e-5, schedule)),
        training={"inference": windows},
    )


def _method(direction: Direction, **settings) -> STDASegNet:
    """With the release's oversights, and its classes' weights towards either domain."""
    factors = (1.0, 1.25, 1.25, 1.0, 1.5, 1.5, 1.25), (1.01, 1.51, 1.51, 1.01, 2.01, 2.01, 1.51)
    if direction.startswith("r"):
        factors = (1.25, 1.0, 1.25, 1.0, 1.5, 1.25, 1.0), (1.51, 1.01, 1.51, 1.01, 2.01, 1.51, 1.01)
    return STDASegNet(
        critic_weight=0.005,
        class_weights=factors[0],
        pseudo_class_weights=factors[1],
        average="all",
        teacher_dropout=True,
        teacher_shuffled=True,
        **settings,
    )
