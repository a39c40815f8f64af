"""Settings of the crop, by the names of their flags."""

import pytest

from rdepth_keras.experiment import Augmentation


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"crop_redraws": -1}, "--augmentation.crop-redraws must be from 0"),
        (
            {"crop_wanted_pixels": 5, "crop_redraws": 0},
            "--augmentation.crop-redraws must be at least 1 for crop_wanted_pixels; received 0",
        ),
        ({"crop_wanted_pixels": -1}, "--augmentation.crop-wanted-pixels must be at least 0"),
        ({"crop_largest_share": 0.0}, "--augmentation.crop-largest-share must be above 0"),
        ({"crop_largest_share": float("nan")}, "--augmentation.crop-largest-share"),
        ({"crop_fill": (300, 0, 0)}, "--augmentation.crop-fill must be red, green and blue"),
        ({"crop_fill": (-1, 0, 0)}, "--augmentation.crop-fill"),
        ({"crop_fill": (5,)}, "--augmentation.crop-fill must be red, green and blue"),
    ],
)
def test_settings_that_cannot_be(settings, said):
    with pytest.raises(ValueError, match=said):
        Augmentation(**settings)
