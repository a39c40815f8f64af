"""Many small arrays as a few long vectors.

A network has hundreds of variables of some hundred numbers each: norms, biases, the kernels of
narrow stages. Whatever is done to each of them alone is a kernel of its own, to compile and to
launch; what is done to numbers one by one may as well be done to all of them laid end to end.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

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
    """

    groups: Mapping[str, tuple[str, ...]]

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
        return cls({keys[0]: tuple(keys) for keys in members.values()})

    def pack(self, arrays: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Key -> array of any shape: name of the group -> vector, or the one array as it is.

        Raises ValueError where the members of a group are of several dtypes.
        """
        return {
            name: _end_to_end({key: arrays[key] for key in keys}) if len(keys) > 1 else arrays[name]
            for name, keys in self.groups.items()
        }

    def unpack(
        self, packed: Mapping[str, jax.Array], like: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """The arrays that were packed, in the shapes of ``like``."""
        arrays = {}
        for name, keys in self.groups.items():
            if len(keys) == 1:
                arrays[name] = packed[name]
                continue
            start = 0
            for key in keys:
                end = start + np.size(like[key])
                arrays[key] = packed[name][start:end].reshape(np.shape(like[key]))
                start = end
        return arrays


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
