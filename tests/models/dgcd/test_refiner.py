"""The refiner by itself; its arithmetic is in the parity tests."""

import numpy as np
import pytest

from rdepth_keras.models.dgcd.refiner import Refiner


def test_it_starts_with_a_share_of_0_574():
    layer = Refiner(7)
    layer.build((None, None, None, 7), (None, None, None, 5))
    assert 1 / (1 + np.exp(-float(layer.share.value))) == pytest.approx(0.574, abs=5e-4)


def test_without_a_correction_the_logits_stay():
    """And the depth map may be of another size than they."""
    generator = np.random.default_rng(0)
    logits = generator.standard_normal((2, 3, 4, 7)).astype(np.float32)
    depth_map = generator.standard_normal((2, 6, 7, 5)).astype(np.float32)
    layer = Refiner(7, channels=4)
    refined = layer(logits, depth_map)
    assert np.abs(refined - logits).max() > 1e-4
    for variable in layer.correction.variables:
        variable.assign(np.zeros(variable.shape))
    np.testing.assert_array_equal(layer(logits, depth_map), logits)
