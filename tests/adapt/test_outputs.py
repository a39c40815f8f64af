"""What a method gets from a network is what the network predicts with."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt.outputs import auxiliary, heads, mean_entropy, predicting, see
from rdepth_keras.losses import cross_entropy
from rdepth_keras.models import DeepLabV2, Twin
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.network import Network

SMALL = partial(ResNet, (1, 1, 1, 1), width=4, output_stride=16)
NETWORKS = {
    "half-pixel centres": Twin(SMALL, None, decoder="segformer", channels=4, auxiliary_channels=4),
    "the last head": DeepLabV2(SMALL, stages=(3, 4)),
    "their sum": DeepLabV2(SMALL, stages=(3, 4), merge="sum"),
    "their mean": DeepLabV2(SMALL, stages=(4, 4), merge="mean"),
}


def test_the_heads_of_a_network():
    assert heads({"logits": 1}) == predicting({"logits": 1}) == (1,)
    assert heads({"logits": 1, "auxiliary": 2}) == (2, 1)
    assert heads({"logits": 1, "auxiliary": (2, 3)}) == (2, 3, 1)
    assert heads({"logits": (3, 4)}) == predicting({"logits": (3, 4)}) == (3, 4)
    assert auxiliary({"logits": (3, 4)}) == ()


@pytest.mark.parametrize("architecture", NETWORKS.values(), ids=NETWORKS)
def test_a_method_sees_what_the_network_predicts(architecture):
    """Merged as the network merges its heads, enlarged as it enlarges them."""
    image = np.random.default_rng(0).integers(0, 256, (2, 45, 64, 3)).astype(np.uint8)
    plain, tapped = (Network(architecture.build(3, taps=taps)) for taps in (False, True))
    params, buffers = tapped.init()

    @jax.jit
    def both(params):
        wanted, _ = plain.apply(params, buffers, {"image": image})
        return wanted, *see(tapped, params, buffers, {"image": image})

    wanted, outputs, kept = both(params)
    assert kept.keys() == buffers.keys()
    np.testing.assert_allclose(outputs["prediction"], wanted, rtol=1e-5, atol=1e-6)
    assert outputs["coarse"].shape == (*outputs["features"][-1].shape[:3], 3)
    own, merge = predicting(outputs), getattr(architecture, "merge", "last")
    assert len(own) == (1 if merge == "last" else 2)
    assert len(heads(outputs)) == 2, "the auxiliary one, too"
    for logits in heads(outputs):
        assert (logits.shape, logits.dtype) == (wanted.shape, jnp.float32)
    if merge in ("last", "sum"):
        np.testing.assert_allclose(sum(own), wanted, rtol=1e-5, atol=1e-6)


def test_the_mean_over_heads():
    rng = np.random.default_rng(0)
    one, other = (jnp.asarray(rng.standard_normal((2, 4, 4, 3)), jnp.float32) for _ in range(2))
    label = rng.integers(0, 3, (2, 4, 4)).astype(np.uint8)
    label[0] = 255
    found = mean_entropy((one, other), label, average="all")
    wanted = np.mean([cross_entropy(x, label, average="all") for x in (one, other)])
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
