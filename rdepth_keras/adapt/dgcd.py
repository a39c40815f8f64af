"""The terms of the paper's successor (DGCD): refined logits, and a contrast of the two modes."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from rdepth_keras.adapt.outputs import check_settings, is_amount
from rdepth_keras.adapt.source_only import SourceOnly
from rdepth_keras.losses import cross_entropy

STAGE_WEIGHTS = (0.02, 0.02, 0.03, 0.03)
NEGATIVES = 128
TEMPERATURE = 0.07


@dataclass(frozen=True)
class DGCD(SourceOnly):
    """Source-only training of the successor's network, whose further outputs have their terms.

    The paper's successor: Sun et al., IEEE TGRS 2026, doi 10.1109/TGRS.2026.3701909; after its
    release's configuration (ArthasMil/DGCD), since its equations could not be read.

    ``refined``, the logits after the depth-guided refiner, have a cross-entropy like the decoder's;
    ``contrast``, the projections of both encoders' maps, the loss of :func:`contrast`. A network
    built without one of the two trains without its term; one with neither is refused.

    Attributes:
        stage_weights: of the contrast in the four stages, each at least 0.
        negatives: other places drawn for each place, with replacement.
        temperature: divides the similarity, in drawing and in the loss.
    """

    stage_weights: tuple[float, ...] = STAGE_WEIGHTS
    negatives: int = NEGATIVES
    temperature: float = TEMPERATURE
    predictions = ("logits", "refined")

    def __post_init__(self):
        super().__post_init__()
        if len(self.stage_weights) != 4 or not all(map(is_amount, self.stage_weights)):
            raise ValueError(
                f"stage_weights must be four of at least 0; received {self.stage_weights}."
            )
        check_settings(self, "at least 1", lambda x: x >= 1, "negatives")
        check_settings(self, "above 0", lambda x: x > 0, "temperature")

    def terms(self, outputs, label: jax.Array, key: jax.Array) -> dict[str, jax.Array]:
        terms = super().terms(outputs, label, key)
        if "refined" not in outputs and "contrast" not in outputs:
            raise ValueError(
                "The method dgcd needs the network dgcd, with refined logits or contrastive "
                f"projections; this one hands out {', '.join(outputs)}. Take source_only for it."
            )
        if "refined" in outputs:
            terms["refined"] = cross_entropy(outputs["refined"], label, average=self.average)
        if "contrast" in outputs:
            terms["contrast"] = contrast(
                outputs["contrast"],
                jax.random.fold_in(key, 1),
                weights=self.stage_weights,
                negatives=self.negatives,
                temperature=self.temperature,
            )
        return terms


def contrast(
    pairs: tuple[tuple[jax.Array, jax.Array], ...],
    key: jax.Array,
    *,
    weights: tuple[float, ...] = STAGE_WEIGHTS,
    negatives: int = NEGATIVES,
    temperature: float = TEMPERATURE,
) -> jax.Array:
    """Weighted InfoNCE between mixed and image features, the mean over the stages.

    Args:
        pairs: for each stage the (mix, image) of
            :class:`rdepth_keras.models.dgcd.projections.Contrast`, unit vectors (B, h, w, C): what
            the network DGCD built with ``taps=True`` hands out as ``contrast``.
        key: draws the negatives.
        weights: one factor a stage.
        negatives: places drawn for each place, with replacement.
        temperature: divides the similarity (cos + 1) / 2, in drawing and in the loss.

    Returns:
        A float32 scalar.
    """
    terms = []
    for stage, ((mix, image), weight) in enumerate(zip(pairs, weights, strict=True)):
        batch, height, width, _ = mix.shape
        shape = (batch, height * width, negatives)
        uniforms = jax.random.uniform(jax.random.fold_in(key, stage), shape)
        terms.append(weight * stage_contrast(mix, image, uniforms, temperature))
    return jnp.stack(terms).mean()


def stage_contrast(mix, image, uniforms, temperature: float) -> jax.Array:
    """Cross-entropy of the image feature at the same place among those of drawn other places.

    ``uniforms`` (B, places, negatives) are numbers in [0, 1) that choose the negatives: a place of
    the same image with a probability of softmax(similarity / temperature) over the other places,
    by inversion of the cumulated probability. A map of a single place has no other: the loss is 0.
    """
    batch, places = uniforms.shape[:2]
    if places == 1:
        return jnp.zeros((), jnp.float32)
    mix, image = (x.reshape(batch, places, -1) for x in (mix, image))
    cosine = jnp.einsum("bpc,bqc->bpq", mix, image, precision="highest")
    similarity = (cosine + 1) / 2 / temperature
    # Row p of others: the places p + 1, p + 2, ..., around to p - 1.
    place = jnp.arange(places)[:, None]
    others = similarity[:, place, (place + jnp.arange(1, places)[None]) % places]
    drawn = _draw(jax.lax.stop_gradient(others), uniforms)
    positive = jnp.diagonal(similarity, axis1=1, axis2=2)[..., None]
    entries = jnp.concatenate([positive, jnp.take_along_axis(others, drawn, -1)], -1)
    return (jax.nn.logsumexp(entries, -1) - positive[..., 0]).mean()


def _draw(logits, uniforms):
    """Indices along the last axis with the probability of their softmax."""
    cumulated = jnp.cumsum(jax.nn.softmax(logits, -1), -1)
    search = jax.vmap(jax.vmap(lambda row, points: jnp.searchsorted(row, points, side="right")))
    return jnp.minimum(search(cumulated, uniforms), logits.shape[-1] - 1)
