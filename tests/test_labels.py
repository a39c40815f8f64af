import dataclasses

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


@pytest.mark.parametrize("convert", [LOVEDA.decode, LOVEDA.colorize])
@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.array([3, -1]), r"received \[-1\]"),
        (np.array([0, 77], np.uint8), r"received \[77\]"),
        (np.array([0, 300]), r"received \[300\]"),
        (np.array([1.0]), "as integers; received float64"),
    ],
)
def test_what_is_no_train_id_has_neither_value_nor_colour(convert, label, said):
    with pytest.raises(ValueError, match=said):
        convert(label)


def test_ids_may_be_of_any_integer_type():
    for kind in (np.int8, np.int64):
        np.testing.assert_array_equal(LOVEDA.decode(np.arange(7, dtype=kind)), np.arange(1, 8))
    np.testing.assert_array_equal(LOVEDA.decode(np.array([IGNORE])), [0])


def test_masks_must_be_bytes():
    with pytest.raises(ValueError, match="uint8"):
        LOVEDA.encode(np.array([1], np.int32))


def test_what_has_no_label_is_drawn_as_no_class_is():
    """Black, unless a class is: then white, grey or pink."""
    for colors, blank in (
        (((255, 0, 0), (0, 0, 0)), (255, 255, 255)),
        (((9, 9, 9), (255, 250, 255)), (128, 128, 128)),
        (((0, 0, 0), (255, 255, 255), (120, 120, 120)), (255, 105, 180)),
    ):
        table = ClassTable(tuple("abc"[: len(colors)]), tuple(range(len(colors))), colors)
        assert table.blank == blank
        assert table.colorize(np.array([IGNORE, 0], np.uint8)).tolist() == [[*blank], [*colors[0]]]


def test_colors_are_distinct_and_ignore_is_black():
    colors = LOVEDA.colorize(np.arange(7, dtype=np.uint8))
    assert len({tuple(color) for color in colors.tolist()}) == 7
    assert LOVEDA.colorize(np.array([IGNORE], np.uint8)).tolist() == [[0, 0, 0]]


def test_a_table_must_be_consistent():
    with pytest.raises(ValueError, match="distinct"):
        ClassTable(("a", "b"), (1, 1), ((0, 0, 0), (1, 1, 1)))
    with pytest.raises(ValueError, match="one value"):
        ClassTable(("a",), (1, 2), ((0, 0, 0),))
    for names in (("a", "a"), ("a", ""), (1, 2)):
        with pytest.raises(ValueError, match="distinct words"):
            ClassTable(names, (0, 1), ((0, 0, 0), (1, 1, 1)))
    for color in ((0, 0), (256, 0, 0), (-1, 0, 0)):
        with pytest.raises(ValueError, match="red, green and blue"):
            ClassTable(("a", "b"), (0, 1), ((0, 0, 0), color))


def test_a_table_holds_as_many_classes_as_bytes_but_for_ignore():
    names = tuple(f"class {number}" for number in range(256))
    colors = tuple((number, 0, 0) for number in range(256))
    largest = ClassTable(names[:255], tuple(range(255)), colors[:255])
    assert largest.decode(np.array([254], np.uint8)) == [254]
    with pytest.raises(ValueError, match="at most 255 classes; received 256"):
        ClassTable(names, tuple(range(256)), colors)


def test_a_table_without_ignored_values_cannot_store_ignore():
    table = ClassTable(("a",), (3,), ((0, 0, 0),))
    assert table.decode(np.zeros(2, np.uint8)).tolist() == [3, 3]
    with pytest.raises(ValueError, match="ignore"):
        table.decode(np.array([IGNORE], np.uint8))


COLORS = ClassTable(
    ("ground", "roof"), (0, 1), ((9, 9, 9), (255, 0, 0)), (255,), ignored_colors=((0, 0, 0),)
)


def test_masks_by_colour():
    mask = np.array([[(9, 9, 9), (255, 0, 0)], [(0, 0, 0), (9, 9, 9)]], np.uint8)
    np.testing.assert_array_equal(COLORS.encode(mask), [[0, 1], [IGNORE, 0]])
    assert COLORS.encode(mask).dtype == np.uint8


def test_colours_that_are_not_in_the_table():
    noise = np.random.default_rng(0).integers(10, 200, (20, 20, 3), np.uint8)
    noise[0, 0], noise[0, 1] = (255, 0, 1), (8, 9, 9)
    with pytest.raises(ValueError, match=r"\[\(8, 9, 9\), .* and \d+ more; known are \[\(9, 9, 9"):
        COLORS.encode(noise)
    with pytest.raises(ValueError, match=r"uint8 \(H, W, 3\); received uint8 \(4, 4\)"):
        COLORS.encode(np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match="must be distinct"):
        dataclasses.replace(COLORS, ignored_colors=((9, 9, 9),))
    for strange in (True, 0.5, "1"):
        with pytest.raises(ValueError, match=f"must be whole numbers; received .*{strange}"):
            dataclasses.replace(COLORS, values=(0, strange))
        with pytest.raises(ValueError, match=f"must be whole numbers; received .*{strange}"):
            dataclasses.replace(COLORS, colors=((9, 9, 9), (strange, 0, 0)))
