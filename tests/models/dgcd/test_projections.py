"""The projections of the contrastive term against plain NumPy."""

import numpy as np
import pytest

from rdepth_keras.models.dgcd.projections import Contrast


def draw(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def unit(x):
    return x / np.sqrt((x * x).sum(-1, keepdims=True))


def test_projections():
    layer = Contrast(channels=5, pool=4)
    layer.build((None, None, None, 3), (None, None, None, 2))
    assert 1 / (1 + np.exp(-float(layer.share.value))) == pytest.approx(0.574, abs=5e-4)
    values = {}
    for seed, variable in enumerate(layer.variables):
        name = variable.path.split("/", 1)[1]
        values[name] = (
            np.exp(draw(variable.shape, seed)) if "variance" in name else draw(variable.shape, seed)
        )
        variable.assign(values[name])
    maps = {"image": draw((2, 9, 8, 3), 20), "depth": draw((2, 9, 8, 2), 21)}
    projected = {}
    for name, x in maps.items():
        pooled = x[:, :8].reshape(2, 2, 4, 2, 4, -1).mean((2, 4))
        y = pooled @ values[f"{name}/kernel"] - values[f"{name}_norm/moving_mean"]
        y = y / np.sqrt(values[f"{name}_norm/moving_variance"] + 1e-5)
        projected[name] = values[f"{name}_norm/gamma"] * y + values[f"{name}_norm/beta"]
    share = 1 / (1 + np.exp(-values["share"]))
    mix = (1 - share) * projected["image"] + share * projected["depth"]
    ours = layer(maps["image"], maps["depth"])
    np.testing.assert_allclose(ours[0], unit(mix), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours[1], unit(projected["image"]), rtol=1e-4, atol=1e-5)


def test_a_map_smaller_than_the_pool_becomes_one_place():
    mix, image = Contrast(4)(draw((2, 2, 9, 3)), draw((2, 2, 9, 3), 1))
    assert mix.shape == image.shape == (2, 1, 2, 4)
