"""JPEG files in: damage is an error, where other decoders fill up what they miss and only warn."""

import numpy as np
import simplejpeg

START = b"\xff\xd8"


def decode(data: bytes) -> np.ndarray:
    """(H, W, 3) uint8 RGB, or (H, W) of a grey one.

    Raises ValueError for what is no JPEG and for a damaged or truncated one.
    """
    if not data.startswith(START):
        raise ValueError("no JPEG file")
    try:
        grey = simplejpeg.decode_jpeg_header(data)[2] == "Gray"
        pixels = simplejpeg.decode_jpeg(data, "GRAY" if grey else "RGB", strict=True)
    except ValueError as error:
        raise ValueError(f"damaged or truncated JPEG ({error})") from error
    return pixels[..., 0] if grey else pixels
