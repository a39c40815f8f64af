"""Settings that change nothing beside the others: they would pass for another experiment."""

from collections.abc import Iterator

from rdepth_keras.experiment import Augmentation, Experiment
from rdepth_keras.infer import LEAST_PIXELS, Inference
from rdepth_keras.recipes.deviation import departures

_SHORT = {"optimizers.segmenter.": "optimizer.", "training.": "", "sampling.": ""}


def check_effects(experiment: Experiment) -> None:
    """Raises ValueError for settings that change nothing beside the others; a recipe's own may."""
    changed = departures(experiment)
    # Settings of another kind of method or optimizer came with it.
    came = tuple(name.removesuffix("name") for name in changed if name.endswith(".name"))
    for name, reason in _idle(experiment):
        if name in changed and not name.startswith(came):
            flag = _flag(name, changed[name][1])
            raise ValueError(f"{flag} has no effect: {reason}. Leave it away.")
    check_windows(experiment.training.inference)


def check_windows(inference: Inference, own: Inference | None = None) -> None:
    """Raises ValueError for windows that nobody can mean, but for what ``own`` has as well.

    They are so small that a network would see more of what fills them up than of the picture; or
    would fade into one another, and lie side by side.
    """
    pixels = inference.window_pixels
    if pixels and pixels < LEAST_PIXELS and not (own and own.window_pixels == pixels):
        raise ValueError(
            f"--inference.window-pixels must be at least {LEAST_PIXELS}, which networks take; "
            f"received {pixels}. Give more."
        )
    faded = inference.blend == "tapered" and not (own and own.blend == "tapered")
    if faded and not inference.overlaps:
        raise ValueError(
            "--inference.blend tapered fades overlapping windows into one another, and there are "
            "none: give an --inference.stride-pixels below --inference.window-pixels, or leave it "
            "away."
        )


def _idle(experiment: Experiment) -> Iterator[tuple[str, str]]:
    """Names of settings that have no effect here, and why."""
    network, method, training = experiment.network, experiment.method, experiment.training
    if not method.uses_target:
        reason = f"the method {type(method).__name__} reads no tile of the target"
        yield "training.sampling.target_split", reason
    if not network.reads_depth:
        if getattr(experiment.optimizers.segmenter, "decay_depth_encoder", False):
            yield "optimizers.segmenter.decay_depth_encoder", "the network has no depth encoder"
        yield "method.mixed_depth", "the network reads no depth"
    if getattr(network, "auxiliary_channels", 0) is None:
        yield "method.auxiliary_weight", "the network has no auxiliary head"
    segmenter = experiment.optimizers.segmenter
    frozen = {"image_encoder", "depth_encoder"} <= set(getattr(network, "frozen", ()))
    if getattr(segmenter, "stage_decay", 1.0) == 1.0:
        yield "optimizers.segmenter.decay_depth_encoder", "the stage-decay is 1"
    if frozen:
        for name in ("stage_decay", "decay_depth_encoder"):
            yield f"optimizers.segmenter.{name}", "both encoders are frozen"
    if getattr(segmenter, "schedule", None) and segmenter.schedule.warmup_fraction == 0:
        yield "optimizers.segmenter.schedule.decays_from", "there is no warm-up"
    if getattr(method, "style_probability", 1) == 0:
        for name in ("style_strength", "style_band"):
            yield f"method.{name}", "the style-probability is 0"
    if (recolouring := getattr(method, "recolouring", None)) and recolouring.probability == 0:
        for name in ("change", "hue"):
            yield f"method.recolouring.{name}", "the probability of recolouring is 0"
    wanted = training.augmentation.crop_wanted_pixels
    if wanted is not None and training.sampling.rare_class_temperature is None:
        reason = "no tile is drawn for the sake of a class without --rare-class-temperature"
        yield "training.augmentation.crop_wanted_pixels", reason
    for name in ("augmentation", "target_augmentation"):
        if augmentation := getattr(training, name):
            yield from _idle_draws(f"training.{name}", augmentation)


def _idle_draws(prefix: str, augmentation: Augmentation) -> Iterator[tuple[str, str]]:
    """Of transforms that never come; a default was not asked for."""
    share = augmentation.crop_largest_share
    if augmentation.crop_redraws == 0 and share != Augmentation.crop_largest_share:
        yield f"{prefix}.crop_largest_share", "no crop is drawn again (crop-redraws 0)"
    for kind in ("rotation", "flips", "photometric"):
        transform = getattr(augmentation, kind)
        default = type(transform)()
        if transform.probability == 0:
            for name, value in vars(transform).items():
                if name != "probability" and value != getattr(default, name):
                    yield f"{prefix}.{kind}.{name}", f"the {kind} has the probability 0"


def _flag(name: str, value: object) -> str:
    """As it is given on the command line: ``--method.no-mixed-depth`` of ``method.mixed_depth``."""
    for long, short in _SHORT.items():
        name = name.replace(long, short)
    part, _, last = name.replace("_", "-").rpartition(".")
    last = f"no-{last}" if value is False else last
    told = "" if isinstance(value, bool) else f" {value}"
    return "--" + ".".join(filter(None, (part, last))) + told
