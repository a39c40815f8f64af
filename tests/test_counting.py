"""Counts of parameters and multiply-adds, and the documents' table of them."""

import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import keras
import pytest

from rdepth_keras import models
from rdepth_keras.counting import count, multiply_adds

TABLE = (Path(__file__).resolve().parents[1] / "docs" / "networks.md").read_text(encoding="utf-8")
SHORT = ("segformer_b0", "deeplabv2")  # of each family of encoders one
LONG = ("twin", "rdepth_b_b", "rdepth_xl_b", "dgcd")  # the first is rdepth_b_s by another name


def test_counts_of_a_small_network_by_hand():
    """A ConvNeXt of one block a stage and 4 channels, on 32 x 32 pixels."""
    tiny = {
        "image_encoder": {"depths": (1, 1, 1, 1), "widths": (4, 4, 4, 4)},
        "depth_encoder": None,
    }
    without = count("twin", 32, **tiny, channels=4, auxiliary_channels=None)
    found = count("twin", 32, **tiny, channels=4, auxiliary_channels=4)
    # The auxiliary head on the 2 x 2 map of stage 3: a 3 x 3 convolution, a norm, a classifier.
    assert found.parameters - without.parameters == 3 * 3 * 4 * 4 + 2 * 4 + 4 * 7 + 7
    assert found.multiply_adds - without.multiply_adds == 2 * 2 * (3 * 3 * 4 * 4 + 4 * 7)
    model = models.build("twin", **tiny, channels=4, auxiliary_channels=4)
    sizes = [variable.value.size for variable in model.trainable_variables]
    assert found.parameters == sum(sizes)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_gradient_counts_as_two_forward_passes(stride):
    """Of a convolution: that of its input and that of its kernel."""
    x, kernel = jnp.zeros((2, 8, 8, 3)), jnp.zeros((2, 2, 3, 5))

    def convolve(x, kernel):
        layout = ("NHWC", "HWIO", "NHWC")
        out = jax.lax.conv_general_dilated(
            x, kernel, 2 * (stride,), [(0, 1)] * 2, None, None, layout
        )
        return out.sum()

    forward = multiply_adds(convolve, x, kernel)
    assert forward == 2 * (8 // stride) ** 2 * 5 * 2 * 2 * 3
    both = multiply_adds(jax.grad(convolve, (0, 1)), x, kernel)
    assert both == pytest.approx(3 * forward, rel=0.3)  # zeros of the padding


def test_a_loop_counts_every_turn():
    a, b = jnp.zeros((7, 3, 4)), jnp.zeros((4, 5))
    assert multiply_adds(lambda a, b: jax.lax.map(lambda x: x @ b, a), a, b) == 7 * 3 * 4 * 5


def test_a_loop_of_unknown_turns_is_not_counted():
    def turns(a, b):
        return jax.lax.while_loop(lambda a: a.sum() < 9, lambda a: a @ b, a)

    with pytest.raises(ValueError, match="number of rounds is known only when it runs"):
        multiply_adds(turns, jnp.zeros((3, 4)), jnp.zeros((4, 4)))
    assert multiply_adds(lambda a: jax.lax.while_loop(lambda a: a < 9, lambda a: a + 1, a), 0) == 0


def find_row(name):
    return re.search(rf"^\| `{name}`.*\| ([\d.]+) \| ([\d.]+) \|$", TABLE, re.M).groups()


@pytest.mark.parametrize("name", [name for name in models.MODELS if name not in LONG])
def test_the_table_holds_them(name, proofs):
    if proofs < 2 and name not in SHORT:
        pytest.skip("counted with RDEPTH_PROOFS=2")
    found = count(name)
    assert find_row(name) == (
        f"{found.parameters / 1e6:.2f}",
        f"{found.multiply_adds / 1e9:.1f}",
    )


@pytest.mark.parametrize("name", LONG[1:])
def test_the_table_holds_the_parameters_of_large_networks(name):
    with keras.StatelessScope(initialize_variables=False):  # shapes, and no memory
        variables = models.build(name).trainable_variables
    assert find_row(name)[0] == f"{sum(math.prod(v.shape) for v in variables) / 1e6:.2f}"


def test_every_network_is_in_the_table():
    assert all(f"`{name}`" in TABLE for name in models.MODELS)
