"""Convolutions beside the plain one: PyTorch's padding, separable blocks."""

import numpy as np
import pytest

from rdepth_keras.models.layers.convolutions import PaddedConv, SeparableBlock, halve


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (1, 2), (4, 1)])
def test_padding_is_the_same_on_every_side(stride, dilation):
    """A kernel that picks its centre picks every stride-th pixel from the first on."""
    conv = PaddedConv(1, 3, stride, dilation_rate=dilation)
    x = np.arange(63, dtype=np.float32).reshape(1, 7, 9, 1)
    conv.build(x.shape)
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, 1] = 1
    conv.kernel.assign(kernel)
    np.testing.assert_array_equal(conv(x), x[:, ::stride, ::stride])
    assert conv.compute_output_shape(x.shape) == x[:, ::stride, ::stride].shape
    kernel[1, 1], kernel[0, 1] = 0, 1
    conv.kernel.assign(kernel)
    padded = np.pad(x, ((0, 0), (dilation, 0), (0, 0), (0, 0)))
    above = padded[:, :-dilation][:, ::stride, ::stride]
    np.testing.assert_array_equal(conv(x), above)


def test_halves_are_rounded_up():
    assert [halve(7), halve(8), halve(9, 4), halve(None)] == [4, 4, 3, None]


def test_a_separable_block_is_two_blocks():
    block = SeparableBlock(5, dilation=2, name="block")
    block.build((None, None, None, 3))
    shapes = {v.path: v.shape for v in block.variables if v.path.endswith("kernel")}
    assert shapes == {
        "block/depthwise/kernel": (3, 3, 1, 3),
        "block/pointwise/conv/kernel": (3, 5),
    }
    x = np.random.default_rng(0).normal(size=(1, 4, 5, 3)).astype(np.float32)
    y = block(x)
    assert y.shape == block.compute_output_shape(x.shape) == (1, 4, 5, 5)
    assert np.asarray(y).min() == 0, "it ends in a ReLU"
    again = SeparableBlock.from_config(block.get_config())
    assert (again.channels, again.dilation) == (5, 2)
