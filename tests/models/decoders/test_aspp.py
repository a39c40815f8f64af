"""Atrous spatial pyramid pooling: shapes and parts. Its numbers are held by tests/parity."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.models.decoders.aspp import ASPP, Context, SummedASPP

SIZES = ((11, 15), (5, 7), (2, 3), (2, 3))
MAPS = tuple(jax.ShapeDtypeStruct((2, *size, 6), jnp.float32) for size in SIZES)


@pytest.mark.parametrize(("skip_channels", "size"), [(None, SIZES[3]), (3, SIZES[0])])
def test_a_skip_brings_it_to_the_first_maps_size(skip_channels, size):
    decoder = ASPP(5, separable=True, skip_channels=skip_channels, name="decoder")
    decoder.build([x.shape for x in MAPS])
    assert jax.eval_shape(decoder, MAPS).shape == (2, *size, 5)
    assert decoder.compute_output_shape([x.shape for x in MAPS]) == (2, *size, 5)
    again = ASPP.from_config(decoder.get_config())
    again.build([x.shape for x in MAPS])
    assert [v.path for v in again.variables] == [v.path for v in decoder.variables]


def test_a_context_of_one_pixel_a_branch():
    """Dilation 1 is a 1x1 block; the others are 3x3, and the pooled map comes first."""
    context = Context(5, (1, 6), name="context")
    context.build((None, None, None, 4))
    shapes = {v.path: v.shape for v in context.variables if v.path.endswith("kernel")}
    assert shapes == {
        "context/dilation1/conv/kernel": (4, 5),
        "context/dilation6/conv/kernel": (3, 3, 4, 5),
        "context/pool/conv/kernel": (4, 5),
        "context/bottleneck/conv/kernel": (3, 3, 15, 5),
    }


def test_a_summed_head_is_the_sum_of_its_biases_on_nothing():
    head = SummedASPP(3, dtype="mixed_bfloat16")
    head.build((None, None, None, 2))
    for number, conv in enumerate(head.convs):
        conv.bias.assign(np.full(3, 10**number))
    y = head(np.zeros((1, 4, 5, 2), np.float32))
    assert y.dtype == jnp.float32
    np.testing.assert_array_equal(y, np.full((1, 4, 5, 3), 1111))
