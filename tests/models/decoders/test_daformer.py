"""DAFormer's decoder: shapes and parts. Its numbers are held by tests/parity."""

import jax
import jax.numpy as jnp

from rdepth_keras.models.decoders.daformer import DAFormer

WIDTHS = (4, 6, 8, 10)


def test_all_maps_at_the_first_ones_size():
    sizes = ((11, 15), (5, 7), (2, 3), (1, 1))
    maps = tuple(
        jax.ShapeDtypeStruct((2, *size, width), jnp.float32)
        for size, width in zip(sizes, WIDTHS, strict=True)
    )
    decoder = DAFormer(5, dilations=(1, 6), name="decoder")
    decoder.build([x.shape for x in maps])
    assert jax.eval_shape(decoder, maps).shape == (2, 11, 15, 5)
    assert decoder.compute_output_shape([x.shape for x in maps]) == (2, 11, 15, 5)
    kernels = {v.path: v.shape for v in decoder.variables if v.path.endswith("kernel")}
    for stage, width in enumerate(WIDTHS, 1):
        assert kernels[f"decoder/project{stage}/kernel"] == (width, 5)
    assert kernels["decoder/context/dilation6/depthwise/kernel"] == (3, 3, 1, 20)
    assert not any("pool" in path for path in kernels)
    assert DAFormer.from_config(decoder.get_config()).dilations == (1, 6)
