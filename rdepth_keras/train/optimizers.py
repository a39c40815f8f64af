"""Optimizers and learning rates, as rules over variable paths."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax


@dataclass(frozen=True)
class AdamW:
    """AdamW with linear warm-up, polynomial decay and stage-wise rates: the paper's recipe.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019; the stage-wise
    rates are those of ConvNeXt's fine-tuning (Liu et al., "A ConvNet for the 2020s", CVPR 2022).

    Attributes:
        learning_rate: peak rate.
        beta1: decay of the first moment.
        beta2: decay of the second moment.
        weight_decay: decoupled; none on one-dimensional variables (norms, biases, layer-scale).
        warmup_fraction: part of the decay that is linear warm-up, from 1e-6 of the peak. A
            fraction, so that a shorter run keeps the recipe's shape; 0.0375 is the paper's
            1500 of 40 000 steps.
        decay_steps: step at which the rate reaches 0; None is the run's last step.
        power: of the polynomial decay.
        stage_decay: factor between neighbouring encoder stages; 1.0 switches it off.
        decay_depth_encoder: whether the depth encoder has stage-wise rates, too. False is the
            paper's quirk: its rule matched the image encoder's name only, so the depth encoder
            trains at the full rate.
        clip_norm: largest L2 norm of the gradients; None clips nothing.
    """

    learning_rate: float = 1e-4
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.05
    warmup_fraction: float = 0.0375
    decay_steps: int | None = None
    power: float = 1.0
    stage_decay: float = 0.9
    decay_depth_encoder: bool = False
    clip_norm: float | None = None

    def build(self, params: Mapping[str, jax.Array], steps: int) -> optax.GradientTransformation:
        """The optax transformation for a network's params over a run of ``steps`` steps."""
        rates = rate_factors(params, self)
        clip = [] if self.clip_norm is None else [optax.clip_by_global_norm(self.clip_norm)]
        return optax.chain(
            *clip,
            optax.scale_by_adam(self.beta1, self.beta2),
            optax.add_decayed_weights(self.weight_decay, mask=_is_matrix),
            optax.stateless(
                lambda updates, _: {path: update * rates[path] for path, update in updates.items()}
            ),
            optax.scale_by_learning_rate(self.schedule(steps)),
        )

    def schedule(self, steps: int) -> optax.Schedule:
        """Step number -> learning rate (before the stage-wise factors)."""
        decay_steps = self.decay_steps or steps
        warmup_steps = round(self.warmup_fraction * decay_steps)
        peak = self.learning_rate

        def rate(step):
            step = jnp.asarray(step, jnp.float32)
            rise = 1e-6 + (1 - 1e-6) * step / max(warmup_steps, 1)
            left = 1 - (step - warmup_steps) / max(decay_steps - warmup_steps, 1)
            fall = jnp.clip(left, 0.0, 1.0) ** self.power
            return peak * jnp.where(step < warmup_steps, rise, fall)

        return rate


# One path for each group of the stage-wise rule, for people to read.
_GROUPS = {
    "{} stem and downsampling": "{}_encoder/stem/kernel",
    "{} stage 1": "{}_encoder/stage1_block1/depthwise/kernel",
    "{} stage 2": "{}_encoder/stage2_block1/depthwise/kernel",
    "{} stage 3": "{}_encoder/stage3_block1/depthwise/kernel",
    "{} stage 4": "{}_encoder/stage4_block1/depthwise/kernel",
    "{} output norms": "{}_encoder/stage1_output_norm/gamma",
}


def rate_table(optimizer: AdamW) -> dict[str, float]:
    """Group of variables, in words -> peak learning rate."""
    groups = {
        name.format(encoder): path.format(encoder)
        for encoder in ("image", "depth")
        for name, path in _GROUPS.items()
    }
    groups["fusion, decoder and heads"] = "decoder"
    factors = rate_factors(dict.fromkeys(groups.values()), optimizer)
    return {name: optimizer.learning_rate * factors[path] for name, path in groups.items()}


def rate_factors(params: Mapping[str, Any], optimizer: AdamW) -> dict[str, float]:
    """Variable path -> factor on the learning rate.

    mmsegmentation's ``stage_wise`` rule with 12 (+2) levels: stem and all downsamplings get
    decay^13, the stages 1..4 decay^12..decay^9, everything else 1.
    """
    return {path: optimizer.stage_decay ** _levels_below(path, optimizer) for path in params}


def _levels_below(path: str, optimizer: AdamW) -> int:
    encoders = "(image|depth)_encoder" if optimizer.decay_depth_encoder else "image_encoder"
    if re.match(rf"{encoders}/(stem|stage\d_downsample)", path):
        return 13
    block = re.match(rf"{encoders}/stage(?P<stage>\d)_block", path)
    return 13 - int(block["stage"]) if block else 0


def _is_matrix(params):
    return {path: value.ndim > 1 for path, value in params.items()}
