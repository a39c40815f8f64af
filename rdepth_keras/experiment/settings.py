"""An experiment: six parts that open or build themselves; nothing below sees it.

``data``, ``network``, ``method`` and the optimizers are tagged unions of frozen dataclasses, so
that there is no second configuration class. :class:`Resources` holds, by definition, whatever may
differ between two runs that give the same numbers; everything else decides them.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

import tyro

from rdepth_keras.adapt import SEGMENTER, Method, SourceOnly
from rdepth_keras.data.dataset import Dataset
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.experiment.augmentation import Augmentation
from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS, Architecture
from rdepth_keras.optimizers import AdamW, Optimizer
from rdepth_keras.train.devices import Precision
from rdepth_keras.train.loop import Cadence

Selection = Literal["last", "best", "best_by_target_labels"]
Split = Literal["train", "val", "test"]


def check(name: str, value: object, good: bool, expected: str) -> None:
    """Raises ValueError for a bad setting, naming it as its flag does."""
    if not good:
        raise ValueError(f"--{name.replace('_', '-')} must be {expected}; received {value}.")


@dataclass(frozen=True)
class Optimizers:
    """One for each network that trains.

    Attributes:
        segmenter: of the network itself.
        critic: of the networks that a method adds, such as discriminators.
    """

    segmenter: Annotated[Optimizer, tyro.conf.arg(name="optimizer")] = AdamW()
    critic: Annotated[Optimizer | None, tyro.conf.arg(name="critic-optimizer")] = None

    def of(self, network: str) -> Optimizer:
        """The optimizer of a network by its name."""
        found = self.segmenter if network == SEGMENTER else self.critic
        if found is None:
            raise ValueError(
                f"The method trains a network {network!r}, which has no optimizer: name one as "
                "optimizers.critic in the recipe."
            )
        return found


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
        target_augmentation: of the target's tiles; None is as the source's.
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
        temperature = self.sampling.rare_class_temperature
        for name, value in (
            *(("steps", self.steps), ("batch_size", self.batch_size)),
            ("validation_steps", 1 if every is None else every),
        ):
            check(name, value, value >= 1, "at least 1")
        check("seed", self.seed, 0 <= self.seed < 1 << 31, "in 0..2^31-1")
        check("crop", self.crop, self.crop >= 32, "at least 32 pixels")
        check("average_decay", decay, decay is None or 0 <= decay < 1, "at least 0 and below 1")
        rare = temperature is None or temperature > 0
        check("rare_class_temperature", temperature, rare, "above 0")
        if self.choice.selection != "last" and not (every and every <= self.steps):
            raise ValueError(
                f'selection "{self.choice.selection}" needs a validation within the {self.steps} '
                f"steps to choose by: add --validation-steps N; received {every}."
            )


@dataclass(frozen=True)
class Resources:
    """Whatever may differ between two runs that give the same numbers.

    Attributes:
        data_dir: where the data lie; None is TFDS's own folder.
        cache: folder for a raw copy of the training tiles that is read without decoding.
        workers: threads that make batches.
        accumulate: equal parts in which the encoders take a batch, to save memory.
        remat: computes the encoders' branches twice instead of keeping them, to save memory.
        cadence: how often the run logs and saves.
    """

    data_dir: str | None = None
    cache: str | None = None
    workers: int = 2
    accumulate: int = 1
    remat: bool = False
    cadence: Annotated[Cadence, tyro.conf.OmitArgPrefixes] = Cadence()

    def __post_init__(self):
        for name in ("workers", "accumulate"):
            check(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")


@dataclass(frozen=True)
class Experiment:
    """Which of each; ``recipe`` is the name of the one it was made from."""

    recipe: str
    data: Annotated[Dataset, tyro.conf.arg(name="")] = LoveDA()
    network: Architecture = MODELS["rdepth_b_s"]
    method: Method = SourceOnly()
    optimizers: Annotated[Optimizers, tyro.conf.arg(name="")] = Optimizers()
    training: Annotated[Training, tyro.conf.arg(name="")] = Training()
    resources: Annotated[Resources, tyro.conf.arg(name="")] = Resources()

    def __post_init__(self):
        if self.training.depth_weights is not None and not self.network.reads_depth:
            raise ValueError("depth_weights are given, but the network has no depth encoder.")
        if self.training.choice.selection == "best" and self.is_in_domain:
            raise ValueError(
                f'selection "best" would choose by the very labels {self.data.direction} is scored '
                'on; take "last", or say so with "best_by_target_labels".'
            )

    def changed(self, **parts: Any) -> Self:
        """The same with other parts; a part given as a dict of its fields is changed in those."""
        return replace(
            self,
            **{
                name: replace(getattr(self, name), **part) if isinstance(part, dict) else part
                for name, part in parts.items()
            },
        )

    def essence(self, seed: int | None = None) -> Self:
        """What decides the numbers: without resources and, where one is given, of that seed."""
        seed = self.training.seed if seed is None else seed
        return self.changed(resources=Resources(), training={"seed": seed})

    @property
    def is_in_domain(self) -> bool:
        """Whether it is scored on the domain that trained: a reference, no transfer."""
        return bool(self.data.source) and self.data.source == self.data.target

    @property
    def training_splits(self) -> tuple[Split, ...]:
        """Splits of the source that train: Train and Val; Train alone where Val is scored."""
        val_is_scored = self.is_in_domain or self.training.choice.selection == "best"
        return ("train",) if val_is_scored else ("train", "val")

    @property
    def validation_domain(self) -> str:
        """Domain of the Val split that is looked at during training."""
        by_target = self.training.choice.selection == "best_by_target_labels"
        return self.data.target if by_target else self.data.source
