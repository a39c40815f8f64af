"""Pictures that can hardly be pictures, or that are none in parts, by their pixels alone."""

import numpy as np

from rdepth_keras.arrays import Image
from rdepth_keras.depth.normalise import holds_few_values

MOST_BLANK = 0.05  # of a picture: more than shadows and glare are, exactly 0 or 255 in all channels
_CUT_SHARE = 0.5  # of a picture's values, at the ends of their range
_DARK, _DARK_SHARE = 40, 0.99  # so many values below it: a range that was not stretched


def is_of_few_colours(image: Image) -> bool:
    """Whether it is of one colour all over, or of few: at most 16 values, as a mask holds."""
    return holds_few_values(image.reshape(len(image), -1))


def is_cut(image: Image) -> bool:
    """Whether more than half of its values are 0 or 255, as where a range was cut off."""
    return bool(np.isin(image, (0, 255)).mean() > _CUT_SHARE)


def is_dark(image: Image) -> bool:
    """Whether it uses the lowest sixth of the range alone, as 16-bit values that are merely cut."""
    return float(np.quantile(image, _DARK_SHARE)) < _DARK


def lacks_a_band(image: Image) -> bool:
    """Whether a channel holds one value all over, though others do not."""
    return 0 < (np.ptp(image, axis=(0, 1)) == 0).sum() < image.shape[-1]


def share_of(image: Image, value: int) -> float:
    """How much of it holds a value in all channels."""
    return float((image == value).all(-1).mean())
