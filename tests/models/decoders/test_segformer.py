"""SegFormer's decoder, both heads. Its numbers are held by tests/parity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.models.decoders.segformer import SegFormer

SIZES, WIDTHS = ((8, 10), (4, 5), (2, 3), (1, 2)), (4, 6, 8, 10)
SHAPES = [(2, *size, width) for size, width in zip(SIZES, WIDTHS, strict=True)]


@pytest.mark.parametrize("linear", [True, False])
def test_shapes(linear):
    decoder = SegFormer(5, linear=linear, name="decoder")
    decoder.build(SHAPES)
    maps = tuple(jax.ShapeDtypeStruct(shape, jnp.float32) for shape in SHAPES)
    assert jax.eval_shape(decoder, maps).shape == (2, 8, 10, 5)
    assert decoder.compute_output_shape(SHAPES) == (2, 8, 10, 5)
    norms = [v.path for v in decoder.variables if v.path.endswith("gamma")]
    assert len(norms) == (1 if linear else 5)
    assert SegFormer.from_config(decoder.get_config()).linear == linear


@pytest.mark.parametrize(("linear", "order"), [(True, (4, 3, 2, 1)), (False, (1, 2, 3, 4))])
def test_the_order_of_the_joined_maps_is_the_checkpoints(linear, order):
    """Each map's projection is constant, so that the fused kernel shows whose turn it is."""
    decoder = SegFormer(1, linear=linear, name="decoder")
    decoder.build(SHAPES)
    for stage, projection in enumerate(decoder.projections, 1):
        if linear:
            projection.kernel.assign(np.zeros(projection.kernel.shape))
            projection.bias.assign([10.0**stage])
        else:
            projection.norm.gamma.assign([0.0])
            projection.norm.beta.assign([10.0**stage])
    maps = [np.ones(shape, np.float32) for shape in SHAPES]
    for position, stage in enumerate(order):
        decoder.fuse.conv.kernel.assign(np.eye(4)[:, position : position + 1])
        np.testing.assert_allclose(decoder(maps), np.full((2, 8, 10, 1), 10.0**stage), rtol=1e-4)
