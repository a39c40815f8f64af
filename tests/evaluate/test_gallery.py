"""Pictures of a tile, and which tiles are shown."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.evaluate.gallery import LAYERS, WRONG, exhibit, spread
from rdepth_keras.labels import LOVEDA

MADE = runpy.run_path(str(Path(__file__).with_name("made_tiles.py")))
make_tiles, predict = MADE["make_tiles"], MADE["predict"]


def test_an_exhibit_shows_what_was_wrong(monkeypatch):
    seen = {}
    monkeypatch.setattr("rdepth_keras.evaluate.gallery._png", lambda picture: str(len(seen)))
    monkeypatch.setattr(
        "rdepth_keras.evaluate.gallery.cv2.resize",
        lambda picture, size, interpolation: seen.setdefault(len(seen), picture),
    )
    tile = list(make_tiles())[2]
    exhibit(tile, predict(tile), 0.5, LOVEDA)
    error, said = list(seen.values())[-1], predict(tile).argmax(-1)
    wrong = (said != tile["label"]) & (tile["label"] != 255)
    assert wrong.any()
    np.testing.assert_array_equal((error == WRONG).all(-1), wrong)
    assert (error[:3] == 0).all()


def test_large_tiles_shrink():
    tile = next(make_tiles(1, side=64))
    small = exhibit(tile, predict(tile), 0.5, LOVEDA, largest_pixels=16)
    assert (small.width, small.height) == (16, 16) and list(small.layers) == list(LAYERS)


def test_the_gallery_spans_the_ranking():
    scores = [0.5, np.nan, 0.1, 0.9, 0.3, 0.7]
    assert spread(scores, 3) == [2, 0, 3]
    assert spread(scores, 99) == [2, 4, 0, 5, 3]
    assert spread([np.nan], 3) == [] and spread(scores, 0) == []


def test_a_prediction_that_is_not_finite_is_never_shown():
    tile = next(make_tiles())
    with pytest.raises(FloatingPointError, match="tile 30 is not finite"):
        exhibit(tile, np.full((24, 24, 7), np.nan), 0.5, LOVEDA)
