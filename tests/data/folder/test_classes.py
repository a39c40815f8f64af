"""The class file: read strictly, whatever is done to it."""

import re

import numpy as np
import pytest

from rdepth_keras.data.folder.classes import load_classes
from rdepth_keras.labels import ClassTable

TEXT = """\
# our own town
classes:
  - {name: ground, value: 0, color: [128, 128, 128]}
  - {name: roof, value: 7, color: [255, 0, 0]}
  - name: "no"
    value: 3
    color: [0, 0, 255]
ignored: [255, 9]
"""
TABLE = ClassTable(
    ("ground", "roof", "no"), (0, 7, 3), ((128, 128, 128), (255, 0, 0), (0, 0, 255)), (255, 9)
)


def load(folder, text):
    path = folder / "classes.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_classes(path)


def test_a_class_file(tmp_path):
    assert load(tmp_path, TEXT) == TABLE


BY_COLOR = """\
masks: colors
classes:
  - {name: ground, color: [128, 128, 128]}
  - {name: roof, color: [255, 0, 0]}
ignored: [[0, 0, 0]]
"""


def test_masks_by_colour(tmp_path):
    table = load(tmp_path, BY_COLOR)
    assert table.names == ("ground", "roof") and table.ignored_colors == ((0, 0, 0),)
    assert table.encode(np.array([[[255, 0, 0], [0, 0, 0]]], np.uint8)).tolist() == [[1, 255]]
    assert load(tmp_path, BY_COLOR.replace("[[0, 0, 0]]", "[]")).ignored_colors == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("masks: colors", "masks: values", "`masks: colors` says"),
        ("masks: colors\n", "", "exactly"),
        ("name: roof,", "name: roof, value: 1,", "exactly"),
        ("[[0, 0, 0]]", "[0]", "color must be a list"),
        ("[[0, 0, 0]]", "[[255, 0, 0]]", "distinct"),
    ],
)
def test_what_is_wrong_with_colours(old, new, expected, tmp_path):
    with pytest.raises(ValueError, match=expected):
        load(tmp_path, BY_COLOR.replace(old, new))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no class file"):
        load_classes(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ignored: [255, 9]\n", "", "exactly"),
        ("value: 3", "value: 7", "distinct"),
        ("value: 3", "value: 256", r"0\.\.255"),
        ("value: 3", "value: true", r"0\.\.255"),
        ("value: 3", "value: 010", "plainly"),
        ("value: 3", "value: 2:55", "plainly"),
        ("value: 3", "value: 3\n    value: 4", "each given once"),
        ("value: 3", "valeu: 3", "exactly"),
        ('"no"', "no", "in quotes"),
        ('"no"', "roof", "same of these names"),
        ('"no"', "Roof", "same of these names"),  # tables begin them with a capital
        ('"no"', '"roof "', "in quotes"),
        ('"no"', "mIoU", "cannot be called miou"),
        ("[0, 0, 255]", "[255, 0, 0]", "same of these colours"),
        ("[0, 0, 255]", "[254, 2, 0]", "cannot be told apart in a picture"),
        ("[0, 0, 255]", "[0, 255]", "red, green and blue"),
        ("[0, 0, 255]", "blue", "the color of no must be a list"),
        ("[0, 0, 255]", "#0000FF", "the color of no is empty .a # begins a comment.: give"),
        ("ignored: [255, 9]", "ignored: [7]", "distinct"),
        ("ignored: [255, 9]", "ignored: !!python/name:os.system", "could not determine"),
        ("classes:", "classes: [", "no class file"),
        ("# our", "#" * 70_000, "too many"),
        ("# our", "[" * 1_000, "no class file"),
        ("# our own town", "? {a: b}\n: 1", "keys must be words"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old, new, expected, tmp_path):
    assert old in TEXT
    with pytest.raises(ValueError, match=expected) as refused:
        load(tmp_path, TEXT.replace(old, new))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


def test_colours_from_0_to_1_are_refused(tmp_path):
    """Plotting libraries have them so; maps in them would be black."""
    text = TEXT.replace("255,", "1,").replace("255]", "1]").replace("128", "0")
    with pytest.raises(
        ValueError, match=r"\[\[0, 0, 0\], \[1, 0, 0\], \[0, 0, 1\]\], all of them bl"
    ):
        load(tmp_path, text.replace("ignored: [1, 9]", "ignored: [255, 9]"))


def test_empty_and_binary(tmp_path):
    for data in (b"", b"\xff\xfe\0", b"\0" * 20, b"\x89PNG\r\n"):
        with pytest.raises(ValueError, match="no class file"):
            load(tmp_path, data)


def test_nested_aliases_do_not_explode(tmp_path):
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    with pytest.raises(ValueError, match="exactly"):
        load(tmp_path, "\n".join(lines))


def mutated(count):
    rng = np.random.default_rng(0)
    data = TEXT.encode()
    for number in range(count):
        place, other = sorted(rng.integers(0, len(data), 2).tolist())
        kinds = (
            data[:place],
            data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :],
            data[:place] + data[other:],
            data[:place] + data[place:other] * 2 + data[other:],
            data[:place] + bytes([data[place] ^ 1 << int(rng.integers(8))]) + data[place + 1 :],
            data[:place] + b":{[&*!|>%@`\t\n-"[number % 13 : number % 13 + 1] + data[place:],
        )
        yield kinds[number % len(kinds)]


def plain(data: bytes) -> ClassTable:
    """What a mutated text says when read with a regular expression instead of a parser."""
    text = re.sub(r"(^|\s)#[^\n]*", "", data.decode())
    found = re.findall(
        r"name:\s+([^:]+?),?\s+value:\s+([\w+]+),?\s+color:\s+\[\s*([\w+]+)[,\s]+([\w+]+)[,\s]+([\w+]+)",
        text,
    )
    ignored = re.findall(r"\w+", text[text.rindex("ignored") + 7 :])
    return ClassTable(
        tuple(" ".join(one[0].strip("\"'").split()) for one in found),
        tuple(int(one[1], 0) for one in found),
        tuple((int(one[2], 0), int(one[3], 0), int(one[4], 0)) for one in found),
        tuple(int(value, 0) for value in ignored),
    )


def attempt(folder, data):
    """Why the file is refused, or its table."""
    try:
        return "", load(folder, data)
    except ValueError as error:
        return str(error), None


def test_mutated_files(tmp_path, mutations):
    """Refused in one line, or read as before, or as they say: another digit is another table."""
    refused = 0
    for data in mutated(mutations):
        reason, table = attempt(tmp_path, data)
        refused += table is None
        assert "\n" not in reason and len(reason) < 600
        assert table is None or table == TABLE or table == plain(data), data
    assert refused > mutations / 2
