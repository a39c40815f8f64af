"""Self-training with a teacher, and generalisation without any target.

``rdepth_daformer`` and the ``..._style`` and ``..._frozen`` rows are this project's own.
"""

from rdepth_keras.adapt import DAFormer, SourceStyle
from rdepth_keras.adapt.recolouring import Recolouring
from rdepth_keras.data.dataset import Direction
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.data.transforms import RandomFlips, RandomRotation
from rdepth_keras.experiment import Augmentation, Experiment, Optimizers, Sampling, Training
from rdepth_keras.infer import Inference
from rdepth_keras.models import Twin
from rdepth_keras.optimizers import AdamW
from rdepth_keras.recipes.paper import convnext_b, rdepth_b_b, rdepth_b_s

RARE = Sampling(rare_class_temperature=0.01)
WANTED_PIXELS = 1500  # of a rare class, in a crop of 512 x 512
ALL_BUT_BACKGROUND = (1, 2, 3, 4, 5, 6)


def daformer(direction: Direction = "r2u") -> Experiment:
    """MiT-B5 with DAFormer's decoder on the image alone.

    Source: Hoyer et al., "DAFormer", CVPR 2022, and lhoyer/DAFormer, which has no configuration for
        LoveDA: crops at the tiles' own size, and features kept near ImageNet's for all classes but
        the background, as a third party's configuration has it. Predicted whole. A tile shows a
        class from a thousandth of its pixels on, where the release asks for 3000 pixels; biases
        have no decay of weights, where the release leaves norms alone out.
    Command: python scripts/train.py --recipe daformer --direction r2u
    Published: r2u 48.99
    """
    adamw = AdamW(learning_rate=6e-5, weight_decay=0.01, stage_decay=1.0, head_factor=10.0)
    flips = RandomFlips(probability=0.5, axes=((1,),))
    rotation = RandomRotation(probability=0.0)
    return Experiment(
        "daformer",
        data=LoveDA(direction),
        network=Twin(
            "mit_b5", None, decoder="daformer", channels=256, auxiliary_channels=None, drop_path=0.1
        ),
        method=DAFormer(average="all", released_masks=True, feature_classes=ALL_BUT_BACKGROUND),
        optimizers=Optimizers(adamw),
        training=Training(
            batch_size=2,
            sampling=RARE,
            augmentation=Augmentation(
                crop_wanted_pixels=WANTED_PIXELS, rotation=rotation, flips=flips
            ),
            target_augmentation=Augmentation(crop_redraws=0, rotation=rotation, flips=flips),
            inference=Inference(window_pixels=None),
        ),
    )


def rdepth_daformer(direction: Direction = "r2u") -> Experiment:
    """The paper's two encoders, adapted as DAFormer does: depth and adaptation together.

    Image, depth and label are mixed alike; ``--method.no-mixed-depth`` keeps the target's depth.
    The network is the published row's of the direction. Hues hardly turn: on land they tell the
    classes. ``--method.masked-weight 1`` adds MIC's masked images.

    Source: this project.
    Command: python scripts/train.py --recipe rdepth_daformer --direction r2u
    """
    base = rdepth_b_s(direction) if direction[0] == "u" else rdepth_b_b(direction)
    return base.changed(
        recipe="rdepth_daformer",
        method=DAFormer(
            average="all", recolouring=Recolouring(hue=0.02), feature_classes=ALL_BUT_BACKGROUND
        ),
        training={
            "sampling": RARE,
            "augmentation": Augmentation(crop_wanted_pixels=WANTED_PIXELS),
            "target_augmentation": Augmentation(
                crop_redraws=0, rotation=RandomRotation(probability=0.0)
            ),
        },
    )


def rdepth_style(direction: Direction = "u2r") -> Experiment:
    """rdepth_b_s on source tiles in the style of others: no image of the target is seen.

    Source: this project, with the amplitude mix of Xu et al., "FACT", CVPR 2021.
    Command: python scripts/train.py --recipe rdepth_style --direction u2r
    """
    return rdepth_b_s(direction).changed(recipe="rdepth_style", method=SourceStyle(average="all"))


def rdepth_frozen(direction: Direction = "u2r") -> Experiment:
    """rdepth_style with both encoders left as they were pretrained; the rest is trained.

    Source: this project.
    Command: python scripts/train.py --recipe rdepth_frozen --direction u2r
    """
    return rdepth_style(direction).changed(
        recipe="rdepth_frozen", network={"frozen": ("image_encoder", "depth_encoder")}
    )


def convnext_style(direction: Direction = "u2r") -> Experiment:
    """rdepth_style on the image alone.

    Source: this project.
    Command: python scripts/train.py --recipe convnext_style --direction u2r
    """
    return convnext_b(direction).changed(recipe="convnext_style", method=SourceStyle(average="all"))
