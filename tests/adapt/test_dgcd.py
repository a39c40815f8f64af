"""The contrastive loss: by hand, against plain NumPy, its draws, its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from rdepth_keras import models
from rdepth_keras.adapt.dgcd import DGCD, STAGE_WEIGHTS, contrast, stage_contrast
from rdepth_keras.losses import cross_entropy

strict = pytest.mark.usefixtures("strict_ranks")
TEMPERATURE = 0.07
place_contrast = jax.jit(stage_contrast)


def draw_unit(shape, seed):
    x = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return x / np.sqrt((x * x).sum(-1, keepdims=True))


def draw_uniforms(shape, seed=9):
    return np.random.default_rng(seed).random(shape, np.float32)


def plain(mix, image, uniforms, temperature):
    """The same in loops: every place draws among the others, in the order p + 1, p + 2, ..."""
    batch, places, _ = uniforms.shape
    mix, image = (x.reshape(batch, places, -1).astype(np.float64) for x in (mix, image))
    losses = []
    for b in range(batch):
        for p in range(places):
            similarity = ((image[b] @ mix[b, p]) + 1) / 2 / temperature
            others = [(p + step) % places for step in range(1, places)]
            weight = np.exp(similarity[others] - similarity[others].max())
            bounds = np.cumsum(weight / weight.sum())
            drawn = [others[int((bounds <= u).sum())] for u in uniforms[b, p]]
            entries = np.array([similarity[p], *similarity[drawn]])
            losses.append(
                np.log(np.exp(entries - entries.max()).sum()) + entries.max() - entries[0]
            )
    return np.mean(losses)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stage_weights": (1.0,)}, "stage_weights must be four of at least 0"),
        ({"stage_weights": (1.0, 1.0, 1.0, -1.0)}, "stage_weights must be four of at least 0"),
        ({"negatives": 0}, "negatives must be at least 1; received 0"),
        ({"temperature": 0.0}, "temperature must be above 0; received 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        DGCD(**settings)


@strict
def test_against_numpy():
    mix, image = draw_unit((2, 3, 4, 8), 0), draw_unit((2, 3, 4, 8), 1)
    uniforms = draw_uniforms((2, 12, 16))
    ours = place_contrast(mix, image, uniforms, TEMPERATURE)
    np.testing.assert_allclose(ours, plain(mix, image, uniforms, TEMPERATURE), rtol=1e-5)


@strict
def test_by_hand():
    """Two places, opposite vectors: similarities 1 and 0, so log(1 + n exp(-1 / t))."""
    x = np.array([1.0, -1.0], np.float32).reshape(1, 1, 2, 1)
    ours = place_contrast(x, x, draw_uniforms((1, 2, 3)), 0.5)
    np.testing.assert_allclose(ours, np.log(1 + 3 * np.exp(-2)), rtol=1e-6)


@strict
def test_a_single_place_has_no_other():
    x = np.ones((2, 1, 1, 4), np.float32)
    assert stage_contrast(x, x, draw_uniforms((2, 1, 8)), TEMPERATURE) == 0


@strict
def test_negatives_are_drawn_by_similarity():
    """A loss with one negative is a number that tells which place was drawn."""
    mix = np.array([[1.0, 0], [0, 1], [-1, 0]], np.float32).reshape(1, 1, 3, 2)
    temperature, count = 0.5, 4000
    uniforms = np.arange(count, dtype=np.float32) / count

    def call(uniform):
        return place_contrast(mix, mix, jnp.full((1, 3, 1), uniform), temperature)

    ours = jax.vmap(call)(uniforms)
    wanted = []
    for p, others in enumerate(((1, 2), (2, 0), (0, 1))):
        similarity = (mix[0, 0] @ mix[0, 0, p] + 1) / 2 / temperature
        odds = np.exp(similarity[list(others)])
        first = np.log(1 + np.exp(similarity[list(others)] - similarity[p]))
        wanted.append((odds * first).sum() / odds.sum())
    np.testing.assert_allclose(ours.mean(), np.mean(wanted), rtol=1e-3)


@strict
def test_stages_are_weighted_and_averaged():
    pairs = tuple(
        (draw_unit((1, 2, n, 4), n), draw_unit((1, 2, n, 4), 9 + n)) for n in (2, 3, 1, 2)
    )

    @jax.jit
    def call(weights, key):
        return contrast(pairs, key, weights=weights, negatives=8)

    key = jax.random.key(0)
    terms = [call(tuple(np.eye(4)[stage]), key) for stage in range(4)]
    total = sum(weight * term for weight, term in zip(STAGE_WEIGHTS, terms, strict=True))
    np.testing.assert_allclose(call(STAGE_WEIGHTS, key), total, rtol=1e-5)
    assert call(STAGE_WEIGHTS, jax.random.key(1)) != total


@strict
def test_the_weights_match_the_stages():
    x = draw_unit((1, 2, 2, 4), 0)
    with pytest.raises(ValueError, match="argument"):
        jax.eval_shape(contrast, ((x, x),), jax.random.key(0))


@strict
def test_gradients_are_those_of_differences():
    """With the draw fixed by one other place, the loss is smooth."""
    mix, image = draw_unit((1, 1, 2, 3), 0), draw_unit((1, 1, 2, 3), 1)
    uniforms = draw_uniforms((1, 2, 4))
    check_grads(
        lambda mix, image: place_contrast(mix, image, uniforms, 0.5),
        (mix, image),
        order=1,
        modes=["rev"],
    )


@strict
@pytest.mark.proof
def test_the_terms_of_the_outputs():
    """Each output has its term, those of the source-only method among them."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 7, (2, 8, 8)).astype(np.uint8)
    outputs = {
        name: rng.normal(size=(2, 4, 4, 7)).astype(np.float32)
        for name in ("logits", "auxiliary", "refined")
    }
    pairs = tuple((draw_unit((2, 2, 2, 4), n), draw_unit((2, 2, 2, 4), 9 + n)) for n in range(4))
    key = jax.random.key(0)
    terms = DGCD().terms({**outputs, "contrast": pairs}, label, key)
    assert terms.keys() == {"decode", "auxiliary", "refined", "contrast"}
    np.testing.assert_allclose(terms["decode"], cross_entropy(outputs["logits"], label))
    np.testing.assert_allclose(terms["refined"], cross_entropy(outputs["refined"], label))
    expected = contrast(pairs, jax.random.fold_in(key, 1))
    np.testing.assert_allclose(terms["contrast"], expected, rtol=1e-6)
    assert DGCD().terms(outputs, label, key).keys() == {"decode", "auxiliary", "refined"}


@strict
def test_a_network_without_either_output_is_refused():
    outputs = {"logits": jnp.zeros((1, 4, 4, 7)), "features": ()}
    with pytest.raises(ValueError, match=r"hands out logits, features. Take source_only"):
        DGCD().terms(outputs, np.zeros((1, 8, 8), np.uint8), jax.random.key(0))


@pytest.mark.proof
def test_the_depth_is_in_what_the_image_is_compared_with():
    """In the network, whose layers hand on two outputs of one shape."""
    small = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8)}
    sizes = {"channels": 8, "auxiliary_channels": None, "decoder": "segformer", "taps": True}
    model = models.build("dgcd", image_encoder=small, depth_encoder=small, **sizes)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    depths = [rng.random((1, 32, 32, 1)).astype(np.float32) for _ in range(2)]
    (mix, alone), (other, same) = (
        model({"image": image, "depth": depth})["contrast"][0] for depth in depths
    )
    np.testing.assert_allclose(alone, same, rtol=1e-6)
    assert np.abs(np.asarray(mix) - np.asarray(alone)).max() > 0.05
    assert np.abs(np.asarray(mix) - np.asarray(other)).max() > 1e-4
