"""Large arrays whose memory is used again.

The C library hands large blocks back to the kernel when they are freed, and each page of the next
one costs a fault: a third of the time that a batch takes.
"""

import math
import weakref
from collections import defaultdict

import numpy as np
from numpy.typing import DTypeLike

KEPT = 16  # blocks of a size that wait to be used again, at most
_free: dict[int, list[bytearray]] = defaultdict(list)


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """``np.empty``, in the memory of an earlier array of that size which nobody holds any more.

    An array is held as long as a view of it is.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    waiting = _free[size]
    try:
        block = waiting.pop()
    except IndexError:  # not asked before: another thread may take the last one
        block = bytearray(size)
    whole = np.frombuffer(block, dtype)
    weakref.finalize(whole, _give_back, block).atexit = False
    return whole.reshape(shape)


def _give_back(block: bytearray) -> None:
    if len(_free[len(block)]) < KEPT:
        _free[len(block)].append(block)
