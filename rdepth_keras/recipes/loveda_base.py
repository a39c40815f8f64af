"""What the adapted rows of LoveDA's own release share: tiles, optimizers, rates.

Source: Junjue-Wang/LoveDA, its folder Unsupervised_Domian_Adaptation. Where this differs:

- The source's Val trains, too: the release trained on Train alone.
- The checkpoint is the last one. The release kept the best by the labels of the target's Val, the
  very tiles it adapted to; those labels choose nothing here.
- The first step's rate is 1e-6 of the peak and not 0, batches are not cut at the end of an epoch,
  and no tile of Val is left out of a round or a score.
- The seed is the experiment's.
"""

from rdepth_keras.data.transforms import RandomFlips, RandomRotation
from rdepth_keras.experiment import Augmentation, Optimizers, Sampling, Training
from rdepth_keras.infer import Inference
from rdepth_keras.optimizers import SGD, Adam, Schedule

# Crops at the tiles' own size; with 0.75 one of two flips and a quarter turn; no colours changed.
AUGMENTATION = Augmentation(
    crop_redraws=0,
    rotation=RandomRotation(probability=0.0),
    flips=RandomFlips(probability=0.75, axes=((1,), (0,)), exclusive=True),
)
# 750 steps of warm-up, within a decay over 15 000, stopped after 10 000.
SCHEDULE = Schedule(0.05, decay_end=1.5, power=0.9, decays_from="start")
WITHOUT_WARMUP = Schedule(0.0, decay_end=1.5, power=0.9)
CLIP_NORM = 35.0

TRAINING = Training(
    steps=10_000,
    batch_size=8,
    crop=512,
    sampling=Sampling(target_split="val"),
    augmentation=AUGMENTATION,
    inference=Inference(window_pixels=None),
)


def optimizers(
    rate: float,
    critic_rate: float | None = None,
    *,
    schedule: Schedule = SCHEDULE,
    clip_norm: float | None = CLIP_NORM,
) -> Optimizers:
    """SGD for the segmenter and, where there is a rate for them, Adam for the critics."""
    critic = None if critic_rate is None else Adam(critic_rate, schedule, clip_norm)
    return Optimizers(SGD(rate, schedule, clip_norm), critic)
