import numpy as np
import pytest

from rdepth_keras.evaluate.evaluator import evaluate_tiles
from rdepth_keras.labels import LOVEDA


def tiles():
    for number in range(3):
        label = np.full((4, 4), number, np.uint8)
        label[0] = 255
        yield {"id": 10 + number, "image": None, "depth": None, "label": label}


def test_counts_by_tile_and_scores():
    evaluation = evaluate_tiles(lambda tile: np.zeros((4, 4), np.uint8), tiles(), 7)
    assert evaluation.ids == (10, 11, 12)
    assert evaluation.confusions.shape == (3, 7, 7)
    assert evaluation.confusion[:3, 0].tolist() == [12, 12, 12]
    scores = evaluation.scores(LOVEDA)
    assert scores["iou"]["background"] == pytest.approx(1 / 3)
    assert scores["iou"]["building"] == 0 and scores["iou"]["forest"] is None
    assert scores["miou"] == pytest.approx(1 / 9)
    assert list(scores["iou"]) == list(LOVEDA.names)


def test_the_commonest_class():
    right = evaluate_tiles(lambda tile: tile["label"] % 255, tiles(), 7)
    assert right.scores(LOVEDA)["miou"] == 1
    assert right.commonest_class_miou() == pytest.approx(1 / 9)
