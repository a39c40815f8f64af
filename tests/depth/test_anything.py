"""Attention as it is computed on a CPU against Keras's own; the whole network has its goldens."""

import jax
import keras
import numpy as np
import pytest

from rdepth_keras.depth.anything import _attend_by_head


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 2e-2)], ids=["float32", "bfloat16"]
)
@pytest.mark.parametrize(("batch", "tokens", "heads", "channels"), [(2, 37, 3, 8), (1, 1, 1, 5)])
def test_head_by_head_equals_all_at_once(batch, tokens, heads, channels, dtype, tolerance):
    """Also where scores are large: exp of what is not shifted by its maximum would overflow."""
    keys = jax.random.split(jax.random.key(0), 3)
    shape = batch, tokens, heads, channels
    query, key, value = (jax.random.normal(one, shape, dtype) for one in keys)
    for scale in (1.0, 40.0):
        ours = _attend_by_head(scale * query, key, value)
        theirs = keras.ops.dot_product_attention(scale * query, key, value)
        assert ours.dtype == dtype and ours.shape == shape
        ours, theirs = (np.asarray(one, np.float32) for one in (ours, theirs))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance)
