"""What is refused, or told, before a training begins: settings that could not have their effect."""

from collections.abc import Callable
from pathlib import Path

import jax

from rdepth_keras.adapt import Method
from rdepth_keras.assembly import Sources, check_files, flat_depth, labelled_tiles
from rdepth_keras.data.dataset import Opened
from rdepth_keras.data.pipeline import Unlabelled
from rdepth_keras.data.splits import SPLITS, AbsentSplit
from rdepth_keras.experiment import Experiment
from rdepth_keras.labels import LOVEDA
from rdepth_keras.naming import tell_faults
from rdepth_keras.recipes import RECIPES, SMALL
from rdepth_keras.recipes.deviation import departures
from rdepth_keras.run.directory import Run
from rdepth_keras.run.surroundings import random_numbers

Tell = Callable[[str], None]
_BY_TRAIN_ID = ("background", "feature_classes", "class_weights", "pseudo_class_weights", "prior")
MOST_BEGINNING = 0.05  # of a moving average of the weights
MANY = 100  # tiles: reading so many takes seconds, of which is told


def check_apart(experiment: Experiment, directory: Path) -> None:
    """Raises ValueError for a run or a cache among the tiles, which would then be no dataset."""
    own = experiment.data.folders(experiment.resources.data_dir)
    cache = experiment.resources.economy.cache
    places = {"--out": directory} | ({"--cache": Path(cache).expanduser()} if cache else {})
    own += [place for folder in own for pattern in ("*", "*/*") for place in folder.glob(pattern)]
    for flag, place in places.items():
        for folder in own:
            if place.resolve().is_relative_to(folder.resolve()):
                raise ValueError(
                    f"{flag} {place} lies among the tiles in {folder}, which would not be read any "
                    "more: name another place."
                )


def check_random_numbers(run: Run) -> None:
    """Raises ValueError where JAX makes random numbers in a way that Keras's seeds do not fit.

    And where a run would go on with others than it began with. Older runs noted none.
    """
    kind = jax.config.jax_default_prng_impl  # pyright: ignore
    if kind != "threefry2x32":
        raise ValueError(
            f"JAX_DEFAULT_PRNG_IMPL={kind}: Keras's random numbers need JAX's own, threefry2x32. "
            "Unset the variable."
        )
    noted, now = run.environment.get("random_numbers", {}), random_numbers()
    for name in (name for name in noted if noted[name] != now[name]):
        raise ValueError(
            f"The run in {run} began with other random numbers: {name} was {noted[name]}, and is "
            f"{now[name]}. Set {name.upper()}={noted[name]}, or train a new run."
        )


def check_extension(experiment: Experiment, run: Run, done: int) -> None:
    """Raises ValueError where a longer run would not go on from the end it had come to."""
    ends = experiment.training.extended_at
    if done < max(ends, default=0):
        known = run.experiment.training.extended_at == ends
        other = "train a new run" if known else "resume it without --steps first"
        raise ValueError(
            f"The run in {run} goes on after step {max(ends)}, but its last whole checkpoint is of "
            f"step {done}: put that of step {max(ends)} back, or {other}."
        )


def check_validation(experiment: Experiment) -> None:
    """Raises ValueError where the validations that are asked for would never come."""
    every, steps = experiment.training.choice.validation_steps, experiment.training.steps
    if every is not None and every > steps:
        raise ValueError(
            f"--validation-steps {every} is beyond the {steps} steps of the run, which would never "
            "be validated: name fewer, or leave it away (None) to score the end alone."
        )


def scored_domains(experiment: Experiment) -> list[str]:
    """The domains whose Val a training looks at: its target's, and the one that it validates on."""
    validates = bool(experiment.training.choice.validation_steps)
    validated = [experiment.validation_domain] * validates
    return list(dict.fromkeys([experiment.data.target, *validated]))


def check_scored(experiment: Experiment, data: Opened, notify: Tell = print) -> None:
    """Raises ValueError for a target that is nowhere, and for bad files that anything is scored on.

    Every pixel of these is read. A target without Val, or without labels, is no error.
    """
    target = experiment.data.target
    for domain in scored_domains(experiment):
        tiles = labelled_tiles(data, "val", domain)
        if not isinstance(tiles, str):
            if len(tiles) >= MANY:
                notify(f"Looking at every pixel of val/{domain}, {len(tiles)} tiles")
            check_files(data, [tiles], pixels=True)
            if experiment.network.reads_depth and (notice := flat_depth(data, tiles)):
                notify(notice)
        elif domain == target and all(_is_absent(data, split, target) for split in SPLITS):
            raise ValueError(
                f"The target domain {target!r} is in no split, is it misspelled? {tiles}"
            )
        elif domain == target:
            notify(f"Nothing will be scored in the end: {tiles}")


def _is_absent(data: Opened, split: str, domain: str) -> bool:
    try:
        data.tiles(split, domain)
    except AbsentSplit:
        return True
    except (ValueError, OSError):  # bad where it lies: told if it is read
        return False
    return False


def check_masks(data: Opened, sources: Sources, notify: Tell = print) -> None:
    """Raises ValueError for masks that training would stumble over hours later, naming them all.

    Every mask of these tiles is read, but where the dataset counted its pixels when it was written.
    """
    if data.mask_faults is None:
        return
    target = [sources.target.tiles] if isinstance(sources.target, Unlabelled) else []
    parts = [*sources.source.values(), *target]
    count = sum(map(len, parts))
    if count >= MANY:
        notify(f"Looking at the masks of {count} training tiles")
    faults = [fault for tiles in parts for fault in data.mask_faults(tiles)]
    if faults:
        raise ValueError(f"{len(faults)} masks are bad: {tell_faults(faults)}")


def check_rounds(experiment: Experiment) -> None:
    """Raises ValueError where a method labels the target in rounds, and none would ever come."""
    method, steps = experiment.method, experiment.training.steps
    if type(method).relabel is not Method.relabel and not method.rounds(steps):
        raise ValueError(
            f"The method {type(method).__name__} labels the target in rounds, and within the "
            f"{steps} steps of the run there would be none: it would train on the source alone. "
            "Give more --steps, or begin earlier (--method.start)."
        )


def padded(experiment: Experiment, tile_pixels: int) -> str:
    """A warning, where every crop is larger than the longest side of any tile; else empty."""
    crop, scale = experiment.training.crop, experiment.training.augmentation.scale
    largest = round(tile_pixels * scale.largest)
    if crop <= largest:
        return ""
    enlarged = (
        f" ({tile_pixels}, enlarged up to {scale.largest:g} times)" if scale.largest > 1 else ""
    )
    return (
        f"WARNING: crops of {crop} x {crop} pixels are larger than every tile, {largest} at most"
        f"{enlarged}: "
        f"at least {1 - (largest / crop) ** 2:.0%} of each is filled up and counts for nothing. "
        f"Give a --crop of {largest} or less."
    )


def encoder_weights(experiment: Experiment) -> dict[str, str]:
    """Encoder -> where it starts; over that goes a run that it starts from."""
    training = experiment.training
    weights = dict.fromkeys(experiment.network.encoders, training.weights)
    if training.depth_weights is not None:
        weights |= {name: training.depth_weights for name in weights if "depth" in name}
    return weights


def early_average(experiment: Experiment) -> str:
    """A warning, where a moving average is still largely what training began with; else empty."""
    steps, share = experiment.training.steps, beginning_share(experiment)
    if share <= MOST_BEGINNING:
        return ""
    return (
        f"WARNING: of the average of the weights, which predicts, {share:.0%} is after {steps} "
        f"steps still what training began with: give more --steps, or an --average-decay below "
        f"{MOST_BEGINNING ** (1 / steps):.6g}."
    )


def loveda_ids(experiment: Experiment) -> str:
    """In words, where a recipe means LoveDA's classes by number, and the data's are others."""
    names, method = experiment.data.classes.names, experiment.method
    if names == LOVEDA.names or experiment.recipe.removeprefix(SMALL) not in RECIPES:
        return ""
    changed = departures(experiment)
    meant = {
        name: getattr(method, name)
        for name in _BY_TRAIN_ID
        if getattr(method, name, None) not in (None, ()) and f"method.{name}" not in changed
    }
    if not meant:
        return ""
    told = ", ".join(f"method.{name} {value}" for name, value in meant.items())
    return (
        f"the recipe means LoveDA's classes by number ({told}), which are others here: "
        f"{', '.join(f'{place} {name}' for place, name in enumerate(names))}"
    )


def beginning_share(experiment: Experiment, step: int | None = None) -> float:
    """How much of the weights that predict is what training began with; 0 without an average.

    ``step`` is that of the checkpoint; None is the last one.
    """
    steps = experiment.training.steps if step is None else step
    return (experiment.training.choice.average_decay or 0.0) ** steps


def random_for_good(experiment: Experiment) -> str:
    """A warning, where encoders are frozen that nothing was ever learned by; else empty."""
    weights = encoder_weights(experiment)
    found = [name for name in experiment.network.frozen if weights[name] == "none"]
    if not found or experiment.training.start_from is not None:
        return ""
    return (
        f"WARNING: frozen from random weights, and so random for good: {' and '.join(found)}. "
        "Give --weights or --from, or leave --network.frozen away."
    )


def check_weights(weights: str) -> None:
    """Raises ValueError for a run's directory, which holds weights of another kind."""
    if Run(Path(weights)).begun:
        raise ValueError(
            f"--weights {weights} is the directory of a run, and weights are a published "
            f"checkpoint's: start from a run with --from {weights}."
        )
