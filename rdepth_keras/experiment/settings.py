"""An experiment: a tree of frozen dataclasses that says which of each, and nothing below sees it.

The main settings are flat fields, the rest is nested. A method and a network sit in the tree as
the very objects that know their hyper-parameters, so there is no second configuration class.
"""

from dataclasses import dataclass
from typing import Any, Literal

from rdepth_keras.adapt import Method, SourceOnly
from rdepth_keras.data.transforms import (
    Photometric,
    RandomCrop,
    RandomFlips,
    RandomRotation,
    RandomScale,
)
from rdepth_keras.infer import Inference
from rdepth_keras.optimizers import AdamW, Optimizer
from rdepth_keras.train.devices import Precision
from rdepth_keras.train.loop import Cadence

Direction = Literal["r2u", "u2r", "r2r", "u2u"]
DatasetName = Literal["loveda_rdepth", "folder", "demo"]
Selection = Literal["last", "best", "best_by_target_labels"]
DOMAINS = {"r": "rural", "u": "urban"}


@dataclass(frozen=True)
class Segmenter:
    """The parts of the network, see :func:`rdepth_keras.models.twin.twin`.

    Attributes:
        image_encoder: a name in ``rdepth_keras.models.ENCODERS``.
        depth_encoder: likewise; None leaves depth out.
        fusion: how the encoders meet, a name in ``rdepth_keras.models.FUSIONS``.
        decoder: a name in ``rdepth_keras.models.DECODERS``.
        channels: width of the decoder.
        drop_path: largest probability of stochastic depth, reached at the last block.
        dropout: probability of dropping a channel before the classifiers.
        auxiliary_channels: width of the auxiliary head on stage 3; None leaves it out.
        remat: computes the encoders' branches twice instead of keeping them: less memory.
        refine: adds the successor's depth-guided refiner of the logits.
        contrast: adds the projections of the successor's cross-modal contrastive term.
    """

    image_encoder: str = "base"
    depth_encoder: str | None = "small"
    fusion: str = "concat"
    decoder: str = "upernet"
    channels: int = 512
    drop_path: float = 0.4
    dropout: float = 0.1
    auxiliary_channels: int | None = 256
    remat: bool = False
    refine: bool = False
    contrast: bool = False


@dataclass(frozen=True)
class Augmentation:
    """Random transforms of the training tiles; the defaults are the paper's.

    Attributes:
        crop_tries: how often a crop is drawn at most.
        crop_largest_share: a crop is drawn again while one class covers this share of it.
        scale: resizes the tile before the crop; 1 to 1 leaves it.
        rotation: small rotations, or else quarter turns.
        flips: mirrored images.
        photometric: brightness, contrast and colour of the image; off by default.
    """

    crop_tries: int = 10
    crop_largest_share: float = 0.75
    scale: RandomScale = RandomScale()
    rotation: RandomRotation = RandomRotation()
    flips: RandomFlips = RandomFlips()
    photometric: Photometric = Photometric()

    def transforms(self, crop_pixels: int) -> tuple[Any, ...]:
        """The transforms, in their order."""
        crop = RandomCrop(crop_pixels, self.crop_tries, self.crop_largest_share)
        steps = (self.scale, crop, self.rotation, self.flips, self.photometric)
        return tuple(step for step in steps if step not in (RandomScale(), Photometric()))


@dataclass(frozen=True)
class Demo:
    """The procedural dataset: tiles in each split, their side in pixels, and its own seed."""

    train_tiles: int = 64
    val_tiles: int = 16
    test_tiles: int = 16
    tile_pixels: int = 256
    seed: int = 0


@dataclass(frozen=True)
class Experiment:
    """Everything that decides a run's result.

    Attributes:
        recipe: the recipe it was made from; a label, see ``--list-recipes``.
        direction: source and target domain: r2u trains on Rural and is scored on Urban; r2r and
            u2u are in-domain references. A label only, where the two domains are named.
        dataset: the prepared LoveDA, a folder of one's own tiles (see
            ``rdepth_keras.data.folder.folder``), or procedural scenes that need no download.
        data_dir: where the data lie; None is TFDS's own folder.
        classes: the class file of a folder, see ``rdepth_keras.data.folder.classes``.
        source_domain: of a folder: the domain that trains.
        target_domain: of a folder: the domain the run is scored on.
        cache: folder for a raw copy of the training tiles that is read without decoding; its size
            is printed before it is written. None writes none.
        workers: threads that make batches; changes no batch.
        rare_class_temperature: draws tiles of rare classes more often, see
            ``rdepth_keras.data.rarity``; 0.01 is usual, None draws all alike.
        config: of the prepared data, i.e. the source of its depth; None is the only one there.
        weights: where training starts: "imagenet" are the encoders' published weights, "none"
            random ones; else a hub name, file or folder, of a whole network, or of the image
            encoder where depth_weights are given, too.
        depth_weights: the depth encoder's own checkpoint.
        steps: number of training steps.
        batch_size: tiles a step.
        crop: side of the square training crops in pixels.
        seed: of the weights, the data order and every random draw.
        segmenter: the network.
        method: what is minimised.
        optimizer: how.
        augmentation: of the training tiles.
        inference: how tiles are predicted.
        cadence: how often the run logs and saves.
        demo: size of the procedural dataset.
        target_split: split of the target whose images a method may adapt to, never its labels.
        selection: the checkpoint that counts. "last" trains on the source's Train and Val; "best"
            is chosen by the source's Val, which then leaves training; "best_by_target_labels"
            looks at the target's Val, so that its result is no adaptation result.
        accumulate: number of equal parts in which the encoders take a batch, one after the other,
            to save memory; the rest, with its batch norm, sees the batch whole. Loss and
            gradients are those of the whole batch. Not for encoders with batch norm (ResNet).
        average_decay: of a moving average of the weights, which is then what predicts; None
            keeps none.
        precision: "auto" computes in bfloat16 on an accelerator and in float32 on a CPU.
    """

    recipe: str
    direction: Direction = "r2u"
    dataset: DatasetName = "loveda_rdepth"
    data_dir: str | None = None
    classes: str | None = None
    source_domain: str | None = None
    target_domain: str | None = None
    cache: str | None = None
    workers: int = 2
    rare_class_temperature: float | None = None
    config: str | None = None
    weights: str = "imagenet"
    depth_weights: str | None = None
    steps: int = 40_000
    batch_size: int = 4
    crop: int = 512
    seed: int = 0
    segmenter: Segmenter = Segmenter()
    method: Method = SourceOnly()
    optimizer: Optimizer = AdamW()
    augmentation: Augmentation = Augmentation()
    inference: Inference = Inference()
    cadence: Cadence = Cadence()
    demo: Demo = Demo()
    target_split: Literal["train", "val", "test"] = "train"
    selection: Selection = "last"
    accumulate: int = 1
    average_decay: float | None = None
    precision: Precision = "auto"

    def __post_init__(self):
        for name in ("steps", "batch_size", "accumulate", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1; received {getattr(self, name)}.")
        if self.depth_weights is not None and self.segmenter.depth_encoder is None:
            raise ValueError("depth_weights are given, but the network has no depth encoder.")
        if self.selection != "last" and self.cadence.validation_steps is None:
            raise ValueError(
                f'selection "{self.selection}" needs validations to choose by: add '
                "--cadence.validation-steps N."
            )
        every = self.cadence.validation_steps
        if self.selection != "last" and every is not None and every > self.steps:
            raise ValueError(
                f'selection "{self.selection}" needs a validation within the {self.steps} steps; '
                f"received --cadence.validation-steps {every}."
            )
        if self.selection == "best" and self.source == self.target:
            raise ValueError(
                f'selection "best" would choose by the very labels {self.direction} is scored on; '
                'take "last", or say so with "best_by_target_labels".'
            )
        if self.average_decay is not None and not 0 <= self.average_decay < 1:
            raise ValueError(
                f"average_decay must be at least 0 and below 1; received {self.average_decay}."
            )
        if self.crop < 32:
            raise ValueError(f"crop must be at least 32 pixels; received {self.crop}.")
        if self.rare_class_temperature is not None and not self.rare_class_temperature > 0:
            raise ValueError(
                f"rare_class_temperature must be above 0; received {self.rare_class_temperature}."
            )
        self._check_folder()

    def _check_folder(self) -> None:
        """The settings of a folder of tiles: all of them for a folder, else none."""
        flags = ("classes", "source_domain", "target_domain")
        given = [name for name in flags if getattr(self, name) is not None]
        wanted = [*flags, "data_dir"] if self.dataset == "folder" else []
        missing = [name for name in wanted if getattr(self, name) is None]
        if missing:
            names = ", ".join("--" + name.replace("_", "-") for name in missing)
            raise ValueError(f'dataset "folder" needs {names}.')
        if given and not wanted:
            raise ValueError(
                f'{", ".join(given)} belong to --dataset folder, not "{self.dataset}".'
            )

    @property
    def source(self) -> str:
        """Domain of the labelled training tiles; "rural" or "urban" but for a folder."""
        return self.source_domain or DOMAINS[self.direction[0]]

    @property
    def target(self) -> str:
        """Domain the run is scored on; "rural" or "urban" but for a folder."""
        return self.target_domain or DOMAINS[self.direction[2]]

    @property
    def training_splits(self) -> tuple[str, ...]:
        """Splits of the source that train: Train and Val; Train alone where Val is scored."""
        val_is_scored = self.source == self.target or self.selection == "best"
        return ("train",) if val_is_scored else ("train", "val")

    @property
    def validation_domain(self) -> str:
        """Domain of the Val split that is looked at during training."""
        return self.source if self.selection != "best_by_target_labels" else self.target
