"""Less memory, the same numbers: an encoder that takes its batch in parts.

Gradients accumulate over the parts; each is computed a second time in the backward pass, so that
one part's activations are in memory at once. An encoder whose examples do not see each other (all
but those with batch norm) gives the numbers of the whole batch: what is random is drawn before,
for all parts.
"""

import keras
from keras import ops

from rdepth_keras.models.layers.basic import refusal


def check_backend(remat: bool, accumulate: int) -> None:
    """Raise ValueError for settings that cannot be, or where another backend cannot do them."""
    if accumulate < 1:
        raise ValueError(f"accumulate must be at least 1 part; received {accumulate}.")
    backend = keras.backend.backend()
    if backend != "jax" and (remat or accumulate > 1):
        raise ValueError(
            f"remat and accumulate need the JAX backend; this is {backend}. "
            "Build with remat=False and accumulate=1."
        )


def in_parts(function, parts: int, *arrays):
    """``function`` of ``parts`` equal parts of a batch, one after the other.

    ``arrays`` are trees of arrays whose first axis is the batch, or of None; the result is a tree
    of such arrays. Raises ValueError where the batch does not split evenly.
    """
    if parts == 1:
        return function(*arrays)
    split = keras.tree.map_structure(lambda array: _split(array, parts), arrays)
    outputs = ops.map(keras.remat(lambda part: function(*part)), split)
    return keras.tree.map_structure(_join, outputs)


def _split(array, parts):
    """(B, ...) -> (parts, B / parts, ...), strided, so that a sharded batch stays sharded."""
    if array is None:
        return None
    if array.shape[0] % parts:
        raise refusal(
            f"A batch of {array.shape[0]} does not split into {parts} equal parts. Choose a batch "
            f"size that is a multiple of accumulate={parts}."
        )
    return ops.swapaxes(ops.reshape(array, (-1, parts, *array.shape[1:])), 0, 1)


def _join(array):
    """The inverse of :func:`_split`."""
    return ops.reshape(ops.swapaxes(array, 0, 1), (-1, *array.shape[2:]))
