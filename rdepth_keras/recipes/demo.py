"""The demo: the first impression."""

from rdepth_keras.data.dataset import Direction
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.data.transforms import Photometric, RandomScale
from rdepth_keras.experiment import (
    Augmentation,
    Choice,
    Experiment,
    Optimizers,
    Resources,
    Sampling,
    Training,
)
from rdepth_keras.infer import Inference
from rdepth_keras.models import Twin
from rdepth_keras.optimizers import AdamW, Schedule
from rdepth_keras.train.loop import Cadence


def demo(direction: Direction = "r2u") -> Experiment:
    """A small twin network, trained from scratch on procedural scenes: minutes on two CPU cores.

    Some hundred steps are few: the rate is high, rare classes are drawn more often, with crops that
    show them, crops that one class fills are drawn again, size and light vary, since they differ
    between the domains, and the last weights are averaged.

    Source: this project; a check that everything works, not a table row.
    Command: python scripts/train.py --direction r2u --dataset demo
    """
    return Experiment(
        "demo",
        data=Demo(direction),
        network=Twin("atto", "atto", channels=64, drop_path=0.0),
        optimizers=Optimizers(AdamW(4e-3, Schedule(0.1), stage_decay=1.0)),
        training=Training(
            weights="none",
            steps=450,
            batch_size=4,
            crop=128,
            choice=Choice(average_decay=0.95),
            sampling=Sampling(rare_class_temperature=0.1),
            augmentation=Augmentation(
                crop_largest_share=0.6,
                crop_wanted_pixels=200,
                scale=RandomScale(0.75, 1.5),
                photometric=Photometric(probability=0.5, hue=4),
            ),
            inference=Inference(window_pixels=256),
        ),
        resources=Resources(cadence=Cadence(checkpoint_steps=100)),
    )
