"""Which statistics batch norms use, apart from whether dropout is on.

Keras knows one switch, ``training``, for both. A teacher may want dropout off and the statistics of
the batch (DAFormer), or the reverse.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

Statistics = Literal["batch", "running"]

_chosen: ContextVar[Statistics | None] = ContextVar("batch_statistics", default=None)


@contextmanager
def batch_statistics(chosen: Statistics | None) -> Iterator[None]:
    """Inside, batch norms take these statistics; with None, ``training`` decides, as elsewhere.

    Raises ValueError for other words.
    """
    if chosen not in (None, *get_args(Statistics)):
        known = " or ".join(map(repr, get_args(Statistics)))
        raise ValueError(f"statistics must be {known}, or None; received {chosen!r}.")
    token = _chosen.set(chosen)
    try:
        yield
    finally:
        _chosen.reset(token)


def from_the_batch(training: bool | None) -> bool:
    """Whether a batch norm called with ``training`` takes the statistics of its batch."""
    chosen = _chosen.get()
    return bool(training) if chosen is None else chosen == "batch"
