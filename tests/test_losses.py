"""Losses against hand-made numbers, a plain NumPy twin, under a mask, and by finite differences."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from rdepth_keras.losses import cross_entropy, resize_logits

pytestmark = pytest.mark.usefixtures("strict_ranks")


def numpy_resize(logits, height, width):
    """Bilinear with half-pixel centres, one sample at a time."""
    batch, old_height, old_width, classes = logits.shape
    out = np.zeros((batch, height, width, classes))
    for y in range(height):
        for x in range(width):
            row = np.clip((y + 0.5) * old_height / height - 0.5, 0, old_height - 1)
            column = np.clip((x + 0.5) * old_width / width - 0.5, 0, old_width - 1)
            top, left = int(row), int(column)
            below, right = min(top + 1, old_height - 1), min(left + 1, old_width - 1)
            v, h = row - top, column - left
            out[:, y, x] = (1 - v) * (
                (1 - h) * logits[:, top, left] + h * logits[:, top, right]
            ) + v * ((1 - h) * logits[:, below, left] + h * logits[:, below, right])
    return out


def numpy_cross_entropy(logits, label, average="valid", class_weights=None, pixel_weights=None):
    logits = numpy_resize(logits, *label.shape[1:])
    total, count = 0.0, 0
    for index in np.ndindex(label.shape):
        if label[index] == 255:
            continue
        scores = logits[index] - logits[index].max()
        term = np.log(np.exp(scores).sum()) - scores[label[index]]
        term *= 1.0 if class_weights is None else class_weights[label[index]]
        term *= 1.0 if pixel_weights is None else pixel_weights[index]
        total, count = total + term, count + 1
    return total / max(count if average == "valid" else label.size, 1)


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 4, 7)).astype(np.float32)
    label = rng.integers(0, 7, (2, 9, 11)).astype(np.uint8)
    label[rng.random(label.shape) < 0.3] = 255
    return logits, label


def test_hand_computed():
    logits = jnp.log(jnp.array([[[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]]]))
    label = jnp.array([[[0, 1]]], jnp.uint8)
    expected = -(np.log(0.5) + np.log(0.8)) / 2
    np.testing.assert_allclose(cross_entropy(logits, label), expected, rtol=1e-6)


def test_ignored_pixels_count_only_under_all():
    logits = jnp.log(jnp.array([[[[0.5, 0.5], [0.1, 0.9]]]]))
    label = jnp.array([[[0, 255]]], jnp.uint8)
    np.testing.assert_allclose(cross_entropy(logits, label), np.log(2), rtol=1e-6)
    np.testing.assert_allclose(
        cross_entropy(logits, label, average="all"), np.log(2) / 2, rtol=1e-6
    )


@pytest.mark.parametrize("average", ["valid", "all"])
@pytest.mark.parametrize("weighted", [False, True])
def test_numpy_twin(example, average, weighted):
    logits, label = example
    options = {}
    if weighted:
        rng = np.random.default_rng(1)
        options = {
            "class_weights": tuple(rng.random(7)),
            "pixel_weights": rng.random(label.shape).astype(np.float32),
        }
    ours = cross_entropy(jnp.asarray(logits), jnp.asarray(label), average=average, **options)
    np.testing.assert_allclose(
        ours, numpy_cross_entropy(logits, label, average, **options), rtol=1e-5
    )


def test_resize_twin_both_ways(example):
    logits, _ = example
    for size in ((9, 11), (2, 3), (3, 4)):
        np.testing.assert_allclose(
            resize_logits(jnp.asarray(logits), *size), numpy_resize(logits, *size), atol=1e-5
        )


def test_nothing_labelled_is_zero_with_zero_gradient(example):
    logits, label = example
    nothing = jnp.full(label.shape, 255, jnp.uint8)
    value, gradient = jax.value_and_grad(cross_entropy)(jnp.asarray(logits), nothing)
    assert value == 0 and not gradient.any()


def test_values_under_the_mask_do_not_matter(example):
    """Logits that only ignored pixels see have no gradient."""
    logits = jnp.asarray(example[0])
    label = jnp.asarray(example[1][:, :3, :4]).at[:, 1].set(255)
    gradient = jax.grad(cross_entropy)(logits, label)
    assert not gradient[:, 1].any()
    assert gradient[:, 0].any()


def test_finite_differences(example):
    logits, label = example
    check_grads(
        lambda x: cross_entropy(x, jnp.asarray(label)),
        (jnp.asarray(logits),),
        order=1,
        modes=["rev"],
        atol=1e-2,
        rtol=1e-2,
    )


def test_float32_whatever_the_logits(example):
    logits, label = example
    value = cross_entropy(jnp.asarray(logits, jnp.bfloat16), jnp.asarray(label))
    assert value.dtype == jnp.float32


@pytest.mark.parametrize("beyond", [-1, 7, 254])
def test_a_label_that_is_no_class_makes_it_nan(example, beyond):
    logits, label = jnp.asarray(example[0]), jnp.asarray(example[1], jnp.int32)
    assert logits.shape[-1] <= 7 and jnp.isfinite(cross_entropy(logits, label))
    assert jnp.isnan(cross_entropy(logits, label.at[0, 0, 0].set(beyond)))


def test_the_ignore_of_eight_signed_bits_is_no_class_either(example):
    """There -1 has the bits of 255."""
    logits, label = map(jnp.asarray, example)
    signed = jnp.where(label == 255, 0, label).astype(jnp.int8)
    assert jnp.isfinite(cross_entropy(logits, signed))
    assert jnp.isnan(cross_entropy(logits, signed.at[0, 0, 0].set(-1)))


def test_logits_of_one_class_are_refused():
    """Their entropy is 0 whatever they are, and no training moves."""
    label = np.full((1, 4, 4), 255, np.uint8)
    with pytest.raises(ValueError, match="Logits of one class always have the entropy 0"):
        cross_entropy(jnp.zeros((1, 4, 4, 1)), label)


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.uint8, bool, jnp.complex64])
def test_logits_that_are_no_floats_are_refused(example, dtype):
    logits, label = map(jnp.asarray, example)
    with pytest.raises(ValueError, match="Logits must be floats; received"):
        cross_entropy(logits.astype(dtype), label)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, 1j])
@pytest.mark.parametrize("name", ["class_weights", "pixel_weights"])
def test_weights_that_cannot_be_are_refused(example, name, bad):
    logits, label = map(jnp.asarray, example)
    weights = np.ones(7 if name == "class_weights" else label.shape, np.array(bad).dtype)
    weights.flat[0] = bad
    with pytest.raises(ValueError, match=f"{name} must be finite numbers, at least 0"):
        cross_entropy(logits, label, **{name: weights})


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_wide_labels_do_not_wrap(example, kind):
    """In 32 bits 2^32 is class 0, and 2^32 + 255 is ignored."""
    logits, label = example[0], example[1].astype(kind)
    expected = cross_entropy(logits, jnp.asarray(example[1]))
    np.testing.assert_allclose(cross_entropy(logits, label), expected, rtol=1e-6)
    for more in (0, 255):
        label[0, 0, 0] = 2**32 + more
        assert np.isnan(cross_entropy(logits, label))


def test_unknown_average(example):
    with pytest.raises(ValueError, match="average must be one of"):
        cross_entropy(jnp.asarray(example[0]), jnp.asarray(example[1]), average="mean")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"label": np.zeros((1, 9, 11), np.uint8)},
            "received logits (2, 3, 4, 7) and labels (1, 9",
        ),
        ({"label": np.zeros((2, 9, 11, 1), np.uint8)}, "(B, H, W), which have no channels"),
        ({"label": np.zeros((2, 9, 11), np.float32)}, "as integers; received float32"),
        ({"logits": np.zeros((2, 7, 30, 40), np.float32)}, "the classes last"),
        ({"class_weights": (1.0,) * 6}, "class_weights must have the shape (7); received (6,)"),
        ({"class_weights": (1.0,) * 8}, "class_weights must have the shape (7); received (8,)"),
        (
            {"pixel_weights": np.ones(11, np.float32)},
            "pixel_weights must have the shape (2, 9, 11)",
        ),
    ],
)
def test_what_would_be_broadcast_is_refused(example, change, said):
    given = {"logits": example[0], "label": example[1], **change}
    if "logits" in change:
        given["label"] = np.zeros((2, 30, 40), np.uint8)
    given = {name: jnp.asarray(value) for name, value in given.items()}
    with jax.numpy_rank_promotion("allow"), pytest.raises(ValueError, match=re.escape(said)):
        jax.jit(cross_entropy)(**given)
