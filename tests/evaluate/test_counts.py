import numpy as np
import pytest

from rdepth_keras.evaluate.counts import (
    Counts,
    count_labels,
    count_probabilities,
    load_counts,
)
from rdepth_keras.labels import LOVEDA


def tiles():
    for number in range(3):
        label = np.full((4, 4), number, np.uint8)
        label[0] = 255
        yield {"id": 10 + number, "image": None, "depth": None, "label": label}


def test_counts_by_tile_and_scores():
    counts = count_labels(lambda tile: np.zeros((4, 4), np.uint8), tiles(), 7)
    assert counts.ids == (10, 11, 12)
    assert counts.confusions.shape == (3, 7, 7)
    assert counts.confusion[:3, 0].tolist() == [12, 12, 12]
    scores = counts.scores(LOVEDA)
    assert scores["iou"]["background"] == pytest.approx(1 / 3)
    assert scores["iou"]["building"] == 0 and scores["iou"]["forest"] is None
    assert scores["miou"] == pytest.approx(1 / 9)
    assert list(scores["iou"]) == list(LOVEDA.names)


def test_the_commonest_class():
    right = count_labels(lambda tile: tile["label"] % 255, tiles(), 7)
    assert right.scores(LOVEDA)["miou"] == 1
    assert right.commonest_class_miou() == pytest.approx(1 / 9)
    assert right.all_scores(LOVEDA, "zero")["commonest_class_miou"] == pytest.approx(1 / 21)


def softened(tile):
    """Right but for the last row, at a confidence of 0.7."""
    label = tile["label"] % 255
    label[-1] = 6
    probabilities = np.full((4, 4, 7), 0.05)
    np.put_along_axis(probabilities, label[..., None].astype(int), 0.7, -1)
    return probabilities


def test_everything_at_once_and_back_from_a_file(tmp_path):
    counts = count_probabilities(softened, tiles(), 7)
    scores = counts.all_scores(LOVEDA)
    assert scores["miou"] == counts.scores(LOVEDA)["miou"] == pytest.approx(0.5)
    assert scores["iou"]["road"] == pytest.approx(2 / 3) and scores["iou"]["agriculture"] == 0
    assert scores["recall"]["road"] == pytest.approx(2 / 3) and scores["precision"]["road"] == 1
    assert scores["overall_accuracy"] == pytest.approx(2 / 3)
    assert scores["calibration_error"] == pytest.approx(0.7 - 2 / 3)
    assert scores["boundary_iou"]["forest"] is None and scores["tiles"] == 3
    assert scores["miou_interval"] is None, "three tiles are too few"
    many = Counts(tuple(range(9)), np.tile(counts.confusions, (3, 1, 1))).all_scores(LOVEDA)
    low, high = many["miou_interval"]
    assert low < many["miou"] <= high + 1e-9
    assert counts.all_scores(LOVEDA, "zero")["miou"] == pytest.approx(3 * 2 / 3 / 7)

    counts.save(tmp_path / "new" / "counts.npz")
    again = load_counts(tmp_path / "new" / "counts.npz")
    assert again.ids == counts.ids and again.all_scores(LOVEDA) == scores
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["counts.npz"]
    with pytest.raises(FileNotFoundError, match="evaluate the run again"):
        load_counts(tmp_path / "counts.npz")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_predictions_that_are_not_finite_are_never_scored(value):
    """The largest of NaN is class 0: a plausible table would come of it."""

    def predict(tile):
        probabilities = softened(tile)
        if tile["id"] == 11:
            probabilities[1, 2] = value
        return probabilities

    with pytest.raises(FloatingPointError, match=r"tile 11 is not finite in 6\.25% of its pixels"):
        count_probabilities(predict, tiles(), 7)


def test_saturated_probabilities_are_scored():
    counts = count_probabilities(lambda tile: np.eye(7)[tile["label"] % 255], tiles(), 7)
    scores = counts.all_scores(LOVEDA)
    assert scores["miou"] == 1 and scores["calibration_error"] == scores["risk_coverage_area"] == 0


def test_one_tile_gives_no_interval():
    counts = count_probabilities(softened, [next(tiles())], 7)
    assert counts.all_scores(LOVEDA)["miou_interval"] is None


@pytest.mark.parametrize("count", [count_labels, count_probabilities])
def test_a_tile_that_comes_twice_is_refused(count):
    predict = {count_labels: lambda tile: np.zeros((4, 4), np.uint8)}.get(count, softened)
    with pytest.raises(ValueError, match="several have 10, 11, 12. Were they counted twice"):
        count(predict, [*tiles(), *tiles()], 7)


def test_no_tile():
    with pytest.raises(ValueError, match="no tiles to score"):
        count_probabilities(softened, [], 7)


@pytest.mark.parametrize("damage", ["cut", "text", "older"])
def test_damaged_counts_say_the_remedy(tmp_path, damage):
    path = tmp_path / "counts.npz"
    count_probabilities(softened, tiles(), 7).save(path)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "text":
        path.write_text("hello")
    else:
        with np.load(path) as file:
            kept = {name: part for name, part in file.items() if "doubt" not in name}
        np.savez(path, **kept)
    with pytest.raises(ValueError, match=r"counts\.npz: damaged.*evaluate the run again"):
        load_counts(path)


@pytest.mark.parametrize("classes", [6, 8])
def test_predictions_of_other_classes_are_refused(classes):
    with pytest.raises(ValueError, match=rf"must have the shape .* {classes}\); received .* 7\)"):
        count_probabilities(softened, tiles(), classes)
