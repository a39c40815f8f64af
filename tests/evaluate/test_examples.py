"""The picture of a few predicted tiles."""

import numpy as np
import pytest

from rdepth_keras.evaluate.examples import GAP, GIVEN, LINE, SIDE, TITLE, _broken, draw_examples
from rdepth_keras.labels import LOVEDA, ClassTable


def tile(height, width, label):
    rng = np.random.default_rng(0)
    return {
        "id": 1,
        "image": rng.integers(0, 256, (height, width, 3), np.uint8),
        "depth": rng.random((height, width, 1), np.float32),
        "label": np.full((height, width), label, np.uint8),
    }


@pytest.mark.parametrize("size", [(64, 64), (32, 96), (300, 150)])
def test_truth_and_prediction_stand_beside_each_other(size):
    tiles = [tile(*size, 3), tile(*size, 255)]
    picture = draw_examples(
        tiles, {"prediction": [np.full(size, 5, np.uint8)] * 2}, LOVEDA, "a title"
    )
    assert picture.dtype == np.uint8 and picture.shape[1] == (len(GIVEN) + 1) * (SIDE + GAP) + GAP
    shown = round(size[0] * SIDE / max(size))
    first, second = 2 * TITLE + 2, 2 * TITLE + shown + GAP + 2
    truth, prediction = (GAP + column * (SIDE + GAP) + 2 for column in (2, 3))
    assert tuple(picture[first, truth]) == LOVEDA.colors[3]
    assert tuple(picture[second, truth]) == (0, 0, 0)
    assert tuple(picture[first, prediction]) == tuple(picture[second, prediction])
    assert tuple(picture[first, prediction]) == LOVEDA.colors[5]


def test_the_legend_holds_every_colour_and_takes_as_many_lines_as_it_needs():
    colors = tuple((number, 200, 100) for number in range(40))
    table = ClassTable(tuple(f"class number {n}" for n in range(40)), tuple(range(40)), colors)
    picture = draw_examples([tile(64, 64, 0)], {"p": [np.zeros((64, 64), np.uint8)]}, table)
    found = {tuple(color) for color in picture[2 * TITLE + SIDE + GAP :].reshape(-1, 3)}
    assert set(colors) <= found


@pytest.mark.parametrize("label", [0, 255])
def test_the_legend_names_pixels_without_a_label_where_there_are_any(label):
    """In a colour that no class has."""
    colors = ((0, 0, 0), (255, 255, 255), (120, 120, 120))
    table = ClassTable(("a", "b", "c"), (0, 1, 2), colors)
    picture = draw_examples([tile(64, 64, label)], {"p": [np.zeros((64, 64), np.uint8)]}, table)
    legend = {tuple(color) for color in picture[2 * TITLE + SIDE + GAP :].reshape(-1, 3)}
    assert (table.blank in legend) == (label == 255)


def test_depth_that_was_not_read_has_no_column():
    size = (32, 96)
    known, unknown = tile(*size, 3), {**tile(*size, 4), "depth": np.zeros((*size, 1), np.float32)}
    labels = [np.full(size, 5, np.uint8)]
    for tiles, columns in (([known], 4), ([unknown], 3), ([known, unknown], 4)):
        picture = draw_examples(tiles, {"p": labels * len(tiles)}, LOVEDA)
        assert picture.shape[1] == columns * (SIDE + GAP) + GAP
        shown = [tuple(picture[2 * TITLE + 2, GAP + n * (SIDE + GAP) + 2]) for n in range(columns)]
        assert shown[-2:] == [LOVEDA.colors[tiles[0]["label"][0, 0]], LOVEDA.colors[5]]


def test_long_headings_stay_within_their_columns():
    names = ("st_dasegnet_deeplabv3", "source_only_deeplabv2, oracle", "dca")
    labels = {name: [np.zeros((64, 64), np.uint8)] for name in names}
    picture = draw_examples([tile(64, 64, 0)], labels, LOVEDA, side=160)
    assert _broken(names[0], 160) == "st_dasegnet_\ndeeplabv3" and _broken("dca", 9) == "dca"
    headings = picture[TITLE : 2 * TITLE + LINE]
    for column in range(1, len(GIVEN) + 3):
        left = column * (160 + GAP)
        assert (headings[:, left : left + GAP] == 255).all(), "ink between two columns"


def test_several_predictions_stand_in_columns_of_their_own():
    labels = {f"run {number}": [np.full((64, 64), number, np.uint8)] for number in range(3)}
    picture = draw_examples([tile(64, 64, 6)], labels, LOVEDA, side=40)
    assert picture.shape[1] == (len(GIVEN) + 3) * (40 + GAP) + GAP
    row = picture[2 * TITLE + 2 * LINE]
    shown = [tuple(row[GAP + column * (40 + GAP) + 20]) for column in range(2, 6)]
    assert shown == [LOVEDA.colors[6], *LOVEDA.colors[:3]]
