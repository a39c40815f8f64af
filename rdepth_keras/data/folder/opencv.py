"""Pictures of the kinds that OpenCV decodes, without its warnings.

It warns of each tag that it does not know, such as a GeoTIFF's, and of files that are refused here.
Imported, this silences them for the whole process.
"""

from typing import Any

import cv2
import numpy as np

from rdepth_keras.data.folder.headers import TIFF

# For good: many threads decode at once, and none may turn them on again for another.
_log: Any = cv2.utils.logging
_log.setLogLevel(_log.LOG_LEVEL_SILENT)


def decode_tiff(data: bytes) -> np.ndarray:
    """(H, W) or, RGB first, (H, W, bands), of any dtype: the first picture in it.

    Raises ValueError for what is no TIFF or cannot be read, cv2.error for one that is too large.
    """
    if not data.startswith(TIFF):
        raise ValueError("no TIFF file")
    pixels = decode(data)
    if pixels is None:
        raise ValueError("damaged TIFF, or of a kind that OpenCV does not read")
    return pixels


def decode(data: bytes) -> np.ndarray | None:
    """The same of any kind that OpenCV reads; None where it cannot."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is not None and pixels.ndim == 3 and pixels.shape[-1] == 3:
        return np.ascontiguousarray(pixels[..., ::-1])
    return pixels
