"""Validations of tiles that cannot be scored."""

from types import SimpleNamespace

import numpy as np
import pytest

from rdepth_keras.experiment import Choice
from rdepth_keras.labels import IGNORE
from rdepth_keras.recipes import recipe
from rdepth_keras.run.validation import validation_tiles


class Tiles(list):
    labelled = True


def test_masks_without_a_labelled_pixel_are_told_before_the_run():
    choice = Choice("best", validation_steps=5)
    experiment = recipe("demo").changed(training={"choice": choice})
    tiles = Tiles({"id": n, "label": np.full((8, 8), IGNORE, np.uint8)} for n in range(2))
    data = SimpleNamespace(tiles=lambda split, domain: tiles)
    with pytest.raises(
        ValueError, match="nothing to validate on: no pixel of val/rural has a label"
    ):
        validation_tiles(experiment, data)
    tiles[1]["label"][3, 3] = 0
    assert list(validation_tiles(experiment, data)) == tiles
