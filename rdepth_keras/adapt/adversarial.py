"""What the adversarial methods share: one step of a segmenter and its critics, and their terms.

The source is domain 0, the target domain 1, as in LoveDA's release. All terms are float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from rdepth_keras.adapt.method import (
    SEGMENTER,
    Given,
    Method,
    Networks,
    Outcome,
    Phase,
    Variables,
)
from rdepth_keras.adapt.outputs import add, see
from rdepth_keras.models.layers.resample import resize
from rdepth_keras.network import Network

SOURCE, TARGET = 0.0, 1.0
WIDTHS = (64, 128, 256, 512)  # of AdaptSegNet's critic

Terms = dict[str, jax.Array]


@dataclass(frozen=True)
class Critics:
    """The critics in one step: who learns from a verdict is said with each."""

    networks: Networks
    params: Variables
    buffers: Variables

    def fixed(self, name: str, x: jax.Array) -> jax.Array:
        """A critic's logits of a map; their gradient reaches the map and never the critic."""
        return self._judge(name, jax.lax.stop_gradient(self.params[name]), x)

    def learning(self, name: str, x: jax.Array) -> jax.Array:
        """A critic's logits of a map; their gradient reaches the critic and never the map."""
        return self._judge(name, self.params[name], jax.lax.stop_gradient(x))

    def _judge(self, name, params, x):
        verdict, _ = self.networks[name].apply(params, self.buffers[name], {"map": x})
        return verdict


@dataclass(frozen=True)
class Adversarial(Method):
    """Base of the methods with critics: one phase trains them and the segmenter.

    Both gradients are of the params before the step and of the same forward passes, as in the
    originals: the critics' terms stop at the segmenter's maps, and the segmenter's pass through the
    critics without moving them. Source and target are forward passes of their own, the source
    first, so that running statistics blend both. The log ``loss`` is the segmenter's.
    """

    @property
    def uses_target(self) -> bool:
        return True

    def terms(
        self, source: Mapping, target: Mapping, params: Variables, critics: Critics, given: Given
    ) -> tuple[Terms, Terms]:
        """The weighted terms of the segmenter and of the critics, by name.

        ``source`` and ``target`` are what the segmenter hands out, its logits full-size.
        """
        raise TypeError(f"{type(self).__name__} defines no terms.")

    def check(self, segmenter: Network) -> None:
        """Raises ValueError, naming the remedy, where the method means nothing on a network."""

    def forward(self, segmenter: Network, params: Variables, given: Given) -> tuple[Any, Any, Any]:
        """The outputs for the source and for the target, and the segmenter's new buffers."""
        one, other = jax.random.split(given.key)
        own, kept = params[SEGMENTER], given.buffers[SEGMENTER]
        assert given.target is not None  # uses_target
        source, kept = see(segmenter, own, kept, given.source, one)
        target, kept = see(segmenter, own, kept, given.target, other)
        return source, target, kept

    def phases(self, networks: Networks) -> tuple[Phase, ...]:
        segmenter = networks[SEGMENTER]
        self.check(segmenter)

        def loss(params, given: Given) -> Outcome:
            source, target, kept = self.forward(segmenter, params, given)
            critics = Critics(networks, params, given.buffers)
            own, theirs = self.terms(source, target, params, critics, given)
            total = add(own)
            logs = {"loss": total, **own, **theirs}
            buffers = {**given.buffers, SEGMENTER: kept}
            return Outcome(total + add(theirs), logs, buffers, given.memory)

        return (Phase(loss, trains=tuple(networks)),)


def are_widths(value: tuple[int, ...]) -> bool:
    """Whether convolutions can have so many channels."""
    return all(width >= 1 for width in value)


def spread(verdict: jax.Array, like: jax.Array) -> jax.Array:
    """A critic's (B, h, w, C) -> (B, H, W, C), the size of ``like`` (B, H, W, ...), float32.

    With aligned corners, as in LoveDA's release.
    """
    size = like.shape[1], like.shape[2]
    return jnp.asarray(resize(verdict.astype(jnp.float32), size, align_corners=True))


def domain_entropies(verdict: jax.Array, domain: float) -> jax.Array:
    """Binary cross-entropy of each logit with its map's domain, in nats, the verdict's shape."""
    verdict = verdict.astype(jnp.float32)
    return optax.sigmoid_binary_cross_entropy(verdict, jnp.full_like(verdict, domain))


def domain_cross_entropy(verdict: jax.Array, domain: float) -> jax.Array:
    """Mean binary cross-entropy of a critic's logits: 0 is the source, 1 the target."""
    return domain_entropies(verdict, domain).mean()


def disagreement(one: jax.Array, other: jax.Array) -> jax.Array:
    """1 - cosine of two maps of probabilities (B, H, W, K) at each pixel: (B, H, W, 1)."""
    along = {"axis": -1, "keepdims": True}
    lengths = jnp.sum(one**2, **along) * jnp.sum(other**2, **along)
    return 1 - jnp.sum(one * other, **along) * jax.lax.rsqrt(lengths)


def cosine(one: Mapping[Any, jax.Array], other: Mapping[Any, jax.Array]) -> jax.Array:
    """Of two collections of arrays with the same keys, each laid end to end as one vector."""
    product = sum(jnp.sum(one[key] * other[key]) for key in one)
    squares = [sum(jnp.sum(array**2) for array in each.values()) for each in (one, other)]
    return product * jax.lax.rsqrt(jnp.maximum(squares[0] * squares[1], 1e-24))


def soft_cross_entropy(verdict: jax.Array, soft: jax.Array, domain: float) -> jax.Array:
    """Mean cross-entropy of logits (B, H, W, 2 K) with soft classes (B, H, W, K) of a domain.

    The first K logits are the source's classes, the others the target's; the other domain's have
    no part in the truth. ``soft`` need not add up to 1.
    """
    classes = soft.shape[-1]
    surprise = -jax.nn.log_softmax(verdict.astype(jnp.float32), -1)
    own = surprise[..., :classes] if domain == SOURCE else surprise[..., classes:]
    return (soft * own).sum(-1).mean()
