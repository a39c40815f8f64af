"""The table of class shares, against hand-counted pixels."""

from rdepth_keras.data.loveda.statistics import format_shares


def test_a_histogram_in_per_cent():
    text = format_shares(
        {
            "train_urban": {
                "ids": [1, 2],
                "labelled": True,
                "pixels_per_value": [[0, 3, 0, 0, 0, 0, 0, 1]] * 2,
            },
            "test_urban": {"ids": [3], "labelled": False, "pixels_per_value": [None]},
        }
    )
    _, train, test = text.splitlines()
    assert train.split() == ["train_urban", "2", "0.00", "75.00", *["0.00"] * 5, "25.00"]
    assert test.split() == ["test_urban", "1", "unlabelled"]
