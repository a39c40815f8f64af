import numpy as np
import pytest

from rdepth_keras.labels import IGNORE, LOVEDA, ClassTable


def test_encode_shifts_by_one_and_ignores_no_data():
    raw = np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.uint8)
    assert LOVEDA.encode(raw).tolist() == [[255, 0, 1, 2], [3, 4, 5, 6]]
    assert LOVEDA.encode(raw).dtype == np.uint8


def test_decode_is_the_inverse():
    raw = np.arange(8, dtype=np.uint8)
    np.testing.assert_array_equal(LOVEDA.decode(LOVEDA.encode(raw)), raw)


def test_names_follow_the_published_columns():
    assert ",".join(LOVEDA.names) == "background,building,road,water,barren,forest,agriculture"


@pytest.mark.parametrize("value", [8, 9, 255])
def test_unknown_mask_values_are_named(value):
    with pytest.raises(ValueError, match=rf"values \[{value}\]"):
        LOVEDA.encode(np.array([1, value], np.uint8))


def test_unknown_train_ids_are_named():
    with pytest.raises(ValueError, match=r"received \[7\]"):
        LOVEDA.decode(np.array([7], np.uint8))


def test_masks_must_be_bytes():
    with pytest.raises(ValueError, match="uint8"):
        LOVEDA.encode(np.array([1], np.int32))


def test_colors_are_distinct_and_ignore_is_black():
    colors = LOVEDA.colorize(np.arange(7, dtype=np.uint8))
    assert len({tuple(color) for color in colors.tolist()}) == 7
    assert LOVEDA.colorize(np.array([IGNORE], np.uint8)).tolist() == [[0, 0, 0]]


def test_a_table_must_be_consistent():
    with pytest.raises(ValueError, match="distinct"):
        ClassTable(("a", "b"), (1, 1), ((0, 0, 0), (1, 1, 1)))
    with pytest.raises(ValueError, match="one value"):
        ClassTable(("a",), (1, 2), ((0, 0, 0),))


def test_a_table_without_ignored_values_cannot_store_ignore():
    table = ClassTable(("a",), (3,), ((0, 0, 0),))
    assert table.decode(np.zeros(2, np.uint8)).tolist() == [3, 3]
    with pytest.raises(ValueError, match="ignore"):
        table.decode(np.array([IGNORE], np.uint8))
