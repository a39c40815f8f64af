"""CLAN: weights of pixels, their warm-up and gradient, what fades, which networks it takes."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras.adapt import CLAN, SEGMENTER
from rdepth_keras.adapt.adversarial import TARGET, Critics
from rdepth_keras.adapt.clan import head_params
from rdepth_keras.adapt.method import Given
from rdepth_keras.network import Network

HERE = Path(__file__).parent
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))


def logits(seed):
    return jnp.asarray(np.random.default_rng(seed).standard_normal((1, 4, 4, 3)), jnp.float32)


def test_pixels_count_by_disagreement_after_the_warmup():
    one = jnp.array([[[[50.0, 0.0], [0.0, 50.0]]]])
    other = jnp.array([[[[50.0, 0.0], [50.0, 0.0]]]])
    method = CLAN(local_weight=10, local_floor=0.4, warmup_fraction=0.075)
    late = method.pixel_weights(one, other, jnp.float32(751) / 10_000)
    np.testing.assert_allclose(late[0, 0, :, 0], [0.4, 10.4], rtol=1e-5)
    for step in (0, 750):
        early = method.pixel_weights(one, other, jnp.float32(step) / 10_000)
        np.testing.assert_array_equal(early, 1)


def test_the_weighted_cross_entropy():
    """A verdict of 2 x 2 enlarged to 4 x 4 with aligned corners; a plain twin."""
    verdict = jnp.array([[0.0, 3.0], [0.0, 3.0]]).reshape(1, 2, 2, 1)
    weights = np.random.default_rng(0).random((1, 4, 4, 1)).astype(np.float32)
    whole = np.tile([0.0, 1.0, 2.0, 3.0], (4, 1))
    expected = (weights[0, :, :, 0] * np.log1p(np.exp(-whole))).mean()
    found = CLAN().weighted(verdict, TARGET, jnp.asarray(weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


class Sure(Critics):
    """Critics whose verdict is 1 everywhere, whatever the map."""

    def fixed(self, name, x):
        return jnp.ones((len(x), 2, 2, 1))

    learning = fixed


PARAMS = {SEGMENTER: {"head1/kernel": jnp.ones(2), "head2/kernel": jnp.array([1.0, 0.0])}}


def terms(method, one, other, progress):
    source = {"logits": (jnp.zeros((1, 4, 4, 3)),) * 2}
    label = {"label": jnp.zeros((1, 4, 4), jnp.uint8)}
    given = Given(label, label, {}, {}, jax.random.key(0), jnp.asarray(0), jnp.asarray(progress))
    critics = Sure({}, {}, {})
    return method.terms(source, {"logits": (one, other)}, PARAMS, critics, given)


def test_the_terms_by_hand():
    """Heads that agree: weights of 0.4; W1 and W2 at 45 degrees; half of the run is done."""
    own, theirs = terms(CLAN(), logits(0), logits(0), 0.5)
    taken, found_out = np.log1p(np.e), np.log1p(np.exp(-1))
    assert {name: float(value) for name, value in {**own, **theirs}.items()} == pytest.approx(
        {
            "decode": 2 * np.log(3),
            "adversarial": 0.001 * 0.5 * 0.4 * taken,
            "discrepancy": 0.02 * 0.5 * (0.5**0.5 + 1),
            "critic": 0.5 * (taken + 0.4 * found_out),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("passes", [False, True])
def test_the_gradient_through_the_weights_is_an_option(passes):
    """With verdicts that no map changes it is all there is of the adversarial term's gradient."""
    method = CLAN(weight_gradient=passes)

    def gradient(progress):
        def adversarial(one):
            return terms(method, one, logits(1), progress)[0]["adversarial"]

        return np.asarray(jax.grad(adversarial)(logits(0)))

    assert gradient(0.5).any() == passes
    assert not gradient(0.05).any(), "no weights in the warm-up"

    def critics(one):
        return terms(method, one, logits(1), 0.5)[1]["critic"]

    assert not np.asarray(jax.grad(critics)(logits(0))).any()


def test_the_params_of_the_heads():
    params = {"head1/a/kernel": 1, "head1_pyramid/b": 2, "head2/a/kernel": 3, "head2_pyramid/b": 4}
    first, second = head_params({**params, "image_encoder/head": 5})
    assert first == {"/a/kernel": 1, "_pyramid/b": 2}
    assert second == {"/a/kernel": 3, "_pyramid/b": 4}


def test_heads_that_do_not_predict_together_are_refused():
    """As those of a DeepLabV2 whose last head predicts alone."""
    network = toys.segmenter((2, 2))
    CLAN().check(network)
    inputs, maps = network.model.input, network.model.output
    one, other = maps["logits"]
    apart = Network(keras.Model(inputs, {**maps, "auxiliary": one, "logits": other}))
    with pytest.raises(ValueError, match="two equal heads on one map that predict together"):
        CLAN().check(apart)


@pytest.mark.parametrize("stages", [(2,), (2, 2, 2)])
def test_networks_without_two_heads_on_one_map_are_refused(stages):
    with pytest.raises(ValueError, match="two equal heads on one map that predict together: use"):
        CLAN().phases({SEGMENTER: toys.segmenter(stages)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"local_floor": -0.1}, "local_floor must be at least 0; received -0.1"),
        ({"warmup_fraction": 750.0}, "warmup_fraction must be from 0 to 1; received 750"),
        ({"widths": (0,)}, "widths must be of at least 1 each"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        CLAN(**settings)
