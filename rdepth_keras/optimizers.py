"""Optimizers and learning rates, as rules over variable paths.

What an optimizer carries from update to update (moments) is apart from its rate, which goes by the
number of the step: a step of several updates, or of none, moves the schedule by one.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rdepth_keras.naming import shorten
from rdepth_keras.packing import Packing, norm


def _is_decay(value: float) -> bool:
    return 0 <= value < 1


def _is_factor(value: float) -> bool:
    return 0 < value < 1e38  # finite in float32, too


def _is_amount(value: float) -> bool:
    return value >= 0 and math.isfinite(value)


def _check(settings: Any, wanted: str, holds: Callable[[Any], bool], *names: str) -> None:
    """Raises ValueError where one of the fields is not as wanted."""
    for name in names:
        value = getattr(settings, name)
        if not holds(value):
            raise ValueError(f"{name} must be {wanted}; received {value}.")


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up, then polynomial decay.

    All lengths are fractions, so that a shorter run keeps the recipe's shape.

    Attributes:
        warmup_fraction: part of the decay that is warm-up, from 1e-6 of the peak; 0.0375 is the
            paper's 1500 of 40 000.
        decay_end: where the decay ends, in parts of the run; 1.5 stops a decay over 15 000 steps
            after 10 000, far from its end.
        power: of the polynomial.
        minimum: the rate never falls below this after the warm-up; at most the peak.
        decays_from: "warmup" falls from the peak on, where the warm-up ends; "start" falls as if
            there had been none, so that the peak is never reached.

    Raises:
        ValueError: for settings out of their range.
    """

    warmup_fraction: float = 0.0375
    decay_end: float = 1.0
    power: float = 1.0
    minimum: float = 0.0
    decays_from: Literal["warmup", "start"] = "warmup"

    def __post_init__(self):
        _check(self, "from 0 to 1", lambda x: 0 <= x <= 1, "warmup_fraction")
        _check(self, "at least 1 and finite", lambda x: 1 <= x < math.inf, "decay_end")
        _check(self, "at least 0 and finite", _is_amount, "power", "minimum")
        _check(self, "'warmup' or 'start'", lambda x: x in ("warmup", "start"), "decays_from")

    def rate(self, peak: float, steps: int) -> optax.Schedule:
        """Step number -> learning rate, for a run of ``steps`` steps."""
        decay_steps = round(self.decay_end * steps)
        warmup_steps = round(self.warmup_fraction * decay_steps)
        first = warmup_steps if self.decays_from == "warmup" else 0

        def rate(step):
            step = jnp.asarray(step, jnp.float32)
            rise = 1e-6 + (1 - 1e-6) * step / max(warmup_steps, 1)
            left = 1 - (step - first) / max(decay_steps - first, 1)
            fall = jnp.clip(left, 0.0, 1.0) ** self.power
            decayed = self.minimum + (peak - self.minimum) * fall
            return jnp.where(step < warmup_steps, peak * rise, decayed)

        return rate


@dataclass(frozen=True)
class Optimizer:
    """Base of the optimizers: a peak rate, its schedule, and a factor for each variable.

    Attributes:
        learning_rate: peak rate.
        schedule: of the rate over the run.
        clip_norm: largest L2 norm of a network's gradients; None clips nothing.

    Raises:
        ValueError: for settings out of their range.
    """

    learning_rate: float = 1e-4
    schedule: Schedule = Schedule()
    clip_norm: float | None = None

    def __post_init__(self):
        _check(self, "above 0 and finite", _is_factor, "learning_rate")
        _check(self, "above 0, or None", lambda x: x is None or _is_factor(x), "clip_norm")
        if self.schedule.minimum > self.learning_rate:
            raise ValueError(
                f"schedule.minimum must be at most the learning_rate, or the rate would rise; "
                f"received {self.schedule.minimum} and {self.learning_rate}."
            )

    def packing(self, params: Mapping[str, jax.Array], others: Iterable[str] = ()) -> Packing:
        """Of the params of one network, variable path -> array: small ones of one rule together.

        ``others`` are the paths of its variables that do not train. Raises ValueError where rates
        are to go by names that the network's variables do not have: see :meth:`unmatched`.
        """
        if fault := self.unmatched([*params, *others]):
            tops = dict.fromkeys(path.partition("/")[0] for path in params)
            raise ValueError(f"{fault} Received is a network of {shorten(list(tops), 6)}.")
        factors = self.factors(params)
        return Packing.of(params, lambda path: (factors[path], np.ndim(params[path]) > 1))

    def build(self, packing: Packing) -> optax.GradientTransformation:
        """Gradients -> changes for a rate of -1: the optimizer without rate and clipping.

        Gradients, params and changes are those of one network in its :meth:`packing`.
        """
        names = packing.groups
        factors = self.factors(dict.fromkeys(names))
        decayed = {name: len(packing.shapes[name]) > 1 for name in names}

        def scale(updates: Any, _) -> dict[str, jax.Array]:
            return {name: factors[name] * update for name, update in updates.items()}

        return optax.chain(self.direction(decayed), optax.stateless(scale))

    def clip(self, gradients: Mapping[str, jax.Array]) -> Mapping[str, jax.Array]:
        """The gradients of one network, all scaled alike to a norm of at most ``clip_norm``."""
        if self.clip_norm is None:
            return gradients
        scale = self.clip_norm / jnp.maximum(norm(gradients), self.clip_norm)
        return {path: scale * gradient for path, gradient in gradients.items()}

    def rate(self, steps: int) -> optax.Schedule:
        """Step number -> learning rate, before the factors."""
        return self.schedule.rate(self.learning_rate, steps)

    def direction(self, decays: Mapping[str, bool]) -> optax.GradientTransformation:
        """Gradients -> updates, before any rate; ``decays`` says which have a decay of weights."""
        raise TypeError(f"{type(self).__name__} defines no direction.")

    def factors(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Variable path -> factor on the learning rate."""
        return dict.fromkeys(params, 1.0)

    def unmatched(self, paths: Iterable[str]) -> str:
        """What is asked of variables by name, and is of none of these paths; empty where all is."""
        return ""


@dataclass(frozen=True)
class AdamW(Optimizer):
    """AdamW with stage-wise rates: the paper's recipe.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019; the stage-wise
    rates are those of ConvNeXt's fine-tuning (Liu et al., "A ConvNet for the 2020s", CVPR 2022).

    Rates go by the names of layers. Encoders are those that end in ``_encoder``, with stages as
    those of :data:`rdepth_keras.models.ENCODERS` are named; everything else is behind them. A
    network without such layers needs ``stage_decay=1`` and ``head_factor=1``.

    Attributes:
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        weight_decay: decoupled; none on one-dimensional variables (norms, biases, layer-scale).
        stage_decay: factor between neighbouring encoder stages; 1.0 switches it off.
        decay_depth_encoder: whether a depth encoder (depth is in its name) has stage-wise
            rates, too. False is the paper's quirk: its rule matched the image encoder's name only,
            so the depth encoder trains at the full rate.
        head_factor: on the rate of everything behind the encoders.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.05
    stage_decay: float = 0.9
    decay_depth_encoder: bool = False
    head_factor: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        _check(self, "at least 0 and below 1", _is_decay, "beta1", "beta2")
        _check(self, "at least 0 and finite", _is_amount, "weight_decay")
        _check(self, "above 0 and finite", _is_factor, "head_factor")
        _check(self, "above 0 and at most 1", lambda x: 0 < x <= 1, "stage_decay")

    def direction(self, decays: Mapping[str, bool]) -> optax.GradientTransformation:
        adam = optax.scale_by_adam(self.beta1, self.beta2)
        return optax.chain(adam, optax.add_decayed_weights(self.weight_decay, mask=decays))

    def factors(self, params: Mapping[str, Any]) -> dict[str, float]:
        """mmsegmentation's ``stage_wise`` rule with 12 (+2) levels.

        Stem and downsamplings get decay^13, the stages 1..4 decay^12..decay^9, output norms 1.
        """
        return {path: self._factor(path) for path in params}

    def unmatched(self, paths: Iterable[str]) -> str:
        encoders = {path: path.partition("/")[0].endswith("_encoder") for path in paths}
        if (self.stage_decay, self.head_factor) != (1, 1) and not any(encoders.values()):
            return (
                f"AdamW's stage_decay={self.stage_decay} and head_factor={self.head_factor} know "
                "encoders by layers whose names end in _encoder, and there are none: name them so, "
                "or set both to 1."
            )
        read = [path for path, own in encoders.items() if own and self._decays(path)]
        if self.stage_decay != 1 and read and all(self._factor(path) == 1 for path in read):
            return (
                f"AdamW's stage_decay={self.stage_decay} knows stages by names such as "
                "image_encoder/stage1_block1 and image_encoder/stem, and no encoder has any: name "
                "them so, or set it to 1."
            )
        return ""

    def _decays(self, path: str) -> bool:
        return self.decay_depth_encoder or "depth" not in path.partition("/")[0]

    def _factor(self, path: str) -> float:
        encoder, _, rest = path.partition("/")
        if not encoder.endswith("_encoder"):
            return self.head_factor
        if not self._decays(path):
            return 1.0
        if re.match(r"stem|stage\d_(downsample|patches)", rest):
            return self.stage_decay**13
        block = re.match(r"stage(?P<stage>\d)_block", rest)
        return self.stage_decay ** (13 - int(block["stage"])) if block else 1.0


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam without weight decay; the defaults are those of the critics of adversarial methods.

    Kingma and Ba, "Adam", ICLR 2015; beta2 is that of Tsai et al., "AdaptSegNet", CVPR 2018.

    Attributes:
        beta1: decay of the first moment.
        beta2: decay of the second moment.
    """

    beta1: float = 0.9
    beta2: float = 0.99

    def __post_init__(self):
        super().__post_init__()
        _check(self, "at least 0 and below 1", _is_decay, "beta1", "beta2")

    def direction(self, decays: Mapping[str, bool]) -> optax.GradientTransformation:
        return optax.scale_by_adam(self.beta1, self.beta2)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum; its weight decay is part of the gradient.

    Attributes:
        momentum: decay of the accumulated gradient.
        weight_decay: on all variables, as PyTorch's SGD has it.
        head_factor: on the rate of decoders and heads, and of nothing between them and an encoder.
            They are layers with ``decoder``, ``head`` or ``auxiliary`` in their names.
    """

    learning_rate: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    head_factor: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        _check(self, "at least 0 and below 1", _is_decay, "momentum")
        _check(self, "at least 0 and finite", _is_amount, "weight_decay")
        _check(self, "above 0 and finite", _is_factor, "head_factor")

    def direction(self, decays: Mapping[str, bool]) -> optax.GradientTransformation:
        decay = optax.add_decayed_weights(self.weight_decay)
        return optax.chain(decay, optax.trace(self.momentum))

    def factors(self, params: Mapping[str, Any]) -> dict[str, float]:
        return {path: self.head_factor if _HEAD.match(path) else 1.0 for path in params}

    def unmatched(self, paths: Iterable[str]) -> str:
        if self.head_factor == 1 or any(map(_HEAD.match, paths)):
            return ""
        return (
            f"SGD's head_factor={self.head_factor} knows decoders and heads by layers with "
            "decoder, head or auxiliary in their names, and there are none: name them so, or set "
            "it to 1."
        )


_HEAD = re.compile("[^/]*(decoder|head|auxiliary)")


OPTIMIZERS: dict[str, type[Optimizer]] = {"adamw": AdamW, "sgd": SGD, "adam": Adam}

# One path for each group of the rules, for people to read.
_GROUPS = {
    "{} stem and downsampling": "{}_encoder/stem/kernel",
    "{} stage 1": "{}_encoder/stage1_block1/depthwise/kernel",
    "{} stage 2": "{}_encoder/stage2_block1/depthwise/kernel",
    "{} stage 3": "{}_encoder/stage3_block1/depthwise/kernel",
    "{} stage 4": "{}_encoder/stage4_block1/depthwise/kernel",
    "{} output norms": "{}_encoder/stage1_output_norm/gamma",
}


def rate_table(
    optimizer: Optimizer, encoders: Sequence[str] = ("image", "depth")
) -> dict[str, float]:
    """Group of variables, in words -> peak learning rate; of a network with these encoders."""
    groups = {
        name.format(encoder): path.format(encoder)
        for encoder in encoders
        for name, path in _GROUPS.items()
    }
    groups |= {"fusion": "fusion", "decoder and heads": "decoder"}
    factors = optimizer.factors(dict.fromkeys(groups.values()))
    return {name: optimizer.learning_rate * factors[path] for name, path in groups.items()}
