"""Many small arrays as a few long vectors.

A network has hundreds of variables of some hundred numbers each: norms, biases, the kernels of
narrow stages. Whatever is done to each of them alone is a kernel of its own, to compile and to
launch; what is done to numbers one by one may as well be done to all of them laid end to end.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SMALL = 2**16  # numbers; copying a larger array costs more than a kernel of its own


@dataclass(frozen=True)
class Packing:
    """Which arrays of a dictionary lie end to end.

    Attributes:
        groups: name of a packed array -> keys of its members, in order. A group is named by its
            first member; an array that is alone in its group keeps its shape.
        shapes: key -> shape of every array.
    """

    groups: Mapping[str, tuple[str, ...]]
    shapes: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(
        cls, arrays: Mapping[str, jax.Array], alike: Callable[[str], Hashable] = lambda key: None
    ) -> "Packing":
        """The small arrays (below 2^16 numbers) of one dtype and equal ``alike(key)`` together."""
        members: dict[Hashable, list[str]] = {}
        for key in sorted(arrays):
            array = arrays[key]
            together = (alike(key), np.dtype(array.dtype)) if np.size(array) < SMALL else key
            members.setdefault(together, []).append(key)
        groups = {keys[0]: tuple(keys) for keys in members.values()}
        return cls(groups, {key: tuple(np.shape(arrays[key])) for key in sorted(arrays)})

    def __hash__(self):
        return self._hash

    def pack(self, arrays: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Key -> array of any shape: name of the group -> vector, or the one array as it is.

        Raises ValueError where the members of a group are of several dtypes.
        """
        return {
            name: _end_to_end({key: arrays[key] for key in keys}) if len(keys) > 1 else arrays[name]
            for name, keys in self.groups.items()
        }

    def cut(self, packed: Mapping[str, jax.Array], key: str) -> jax.Array:
        """One of the arrays that were packed, in its shape; KeyError for one that was not."""
        group, start, end = self._places[key]
        if len(self.groups[group]) == 1:
            return packed[group]
        return packed[group][start:end].reshape(self.shapes[key])

    @cached_property
    def _hash(self) -> int:
        return hash((tuple(self.groups.items()), tuple(self.shapes.items())))

    @cached_property
    def _places(self) -> dict[str, tuple[str, int, int]]:
        """Key -> its group, and from where to where it lies there."""
        places = {}
        for group, keys in self.groups.items():
            ends = np.cumsum([math.prod(self.shapes[key]) for key in keys]).tolist()
            for key, start, end in zip(keys, [0, *ends], ends, strict=False):
                places[key] = group, start, end
        return places


@jax.tree_util.register_pytree_with_keys_class
class Packed(Mapping[str, jax.Array]):
    """A dictionary of arrays that is kept packed: as a tree it is its few packed ones.

    A compiled function takes and gives those; whatever reads an array by its key cuts it out.
    """

    def __init__(self, packing: Packing, arrays: Mapping[str, jax.Array]):
        """``arrays`` are packed already; see :meth:`of` for others."""
        self.packing = packing
        self.arrays = dict(arrays)

    @classmethod
    def of(cls, arrays: Mapping[str, jax.Array], packing: Packing) -> "Packed":
        """The same, packed; raises ValueError as :meth:`Packing.pack`."""
        return cls(packing, packing.pack(arrays))

    def with_arrays(self, arrays: Any) -> "Packed":
        """Other values, packed in the same way already."""
        return Packed(self.packing, arrays)

    def __getitem__(self, key: str) -> jax.Array:
        return self.packing.cut(self.arrays, key)

    def __contains__(self, key: object) -> bool:
        return key in self.packing.shapes

    def __iter__(self) -> Iterator[str]:
        return iter(self.packing.shapes)

    def __len__(self) -> int:
        return len(self.packing.shapes)

    def tree_flatten_with_keys(self):
        pairs = [(jax.tree_util.DictKey(name), self.arrays[name]) for name in self.packing.groups]
        return pairs, self.packing

    @classmethod
    def tree_unflatten(cls, packing: Packing, arrays) -> "Packed":
        return cls(packing, dict(zip(packing.groups, arrays, strict=True)))


def packed_as(like: Mapping[str, jax.Array], arrays: Mapping[str, jax.Array]):
    """The arrays packed, where ``like``, of the same keys and shapes, is; else as they are."""
    return Packed.of(arrays, like.packing) if isinstance(like, Packed) else arrays


def _end_to_end(members: Mapping[str, jax.Array]) -> jax.Array:
    dtypes = {key: str(array.dtype) for key, array in members.items()}
    if len(set(dtypes.values())) > 1:
        raise ValueError(
            f"Arrays that lie end to end must be of one dtype; received {dtypes}. Pack them as "
            "Packing.of groups those very arrays."
        )
    return jnp.concatenate([jnp.ravel(array) for array in members.values()])


def norm(arrays: Mapping[str, jax.Array]) -> jax.Array:
    """The L2 norm of all the arrays together: a float32 scalar."""
    parts = Packing.of(arrays).pack(arrays).values()
    if not parts:
        return jnp.zeros(())
    # Row by row, and then the rows of all at once: a GPU takes two kernels for every whole sum,
    # and its compiler would take the joined sum apart again but for the barrier.
    rows = [jnp.square(jnp.atleast_1d(part).astype(jnp.float32)).sum(-1).ravel() for part in parts]
    return jnp.sqrt(jax.lax.optimization_barrier(jnp.concatenate(rows)).sum())
