"""TransNorm: both domains in one batch, and only where the norms want it."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, TransNorm
from rdepth_keras.adapt.method import Given
from rdepth_keras.models.layers.domain_norm import TransNorm as Norm

HERE = Path(__file__).parent
toys = SimpleNamespace(**runpy.run_path(str(HERE.parent / "contracts" / "toys.py")))


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)


def other_domain(name):
    pair = ("source", "target")
    own, other = pair if name.startswith("source") else pair[::-1]
    return name.replace(own, other)


def test_each_domain_has_its_statistics_and_its_outputs():
    network = toys.segmenter((2, 2), Norm)
    params, buffers = ({SEGMENTER: values} for values in network.init())
    source, target = ({"image": image(i), "label": np.zeros((2, 8, 8))} for i in (0, 1))

    def forward(source, target):
        progress = jnp.asarray(0.0)
        given = Given(source, target, buffers, {}, jax.random.key(0), jnp.asarray(0), progress)
        return TransNorm().forward(network, params, given)

    first, second, kept = forward(source, target)
    assert first["logits"][0].shape == second["logits"][1].shape == (2, 8, 8, 7)
    assert first["features"][3].shape == (2, 4, 4, toys.WIDTH)
    # Exchanged domains: exchanged outputs and statistics, since the weight of a channel is mutual.
    swapped_second, swapped_first, swapped = forward(target, source)
    for one, other in ((first, swapped_first), (second, swapped_second)):
        for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
    for path in kept:
        partner = "/".join(map(other_domain, path.split("/")))
        np.testing.assert_allclose(kept[path], swapped[partner], rtol=1e-4, atol=1e-5)
        assert (np.asarray(kept[path]) != np.asarray(buffers[SEGMENTER][path])).all()


def test_other_networks_are_refused():
    with pytest.raises(ValueError, match="needs a network .* --model deeplabv2_transnorm"):
        TransNorm().phases({SEGMENTER: toys.segmenter((2, 2))})
