"""Small arrays end to end: nothing is lost, mixed up or moved to another rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdepth_keras.packing import SMALL, Packed, Packing, norm, packed_as

ARRAYS = {
    "b/kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3),
    "a/bias": np.float32([7, 8]),
    "c/scalar": np.float32(9),
    "d/large": np.ones((SMALL // 2, 2), np.float32),
    "e/count": np.int32([1, 2]),
    "f/empty": np.zeros((0, 4), np.float32),
}


def test_small_ones_lie_in_the_order_of_their_keys_and_a_large_one_stays_as_it_is():
    packed = Packing.of(ARRAYS).pack(ARRAYS)
    assert {name: value.shape for name, value in packed.items()} == {
        "a/bias": (9,),
        "d/large": (SMALL // 2, 2),
        "e/count": (2,),
    }
    np.testing.assert_array_equal(packed["a/bias"], [7, 8, 0, 1, 2, 3, 4, 5, 9])
    assert packed["e/count"].dtype == jnp.int32


@pytest.mark.parametrize("alike", [lambda key: None, lambda key: key, lambda key: key > "c"])
def test_unpacked_they_are_what_they_were(alike):
    packing = Packing.of(ARRAYS, alike)
    found = Packed.of(ARRAYS, packing)
    assert len(found) == len(ARRAYS)
    assert found.keys() == ARRAYS.keys()
    for key, value in ARRAYS.items():
        np.testing.assert_array_equal(found[key], value, strict=True)


def test_as_a_tree_it_is_what_lies_packed():
    """Compiled once for all of one packing, and given out as it was taken."""
    traces = []

    @jax.jit
    def doubled(packed):
        traces.append(dict(packed))
        return jax.tree.map(lambda value: 2 * value, packed)

    own = Packed.of(ARRAYS, Packing.of(ARRAYS))
    again = Packed.of(ARRAYS, Packing.of(ARRAYS))
    assert len(jax.tree.leaves(own)) == 3
    for packed in (own, again):
        found = doubled(packed)
        assert isinstance(found, Packed) and found.packing == own.packing
        for key, value in ARRAYS.items():
            np.testing.assert_array_equal(found[key], 2 * value, strict=True)
    assert len(traces) == 1 and traces[0].keys() == ARRAYS.keys()
    other = Packed.of(ARRAYS, Packing.of(ARRAYS, lambda key: key))
    assert jax.tree.structure(other) != jax.tree.structure(own)
    assert "'d/large'" in jax.tree_util.keystr(jax.tree_util.tree_leaves_with_path(own)[1][0])
    with pytest.raises(KeyError, match="nothing"):
        own["nothing"]


def test_arrays_are_packed_as_others_are():
    own = Packed.of(ARRAYS, Packing.of(ARRAYS))
    found = packed_as(own, ARRAYS)
    assert isinstance(found, Packed) and found.packing is own.packing
    assert packed_as(ARRAYS, ARRAYS) is ARRAYS


def test_only_what_is_alike_lies_together():
    packing = Packing.of(ARRAYS, lambda key: key.endswith("bias"))
    assert packing.groups["a/bias"] == ("a/bias",)
    assert packing.groups["b/kernel"] == ("b/kernel", "c/scalar", "f/empty")


def test_several_dtypes_never_lie_end_to_end():
    packing = Packing.of(ARRAYS)
    other = {**ARRAYS, "b/kernel": np.zeros((2, 3), np.float16)}
    with pytest.raises(ValueError, match=r"of one dtype; received .*'b/kernel': 'float16'"):
        packing.pack(other)


def test_the_norm_is_that_of_all_numbers():
    numbers = np.concatenate([np.ravel(value) for value in ARRAYS.values()])
    assert float(norm(ARRAYS)) == pytest.approx(np.linalg.norm(numbers), rel=1e-6)
    assert norm({"half": jnp.full(3, 300.0, jnp.float16)}).dtype == jnp.float32  # no overflow
    assert np.isnan(norm({"a": jnp.ones(2), "b": jnp.float32([1, jnp.nan])}))


def test_it_compiles_to_few_operations():
    many = {f"{number}": jnp.ones(5) for number in range(100)}
    text = jax.jit(norm).lower(many).as_text()
    assert text.count("stablehlo.reduce(") == 2  # of the one vector, and of all
