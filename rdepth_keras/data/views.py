"""Arrays that are seen flipped or turned, copied fast.

``np.flip`` and ``np.rot90`` cost nothing: they look at the same memory in another order. NumPy
copies what they give pixel by pixel; OpenCV's copies of the same are many times as fast.
"""

import cv2
import numpy as np

from rdepth_keras.data.memory import empty

_FLIPS = {(True, False): 0, (False, True): 1, (True, True): -1}  # rows, columns -> OpenCV's code


def copy_into(target: np.ndarray, view: np.ndarray) -> None:
    """``np.copyto`` for arrays whose first two axes may be flipped or exchanged.

    ``target`` is contiguous and not part of ``view``. Raises ValueError where their shapes or
    dtypes differ: nothing is broadcast or cast.
    """
    if view.shape != target.shape or view.dtype != target.dtype:
        raise ValueError(
            f"{target.dtype} {target.shape} is expected; received {view.dtype} {view.shape}."
        )
    if view.ndim < 2:
        np.copyto(target, view)
        return
    rows, columns = view.strides[:2]
    plain = view[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1]
    if abs(rows) < abs(columns):
        cv2.transpose(plain.swapaxes(0, 1), dst=target)
        plain = target
    code = _FLIPS.get((rows < 0, columns < 0))
    if code is not None:
        cv2.flip(plain, code, dst=target)
    elif plain is not target:
        np.copyto(target, plain)


def contiguous(view: np.ndarray) -> np.ndarray:
    """The array itself where its pixels lie one after the other, else a copy of it."""
    if view.flags.c_contiguous:
        return view
    array = empty(view.shape, view.dtype)
    copy_into(array, view)
    return array
