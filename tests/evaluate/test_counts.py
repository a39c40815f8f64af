import numpy as np
import pytest

from rdepth_keras.evaluate.counts import (
    evaluate_probabilities,
    evaluate_tiles,
    load_evaluation,
)
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


def softened(tile):
    """Right but for the last row, at a confidence of 0.7."""
    label = tile["label"] % 255
    label[-1] = 6
    probabilities = np.full((4, 4, 7), 0.05)
    np.put_along_axis(probabilities, label[..., None].astype(int), 0.7, -1)
    return probabilities


def test_everything_at_once_and_back_from_a_file(tmp_path):
    evaluation = evaluate_probabilities(softened, tiles(), 7)
    scores = evaluation.all_scores(LOVEDA)
    assert scores["miou"] == evaluation.scores(LOVEDA)["miou"] == pytest.approx(0.5)
    assert scores["iou"]["road"] == pytest.approx(2 / 3) and scores["iou"]["agriculture"] == 0
    assert scores["recall"]["road"] == pytest.approx(2 / 3) and scores["precision"]["road"] == 1
    assert scores["overall_accuracy"] == pytest.approx(2 / 3)
    assert scores["calibration_error"] == pytest.approx(0.7 - 2 / 3)
    assert scores["boundary_iou"]["forest"] is None and scores["tiles"] == 3
    assert scores["miou_interval"][0] < scores["miou"] == pytest.approx(scores["miou_interval"][1])
    assert evaluation.all_scores(LOVEDA, "zero")["miou"] == pytest.approx(3 * 2 / 3 / 7)

    evaluation.save(tmp_path / "new" / "counts.npz")
    again = load_evaluation(tmp_path / "new" / "counts.npz")
    assert again.ids == evaluation.ids and again.all_scores(LOVEDA) == scores
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["counts.npz"]
    with pytest.raises(FileNotFoundError, match="evaluate the run again"):
        load_evaluation(tmp_path / "counts.npz")
