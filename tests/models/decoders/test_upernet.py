"""UPerNet's decoder: shapes at any size, names. Its numbers are held by tests/parity."""

import jax
import jax.numpy as jnp
import pytest

from rdepth_keras.models.decoders.upernet import UPerNet

WIDTHS = (4, 6, 8, 10)


def build(**options):
    decoder = UPerNet(5, name="decoder", **options)
    decoder.build(tuple((None, None, None, width) for width in WIDTHS))
    return decoder


@pytest.mark.parametrize(
    "sizes", [((8, 8), (4, 4), (2, 2), (1, 1)), ((11, 15), (5, 7), (2, 3), (1, 1))]
)
def test_shapes(sizes):
    maps = tuple(
        jax.ShapeDtypeStruct((2, *size, width), jnp.float32)
        for size, width in zip(sizes, WIDTHS, strict=True)
    )
    y = jax.eval_shape(build(), maps)
    assert y.shape == (2, *sizes[0], 5)
    assert build().compute_output_shape([x.shape for x in maps]) == y.shape


def test_bins_name_the_pyramid():
    paths = {variable.path for variable in build(bins=(1, 4)).variables}
    assert {"decoder/pyramid1/conv/kernel", "decoder/pyramid4/conv/kernel"} <= paths
    assert not any("pyramid6" in path for path in paths)
