"""For how long, on what and from where a network is trained: a part of an experiment."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from rdepth_keras.experiment.augmentation import Augmentation
from rdepth_keras.experiment.checks import check, check_seed
from rdepth_keras.infer import Inference
from rdepth_keras.train.devices import Precision

Selection = Literal["last", "best", "best_by_target_labels"]
Split = Literal["train", "val", "test"]
LARGEST_CROP = 8192  # pixels; a typing error beyond, which would fill the memory


@dataclass(frozen=True)
class Choice:
    """The weights that count in the end.

    Attributes:
        selection: the checkpoint. "last" trains on the source's Train and Val; "best" is chosen by
            the source's Val, which then leaves training; "best_by_target_labels" looks at the
            target's Val, so that its result is no adaptation result.
        validation_steps: distance of the validations; None scores the end only.
        average_decay: of a moving average of the weights, which then predicts; None keeps none.
    """

    selection: Selection = "last"
    validation_steps: int | None = None
    average_decay: float | None = None


@dataclass(frozen=True)
class Sampling:
    """The tiles and crops of a batch.

    Attributes:
        rare_class_temperature: draws tiles of rare classes more often; 0.01 is usual, None draws
            all alike.
        target_split: split of the target whose images a method may adapt to, never its labels.
    """

    rare_class_temperature: float | None = None
    target_split: Split = "train"


@dataclass(frozen=True)
class Training:
    """How the network is trained.

    Attributes:
        weights: where it starts: "imagenet", "none", a hub name, a file or a folder.
        depth_weights: the same for the depth encoder, where weights are the image encoder's.
        steps: number of training steps.
        batch_size: tiles a step.
        crop: side of the square training crops in pixels.
        seed: of the weights, the data order and every random draw.
        precision: "auto" computes in bfloat16 on an accelerator, in float32 on a CPU.
        choice: the weights that count.
        sampling: the tiles of a batch.
        augmentation: of the training tiles.
        target_augmentation: of the target's tiles; None is the source's, blind to labels.
        inference: how tiles are predicted.
        start_from: a run whose weights it starts from, as far as they fit; see ``--from``.
        extended_at: steps at which the finished run was given more.
    """

    weights: str = "imagenet"
    depth_weights: str | None = None
    steps: int = 40_000
    batch_size: int = 4
    crop: int = 512
    seed: int = 0
    precision: Precision = "auto"
    choice: Annotated[Choice, tyro.conf.OmitArgPrefixes] = Choice()
    sampling: Annotated[Sampling, tyro.conf.OmitArgPrefixes] = Sampling()
    augmentation: Augmentation = Augmentation()
    target_augmentation: Augmentation | None = None
    inference: Inference = Inference()
    start_from: Annotated[str | None, tyro.conf.Fixed] = None
    extended_at: Annotated[tuple[int, ...], tyro.conf.Fixed] = ()

    def __post_init__(self):
        every, decay = self.choice.validation_steps, self.choice.average_decay
        rare = self.sampling.rare_class_temperature
        sizes = {"steps": self.steps, "batch_size": self.batch_size, "validation_steps": every}
        for name, value in sizes.items():
            check(name, value, value is None or value >= 1, "at least 1")
        check("steps", self.steps, self.steps < 1 << 31, "below 2^31")
        check_seed("seed", self.seed)
        check("crop", self.crop, 32 <= self.crop <= LARGEST_CROP, f"32 to {LARGEST_CROP} pixels")
        check("average_decay", decay, decay is None or 0 <= decay < 1, "at least 0 and below 1")
        check("rare_class_temperature", rare, rare is None or rare > 0, "above 0")
        if self.choice.selection != "last" and not (every and every <= self.steps):
            raise ValueError(
                f'selection "{self.choice.selection}" needs a validation within the {self.steps} '
                f"steps to choose by: add --validation-steps N; received {every}."
            )
