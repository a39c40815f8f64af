"""Source-only training: its terms, weights and what it hands back."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, SourceOnly
from rdepth_keras.adapt.method import Given
from rdepth_keras.losses import cross_entropy

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
mini = SimpleNamespace(**runpy.run_path(str(CONTRACTS / "miniatures.py")))


def example():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 7, (2, 8, 8)).astype(np.uint8)
    label[:, :3] = 255
    names = ("logits", "auxiliary")
    return {name: rng.normal(size=(2, 4, 4, 7)).astype(np.float32) for name in names}, label


@pytest.mark.parametrize("average", ["valid", "all"])
def test_the_terms(average):
    outputs, label = example()
    terms = SourceOnly(auxiliary_weight=0.3, average=average).terms(outputs, label, None)
    assert terms.keys() == {"decode", "auxiliary"}
    for name, output, weight in (("decode", "logits", 1.0), ("auxiliary", "auxiliary", 0.3)):
        expected = weight * cross_entropy(outputs[output], label, average=average)
        np.testing.assert_allclose(terms[name], expected, rtol=1e-6)


def test_only_the_outputs_it_knows_are_trained():
    outputs, label = example()
    del outputs["auxiliary"]
    outputs["refined"] = outputs["logits"]
    assert SourceOnly().terms(outputs, label, None).keys() == {"decode"}


@pytest.mark.proof
def test_the_loss_is_the_sum_and_keeps_the_statistics_of_the_source():
    network = mini.segmenter()
    params, buffers = network.init()
    source, key = mini.batch(0), jax.random.key(0)
    (phase,) = SourceOnly().phases({SEGMENTER: network})
    others = {"other": {"x": jnp.ones(1)}}
    given = Given(source, None, {SEGMENTER: buffers, **others}, {"m": 1}, key, jnp.asarray(0), 0.0)
    outcome = phase.loss({SEGMENTER: params}, given)
    outputs, kept = network.apply(params, buffers, source, key)
    expected = cross_entropy(outputs["logits"], source["label"])
    np.testing.assert_allclose(outcome.loss, expected, rtol=1e-6)
    assert outcome.logs.keys() == {"loss", "decode"} and outcome.memory == {"m": 1}
    assert outcome.buffers["other"] is others["other"]
    for path, value in kept.items():
        np.testing.assert_array_equal(outcome.buffers[SEGMENTER][path], value)


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_a_weight_that_cannot_be_is_refused(weight):
    with pytest.raises(ValueError, match="auxiliary_weight must be at least 0; received"):
        SourceOnly(auxiliary_weight=weight)


def test_an_average_that_is_none_is_refused():
    with pytest.raises(ValueError, match="average must be one of .*; received 'mean'"):
        SourceOnly(average="mean")
