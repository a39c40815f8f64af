"""AdaptSegNet's levels and terms."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, AdaptSegNet
from rdepth_keras.adapt.adaptsegnet import levels
from rdepth_keras.adapt.adversarial import Critics
from rdepth_keras.adapt.method import Given, Parts

HERE = Path(__file__).parent
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))


def networks(stages):
    parts = Parts(toys.segmenter(stages), toys.segmenter, 7, None, 0)
    return AdaptSegNet(widths=(3,)).networks(parts)


def test_a_critic_for_each_level():
    both = networks((1, 2))
    assert list(both) == [SEGMENTER, "critic", "critic_auxiliary"]
    assert both["critic"].model.input["map"].shape[-1] == 7
    kernels = [both[name].init()[0]["conv1/kernel"] for name in ("critic", "critic_auxiliary")]
    assert (np.asarray(kernels[0]) != np.asarray(kernels[1])).all()
    assert list(networks((2,))) == [SEGMENTER, "critic"]


def test_levels_of_a_network():
    """Of one, two or an auxiliary head; the last is the one that predicts."""
    assert levels({"logits": 1}) == {"main": 1}
    assert levels({"logits": (1, 2)}) == {"main": 2, "auxiliary": 1}
    assert levels({"logits": 1, "auxiliary": 2}) == {"main": 1, "auxiliary": 2}
    with pytest.raises(ValueError, match="one or two heads; this one has 3. Use --model"):
        levels({"logits": (1, 2, 3)})


class Even(Critics):
    """Critics that cannot tell: every verdict is 0, its cross-entropy log 2."""

    def fixed(self, name, x):
        return jnp.zeros((len(x), 2, 2, 1))

    learning = fixed


def test_the_terms_and_their_weights_by_hand():
    """Even logits of four classes have a cross-entropy of log 4, even verdicts one of log 2."""
    outputs = {"logits": (jnp.zeros((1, 4, 4, 4)),) * 2}
    label = {"label": jnp.zeros((1, 4, 4), jnp.uint8)}
    given = Given(label, label, {}, {}, jax.random.key(0), jnp.asarray(0), jnp.asarray(0.0))
    own, theirs = AdaptSegNet().terms(outputs, outputs, {}, Even({}, {}, {}), given)
    found = {name: float(value) for name, value in {**own, **theirs}.items()}
    assert found == pytest.approx(
        {
            "decode_main": np.log(4),
            "decode_auxiliary": 0.1 * np.log(4),
            "adversarial_main": 0.001 * np.log(2),
            "adversarial_auxiliary": 0.0002 * np.log(2),
            "critic": np.log(2),
            "critic_auxiliary": np.log(2),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adversarial_weight": -1.0}, "adversarial_weight must be at least 0; received -1.0"),
        ({"auxiliary_weight": float("nan")}, "auxiliary_weight must be at least 0"),
        ({"widths": (4, 0)}, r"widths must be of at least 1 each; received \(4, 0\)"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        AdaptSegNet(**settings)
