"""A tile seen turned and mirrored: the mean over the symmetries of the square."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

Views = Literal["one", "flips", "symmetries"]

# A view is (quarter turns, mirrored).
VIEWS: dict[str, tuple[tuple[int, bool], ...]] = {
    "one": ((0, False),),
    "flips": ((0, False), (0, True), (2, True), (2, False)),
    "symmetries": tuple((turns, mirror) for mirror in (False, True) for turns in range(4)),
}


class Look(NamedTuple):
    """How a tile is looked at: a quarter turn or none, then its rows and its columns flipped."""

    turned: int = 0
    rows: jax.Array | bool = False
    columns: jax.Array | bool = False

    def flip(self, array: jax.Array) -> jax.Array:
        """The array with its rows and columns in this order; twice is once back."""
        array = jnp.where(self.rows, array[::-1], array)
        return jnp.where(self.columns, array[:, ::-1], array)


def mean_over_views(see: Callable[[Look], jax.Array], views: Views) -> jax.Array:
    """The mean of ``see(look)``, each as it is looked at, turned back upright: (H, W, K)."""
    total = jnp.zeros(jax.eval_shape(lambda: see(Look())).shape, jnp.float32)
    # Upright and turned views of a tile that is not square have different shapes: two loops, with
    # one accumulator that turns along. The tile itself is never turned: its windows are.
    for turned in (0, 1):
        alike = [(turns - turned, mirror) for turns, mirror in VIEWS[views] if turns % 2 == turned]
        if alike:
            total = jnp.rot90(total, turned)
            total = _add_views(total, see, turned, alike)
            total = jnp.rot90(total, -turned)
    return total / len(VIEWS[views])


def _add_views(total: jax.Array, see: Callable[[Look], jax.Array], turned: int, views):
    """``total`` and the views that keep the shape: half turns and mirrors, one after the other."""
    half_turns = jnp.array([turns // 2 for turns, _ in views])
    mirrors = jnp.array([mirror for _, mirror in views])

    def one_view(total, view):
        half_turn, mirror = view
        look = Look(turned, half_turn, jnp.logical_xor(half_turn, mirror))
        return total + look.flip(see(look)), None

    return jax.lax.scan(one_view, total, (half_turns, mirrors))[0]
