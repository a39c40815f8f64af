"""What a method gets from a network and does with it before any term: heads, sizes, sums."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras

from rdepth_keras.adapt.method import Method
from rdepth_keras.losses import cross_entropy
from rdepth_keras.models.heads import Output
from rdepth_keras.models.layers.batch_statistics import Statistics
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.network import Network

LOGITS = ("logits", "auxiliary", "refined")  # outputs of a network that hold some


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


def see(
    network: Network,
    params: Mapping[str, jax.Array],
    buffers: Mapping[str, jax.Array],
    batch: Mapping[str, Any],
    key: jax.Array | None = None,
    statistics: Statistics | None = None,
) -> tuple[dict[str, Any], dict[str, jax.Array]]:
    """:meth:`Network.apply`, whose logits are as large as the image: ``(outputs, buffers)``.

    All logits that a network hands out are enlarged as it does itself to predict, (B, H, W, K),
    float32, so that no loss differs from the prediction. Beside its own outputs there are
    ``prediction``, the logits that it predicts with, and, where it hands out features, ``coarse``,
    the same at the size of the last ones. What is not used costs nothing once compiled.
    """
    outputs, kept = network.apply(params, buffers, batch, key, statistics)
    end, size = ending(network), batch["image"].shape[1:3]
    names = [name for name in {*LOGITS, end.predicts} if name in outputs]
    logits = {name: jax.tree.map(_float32, outputs[name]) for name in sorted(names)}
    found = {**outputs, "prediction": end.prediction(logits, size)}
    if "features" in outputs:
        last = jax.tree.leaves(outputs["features"])[-1]
        found["coarse"] = end.prediction(logits, last.shape[1:3])
    enlarged = jax.tree.map(lambda map_: end.enlarge(map_, size), logits)
    return {**found, **enlarged}, kept


def ending(network: Network) -> Output:
    """The layer that says how a network predicts; one of a single map where it has none."""
    layers = network.model._flatten_layers()
    return next((layer for layer in layers if isinstance(layer, Output)), Output())


def maps(network: Network) -> dict[str, Any]:
    """The symbolic outputs by name, each of the layers that make it alone: its end takes in all."""
    model, end = network.model, ending(network)
    if end not in model.layers:
        return model.output
    taken = {"image": model.input["image"], **model.output}
    return keras.tree.pack_sequence_as(taken, end.input)


def predicting(outputs: Mapping[str, Any]) -> tuple:
    """The logits of the heads that predict, together where they are several."""
    return _all(outputs["logits"])


def auxiliary(outputs: Mapping[str, Any]) -> tuple:
    """The logits of the heads that do not predict."""
    return _all(outputs.get("auxiliary", ()))


def heads(outputs: Mapping[str, Any]) -> tuple:
    """The logits of all heads, the main one last. Also of the symbolic outputs of a model."""
    return (*auxiliary(outputs), *predicting(outputs))


def mean_entropy(heads: Sequence[jax.Array], label: jax.Array, **options: Any) -> jax.Array:
    """The mean over heads of :func:`rdepth_keras.losses.cross_entropy` with its ``options``."""
    return jnp.stack([cross_entropy(logits, label, **options) for logits in heads]).mean()


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
    if (map_ := ending(segmenter).predicts) not in method.predictions:
        raise ValueError(
            f"The network predicts with its map {map_}, which the method {type(method).__name__} "
            "does not train: take the method dgcd, or a network without it, e.g. "
            "--network.no-refine."
        )
    made: Any = segmenter.model.output  # one map, or several by name
    if isinstance(made, dict) and "contrast" in made and "refined" not in method.predictions:
        raise ValueError(
            "The network projects its features for a contrast, which the method "
            f"{type(method).__name__} does not train: take the method dgcd, or a network without "
            "it, e.g. --network.no-contrast."
        )


def check_trains(segmenter: Network, map_: Any, told: str) -> None:
    """Raises ValueError, beginning as ``told``, where all that makes a symbolic map is frozen."""
    if not keras.Model(segmenter.model.input, map_).trainable_variables:
        raise ValueError(f"{told} is frozen: leave --network.frozen away")


def _all(logits) -> tuple:
    return tuple(logits) if isinstance(logits, (tuple, list)) else (logits,)


def _float32(logits: jax.Array) -> jax.Array:
    return logits.astype(jnp.float32)
