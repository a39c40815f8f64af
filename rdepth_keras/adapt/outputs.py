"""What a method gets from a network and does with it before any term: heads, sizes, sums."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.method import Method
from rdepth_keras.models.heads import Output
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.models.layers.resample import resize
from rdepth_keras.network import Network


def check_settings(
    method: Method, expected: str, holds: Callable[[Any], bool], *names: str
) -> None:
    """Raises ValueError where one of the fields is not as expected."""
    for name in names:
        value = getattr(method, name)
        if not holds(value):
            raise ValueError(f"{name} must be {expected}; received {value}.")


def is_amount(value: float) -> bool:
    """Whether it may weigh a term."""
    return value >= 0


def add(terms: Mapping[str, jax.Array]) -> jax.Array:
    """The sum of the terms."""
    return jnp.stack(list(terms.values())).sum()


def heads(outputs: Mapping[str, Any]) -> tuple:
    """The logits of a network's heads, the main one last.

    A network with an auxiliary head hands out (auxiliary, logits); one of several heads, these.
    Also of the symbolic outputs of a model.
    """
    logits = outputs["logits"]
    if isinstance(logits, (tuple, list)):
        return tuple(logits)
    return (outputs["auxiliary"], logits) if "auxiliary" in outputs else (logits,)


def predicting(outputs: Mapping[str, Any]) -> tuple:
    """The logits of the heads that predict, each (B, h, w, K); an auxiliary head does not."""
    logits = outputs["logits"]
    return tuple(logits) if isinstance(logits, (tuple, list)) else (logits,)


def has_domain_norms(network: Network) -> bool:
    """Whether source and target must go through the network in one batch, source first."""
    return any(isinstance(layer, TransNorm) for layer in network.model._flatten_layers())


def check_norms(method: Method, segmenter: Network) -> None:
    """Raises ValueError for a network that wants both domains in one batch from another method."""
    if has_domain_norms(segmenter) and not method.joins_domains:
        raise ValueError(
            "The network normalises source and target apart and needs both in one batch, which the "
            f"method {type(method).__name__} does not give it: take the method transnorm, or a "
            "network with other norms, e.g. --model deeplabv2_two_heads."
        )


def check_prediction(method: Method, segmenter: Network) -> None:
    """Raises ValueError for a network that predicts with a map which the method does not train."""
    for layer in segmenter.model._flatten_layers():
        if isinstance(layer, Output) and layer.predicts not in method.predictions:
            raise ValueError(
                f"The network predicts with its map {layer.predicts}, which the method "
                f"{type(method).__name__} does not train: take the method dgcd, or a network "
                "without it, e.g. --network.no-refine."
            )


def enlarge(logits: jax.Array, size: tuple[int, ...], align_corners: bool) -> jax.Array:
    """Bilinear (B, h, w, K) -> (B, *size, K), float32; see :func:`resize`."""
    height, width = size
    return jnp.asarray(resize(logits.astype(jnp.float32), (height, width), align_corners))
