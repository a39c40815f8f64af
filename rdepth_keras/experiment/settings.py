"""An experiment: six parts that open or build themselves; nothing below sees it.

``data``, ``network``, ``method`` and the optimizers are tagged unions of frozen dataclasses, so
that there is no second configuration class. :class:`Resources` holds, by definition, whatever may
differ between two runs that give the same numbers; everything else decides them.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

import tyro

from rdepth_keras.adapt import SEGMENTER, Method, SourceOnly
from rdepth_keras.data.dataset import Dataset
from rdepth_keras.data.loveda.dataset import LoveDA
from rdepth_keras.experiment.checks import check_finite
from rdepth_keras.experiment.resources import Resources
from rdepth_keras.experiment.training import Split, Training
from rdepth_keras.models import MODELS, Architecture
from rdepth_keras.optimizers import AdamW, Optimizer


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
class Experiment:
    """Which of each.

    Attributes:
        recipe: the one it was made from, see --list-recipes.
        data: the dataset.
        network: the network.
        method: what is minimised.
        optimizers: how.
        training: for how long, on what, from where.
        resources: by what means.
    """

    recipe: str
    data: Annotated[Dataset, tyro.conf.arg(name="")] = LoveDA()
    network: Architecture = MODELS["rdepth_b_s"]
    method: Method = SourceOnly()
    optimizers: Annotated[Optimizers, tyro.conf.arg(name="")] = Optimizers()
    training: Annotated[Training, tyro.conf.arg(name="")] = Training()
    resources: Annotated[Resources, tyro.conf.arg(name="")] = Resources()

    def __post_init__(self):
        for part in ("data", "network", "method", "optimizers", "training"):
            check_finite(part, getattr(self, part))
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
        inference = self.training.inference.essence()
        return self.changed(resources=Resources(), training={"seed": seed, "inference": inference})

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
