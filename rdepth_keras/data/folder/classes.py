"""A class table from a small YAML file, read strictly: what is not understood is refused.

    classes:
      - {name: ground, value: 0, color: [128, 128, 128]}
      - {name: roof, value: 1, color: [255, 0, 0]}
    ignored: [255]

``value`` is what masks hold; ``ignored`` values carry no label. The order gives the train ids.
``ignored`` must be there, if only as ``[]``: a file that was cut off is then told from a whole one.

Where masks are RGB pictures in the classes' colours, ``masks: colors`` says so; classes then have
no ``value``, and ``ignored`` lists colours:

    masks: colors
    classes:
      - {name: ground, color: [128, 128, 128]}
      - {name: roof, color: [255, 0, 0]}
    ignored: [[0, 0, 0]]
"""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import yaml

from rdepth_keras.labels import IGNORE, ClassTable

_ALIKE = 2  # levels of a channel; where masks hold colours, they are what they are
_LARGEST_BYTES = 1 << 16  # no class file, and a bound for what a parser may be asked


class _Loader(yaml.SafeLoader):
    """Plain values only. YAML's surprises are errors: a key given twice, 010 as 8, 2:55 as 175."""

    def construct_yaml_int(self, node):
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", node.value):
            raise ValueError(
                f"numbers are written plainly, in decimals; received {node.value!r:.80}"
            )
        return int(node.value)

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise ValueError(f"keys must be words, each given once; received {keys!r:.80}")
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load_classes(path: Path) -> ClassTable:
    """The class table of a YAML file.

    Raises FileNotFoundError, or ValueError in one line that names the file and what is wrong.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no class file {path}; it is YAML with `classes`, each of a name, value and "
            "color, and `ignored` values."
        )
    try:
        return _table(_parse(path.read_bytes()))
    except (ValueError, TypeError, yaml.YAMLError, RecursionError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no class file: {reason:.300}") from error


def _parse(data: bytes) -> Any:
    if len(data) > _LARGEST_BYTES:
        raise ValueError(f"{len(data)} bytes are too many, at most {_LARGEST_BYTES} are read")
    return yaml.load(data.decode("utf-8"), _Loader)


def _table(content: Any) -> ClassTable:
    by_color = isinstance(content, dict) and "masks" in content
    _check_keys(content, {"classes", "ignored"} | ({"masks"} if by_color else set()), "the file")
    if by_color and content["masks"] != "colors":
        raise ValueError(
            f"`masks: colors` says that masks hold colours, without it they hold values; received "
            f"{content['masks']!r:.80}"
        )
    classes, ignored = (_list(content[key], key) for key in ("classes", "ignored"))
    for one in classes:
        _check_keys(one, {"name", "color"} | (set() if by_color else {"value"}), "a class")
    names = tuple(_name(one["name"]) for one in classes)
    colors = tuple(_color(one["color"], f"the color of {one['name']}") for one in classes)
    if not 2 <= len(classes) <= IGNORE:
        raise ValueError(f"there must be 2 to {IGNORE} classes, there are {len(classes)}")
    if max(map(max, colors)) == 1:
        raise ValueError(
            f"colours are 0..255; received {list(map(list, colors))!s:.80}, all of them black to "
            "the eye. Where 1 is the most, multiply by 255"
        )
    shown = tuple(name.capitalize() for name in names)  # as tables have them
    for one, other in combinations(colors, 2) if not by_color else ():
        if one != other and max(abs(a - b) for a, b in zip(one, other, strict=True)) <= _ALIKE:
            raise ValueError(
                f"the colours {list(one)} and {list(other)} cannot be told apart in a picture: "
                "choose others"
            )
    for what, given in (("names", shown), ("colours", colors)):
        if len(set(given)) != len(given):
            raise ValueError(f"two classes have the same of these {what}: {given}")
    if by_color:
        values = tuple(range(len(classes)))
        return ClassTable(names, values, colors, (IGNORE,), tuple(map(_color, ignored)))
    values = tuple(_byte(one["value"]) for one in classes)
    return ClassTable(names, values, colors, tuple(map(_byte, ignored)))


def _check_keys(content: Any, expected: set[str], what: str) -> None:
    if not isinstance(content, dict) or content.keys() != expected:
        found = sorted(content) if isinstance(content, dict) else type(content).__name__
        hint = " (with masks: colors, without value)" if "value" in expected else ""
        raise ValueError(
            f"{what} must have exactly {sorted(expected)}{hint}; received {found!s:.80}"
        )


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list; received {type(value).__name__}")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"\w(?:[\w ()/&+.-]*[\w)+.])?", value):
        raise ValueError(
            f"a name is letters, digits and ()/&+.- (in quotes where YAML reads another thing); "
            f"received {value!r:.80}"
        )
    if value.lower() == "miou":
        raise ValueError("a class cannot be called miou: so the mean over the classes is called")
    return value


def _color(value: Any, what: str = "a color") -> tuple[int, int, int]:
    if value is None:
        raise ValueError(f"{what} is empty (a # begins a comment): give [red, green, blue]")
    levels = [_byte(level) for level in _list(value, what)]
    if len(levels) != 3:
        raise ValueError(f"{what} must be red, green and blue; received {levels!s:.80}")
    return levels[0], levels[1], levels[2]


def _byte(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise ValueError(f"values and colors are whole numbers 0..255; received {value!r:.80}")
    return value
