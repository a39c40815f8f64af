"""IAST: its terms look at the pixels they are meant for, and its labels at its settings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import IAST
from rdepth_keras.adapt.pseudo_labels import instance_adaptive
from rdepth_keras.adapt.target_terms import entropy, unevenness
from rdepth_keras.labels import IGNORE
from rdepth_keras.losses import cross_entropy


def example():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, (2, 4, 4)).astype(np.uint8)
    label[:, 2:] = IGNORE
    return jnp.asarray(rng.standard_normal((2, 4, 4, 3)), jnp.float32), label


def test_the_terms_of_the_target():
    logits, label = example()
    method = IAST(target_weight=0.5, entropy_weight=2.0, evenness_weight=0.3)
    terms = method.target_terms({}, {"logits": (logits, -logits)}, label)
    assert terms.keys() == {"pseudo", "entropy", "unevenness"}
    both = (logits, -logits)
    ignored = label == IGNORE
    expected = {
        "pseudo": 0.5 * np.mean([cross_entropy(x, label) for x in both]),
        "entropy": 2.0 * np.mean([entropy(x, ignored) for x in both]),
        "unevenness": 0.3 * np.mean([unevenness(x, ~ignored) for x in both]),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, err_msg=name)


def test_entropy_pulls_where_labels_are_missing_and_evenness_where_they_are():
    logits, label = example()

    def term(name):
        return jax.grad(lambda x: IAST().target_terms({}, {"logits": x}, label)[name])(logits)

    for name, rows in (("entropy", slice(2)), ("unevenness", slice(2, None))):
        gradient = np.asarray(term(name))
        assert gradient.any() and not gradient[:, rows].any()


@pytest.mark.parametrize("value", [0, IGNORE])
def test_all_or_nothing_labelled_is_finite(value):
    logits, label = example()
    terms = IAST().target_terms({}, {"logits": logits}, np.full_like(label, value))
    assert all(np.isfinite(term) for term in terms.values())
    assert terms["entropy" if value == 0 else "unevenness"] == 0


def test_labels_are_instance_adaptive():
    scores = np.exp(4 * np.random.default_rng(0).standard_normal((5, 8, 8, 3)))
    tiles = list(scores / scores.sum(-1, keepdims=True))
    settings = {"start": 0.7, "share": 0.5, "exponent": 2.0, "inertia": 0.5, "ceiling": 0.9}
    method = IAST(
        **{f"threshold_{k}": v for k, v in settings.items() if k != "start"}, threshold=0.7
    )
    found = list(method.relabel(tiles, 0))
    for one, other in zip(found, instance_adaptive(tiles, batch=2, **settings), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((a != b).any() for a, b in zip(found, IAST().relabel(tiles, 0), strict=True))


@pytest.mark.parametrize("name", ["threshold", "threshold_share", "threshold_inertia"])
def test_settings_that_cannot_be_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be from 0 to 1; received 1.1"):
        IAST(**{name: 1.1})
    with pytest.raises(ValueError, match="threshold_batch must be at least 1; received 0"):
        IAST(threshold_batch=0)
