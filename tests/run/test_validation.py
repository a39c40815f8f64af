"""Validations of tiles that cannot be scored."""

import io
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Tile
from rdepth_keras.labels import IGNORE
from rdepth_keras.recipes import recipe
from rdepth_keras.run.validation import Validation
from rdepth_keras.train.journal import Journal


class Unmarked(list):
    """Tiles with masks, every pixel of which is ignored."""

    labelled = True


def test_masks_without_a_labelled_pixel_are_told(tmp_path):
    tile = Tile(
        id=1,
        image=np.zeros((8, 8, 3), np.uint8),
        depth=np.zeros((8, 8, 1), np.float32),
        label=np.full((8, 8), IGNORE, np.uint8),
    )
    state = SimpleNamespace(
        best_params={SEGMENTER: {}}, buffers={SEGMENTER: {}}, step=jnp.ones((), jnp.int32)
    )
    look = Validation(
        recipe("demo"),
        Unmarked([tile]),
        None,
        Journal(tmp_path / "journal.jsonl"),
        None,
        Console(file=io.StringIO()),
        lambda params, buffers, tile: np.zeros((8, 8, 7), np.float32),
    )
    with pytest.raises(
        ValueError, match="nothing to validate on: no pixel of val/rural has a label"
    ):
        look(state)
