import numpy as np
import pytest

from rdepth_keras.data.loveda import census
from rdepth_keras.data.loveda.census import Survey, Verdict, load_census
from rdepth_keras.data.loveda.prepared import open_loveda

TRAIN = load_census()["train_urban"]
PIXELS = np.array(list(TRAIN["pixels_per_mask_value"].values()))


def survey(**changes) -> Survey:
    """Train/Urban as published."""
    ids = np.arange(TRAIN["first_id"], TRAIN["last_id"] + 1)
    whole = {
        "ids": ids,
        "sizes": np.full((len(ids), 2), 1024),
        "pixels": PIXELS,
        "channel_mean": np.array(TRAIN["channel_mean_rgb"]),
    }
    return Survey(**(whole | changes))


def judge(found: Survey, labelled: bool = True) -> Verdict:
    verdict = Verdict()
    census._compare("train_urban", TRAIN, labelled, found, verdict)
    return verdict


def test_the_figures_are_the_published_ones():
    figures = load_census()
    assert sum(split["images"] for split in figures.values()) == 5987
    for split in figures.values():
        assert split["images"] == split["last_id"] - split["first_id"] + 1
        if split["masks"]:
            assert sum(split["pixels_per_mask_value"].values()) == split["images"] * 1024**2


def test_the_published_dataset_is_complete():
    verdict = judge(survey())
    assert not verdict.missing
    assert not verdict.wrong
    assert "COMPLETE" in str(verdict)


def test_how_many_of_the_published_tiles_are_there(data_dir, monkeypatch):
    tiles = open_loveda(data_dir).tiles("train", "rural")
    height, width = tiles[0]["image"].shape[:2]
    sizes = f"tiles of {height}x{width} pixels instead of 1024x1024"
    assert census.lacking(tiles) == f"train_rural has 3 of 1366 tiles and {sizes}"
    monkeypatch.setattr(census, "load_census", lambda: {"train_rural": {"images": 3}})
    assert census.lacking(tiles) == f"train_rural has {sizes}"
    monkeypatch.setattr(census, "SIDE", height)
    assert census.lacking(tiles) == "" or height != width


def test_a_part_is_partial_not_wrong():
    verdict = judge(
        survey(ids=np.arange(1366, 1369), sizes=np.full((3, 2), 1024), pixels=PIXELS // 400)
    )
    assert verdict.missing == [
        "train_urban: 1153 of 1156 tiles (1369, 1370, 1371, 1372, 1373, 1374, ...)"
    ]
    assert not verdict.wrong
    assert "PARTIAL" in str(verdict) and "agrees" not in str(verdict)


def test_missing_masks_are_partial():
    assert judge(survey(pixels=np.zeros(8, int)), labelled=False).missing == [
        "train_urban: the masks"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": np.arange(1367, 2523)}, "ids 2522 do not belong here"),
        ({"ids": np.r_[1366, np.arange(1366, 2521)]}, "more than once"),
        ({"sizes": np.r_[np.full((1155, 2), 1024), [[512, 1024]]]}, "tiles 2521 are not 1024x1024"),
        (
            {"pixels": PIXELS + np.eye(8, dtype=int)[3]},
            "107065868 pixels of road, published 107065867",
        ),
        ({"channel_mean": np.array(TRAIN["channel_mean_rgb"])[::-1]}, "mean RGB"),
    ],
)
def test_wrong_data_are_wrong(changes, message):
    verdict = judge(survey(**changes))
    assert any(message in line for line in verdict.wrong)
    assert "WRONG" in str(verdict)


def test_more_of_a_class_than_there_is_cannot_be_a_part():
    few = np.arange(1366, 1400)
    found = survey(ids=few, sizes=np.full((34, 2), 1024), pixels=PIXELS * [1, 1, 1, 1, 1, 1, 1, 2])
    assert any("agriculture" in line for line in judge(found).wrong)


def test_tiles_of_another_split_are_told(data_dir):
    tiles = open_loveda(data_dir).tiles("train", "rural")
    assert census.oddities(tiles) == []
    assert census.exchanged("train_urban", [1366, 2521, 2522, 0]) == [
        "1 of the 4 tiles of train_urban bear numbers that were published as train_rural (0): "
        "are folders exchanged?",
        "1 of the 4 tiles of train_urban bear numbers that were published as val_rural (2522): "
        "are folders exchanged?",
    ]
    assert census.exchanged("train_urban", [7000]) == []


def test_a_mask_that_was_counted_otherwise_is_told(data_dir, monkeypatch):
    tiles = open_loveda(data_dir).tiles("train", "rural")
    assert census.survey(tiles)[1] == []
    entry = tiles.statistics
    counts = [list(row) for row in entry["pixels_per_value"]]
    counts[1][0] += 1
    changed = {**entry, "pixels_per_value": counts}
    monkeypatch.setattr(type(tiles), "statistics", property(lambda self: changed))
    (said,) = census.survey(tiles)[1]
    assert said.startswith(f"tile {entry['ids'][1]} is another than was counted")
