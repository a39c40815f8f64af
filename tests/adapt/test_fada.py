"""FADA: soft labels, the features its critic reads, and its terms by hand."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import FADA
from rdepth_keras.adapt.adversarial import Critics
from rdepth_keras.adapt.method import Given, Parts
from rdepth_keras.models import DeepLabV2
from rdepth_keras.network import Network

HERE = Path(__file__).parent
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))


def test_soft_labels_are_cut_and_without_gradient():
    sure = jnp.array([[[[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]])
    soft = FADA(largest_label=0.9).soft_label(sure)
    np.testing.assert_allclose(soft[0, 0, 0, 0], 0.9)
    np.testing.assert_allclose(soft[0, 0, 1], 1 / 3, rtol=1e-6)
    assert float(soft[0, 0, 0].sum()) < 0.91, "not made to add up to 1 again"
    gradient = jax.grad(lambda x: FADA().soft_label(x)[..., 0].sum())(sure)
    assert not np.asarray(gradient).any()


def test_the_critic_reads_the_third_stage():
    network = toys.segmenter()
    critic = FADA(widths=(4, 3)).networks(Parts(network, None, 7, None, 0))["critic"].model
    assert critic.input["map"].shape[-1] == toys.WIDTH and critic.output.shape[-1] == 14


def test_features_that_nothing_trains_are_refused():
    network = toys.segmenter()
    FADA().check(network)
    for layer in network.model.layers:
        layer.trainable = "head" in layer.name or "2" in layer.name
    with pytest.raises(ValueError, match="features of stage 3, and all that makes them is frozen"):
        FADA().check(network)
    FADA(adversarial_weight=0.0).check(network)
    frozen = DeepLabV2("atto", frozen=("image_encoder",)).build(taps=True)
    with pytest.raises(ValueError, match="all that makes them is frozen"):
        FADA().check(Network(frozen))


class Even(Critics):
    """Critics that cannot tell; they remember what they read."""

    def fixed(self, name, x):
        self.params.append(x)
        return jnp.zeros((*x.shape[:3], 4))

    learning = fixed


@pytest.mark.parametrize("auxiliary", [False, True])
def test_the_terms_by_hand(auxiliary):
    """Two classes, logits (1.8, 0): softmax (e, 1) / (e + 1), here cut at 0.6; even verdicts."""
    logits = jnp.tile(jnp.array([1.8, 0.0]), (1, 4, 4, 1))
    read: list = []
    features = tuple(jnp.full((1, 2, 2, 1), i) for i in range(4))
    outputs = {"logits": logits, "prediction": logits, "features": features}
    if auxiliary:
        outputs["auxiliary"] = jnp.zeros((1, 4, 4, 2))
    label = {"label": jnp.zeros((1, 4, 4), jnp.uint8)}
    given = Given(label, label, {}, {}, jax.random.key(0), jnp.asarray(0), jnp.asarray(0.0))
    method = FADA(largest_label=0.6)
    own, theirs = method.terms(outputs, outputs, {}, Even({}, read, {}), given)
    chance = np.e / (1 + np.e)
    soft = 0.6 + (1 - chance)
    wanted = {
        "decode": -0.1 * np.log(chance),
        "adversarial": 0.001 * soft * np.log(4),
        "critic": soft * np.log(4),
    }
    if auxiliary:
        wanted["auxiliary"] = 0.1 * 0.4 * np.log(2)
    found = {name: float(value) for name, value in {**own, **theirs}.items()}
    assert found == pytest.approx(wanted, rel=1e-5)
    assert len(read) == 3 and all((x == 2).all() for x in read), "features[2]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": 0.0}, "temperature must be above 0; received 0.0"),
        ({"largest_label": 1.5}, "largest_label must be above 0, at most 1; received 1.5"),
        ({"segmentation_weight": -1.0}, "segmentation_weight must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FADA(**settings)
