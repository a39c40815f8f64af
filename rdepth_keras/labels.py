"""The class table: names, stored values, train ids and colours, and the only conversion of labels.

LoveDA's masks hold 0 for no-data and 1..7 for the classes (Wang et al., "LoveDA", NeurIPS 2021
Datasets and Benchmarks, arXiv 2110.08733). Networks, losses and metrics use *train ids* 0..6 with
:data:`IGNORE` for no-data. The benchmark's submissions are train ids, too.
"""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

IGNORE = 255
MOST_CLASSES = IGNORE  # train ids are bytes, and the largest is taken


def check_integers(name: str, label: Any) -> None:
    """Raises ValueError for train ids that are no integers; looks at the dtype alone."""
    if not np.issubdtype(label.dtype, np.integer):
        raise ValueError(
            f"The {name} must hold train ids as integers; received {label.dtype}. "
            'Where the numbers are whole, .astype("uint8") makes them so.'
        )


def check_ids(name: str, ids: np.ndarray, classes: int) -> None:
    """Raises ValueError for train ids that are no integers or none of the classes."""
    check_integers(name, ids)
    if ids.size and not (ids.min() >= 0 and ids.max() < classes):
        strange = np.unique(ids[(ids < 0) | (ids >= classes)])[:8].tolist()
        raise ValueError(
            f"The {name} must hold train ids 0..{classes - 1} (and {IGNORE} where it may be "
            f"ignored); received {strange}."
        )


@dataclass(frozen=True)
class ClassTable:
    """Names, stored mask values and RGB colours of the classes, in the order of their train ids.

    At most :data:`MOST_CLASSES`; without any it stands for classes that nobody has named yet.
    ``ignored`` lists the stored values that carry no label. Masks hold the values, or, where
    ``ignored_colors`` is given, the colours: then it lists the colours that carry no label.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    colors: tuple[tuple[int, int, int], ...]
    ignored: tuple[int, ...] = ()
    ignored_colors: tuple[tuple[int, int, int], ...] | None = None

    def __post_init__(self):
        if not len(self.names) == len(self.values) == len(self.colors):
            raise ValueError(
                "A class table needs one value and one colour for each name; received "
                f"{len(self.names)} names, {len(self.values)} values, {len(self.colors)} colours."
            )
        if len(self.names) > MOST_CLASSES:
            raise ValueError(
                f"A class table holds at most {MOST_CLASSES} classes; received {len(self.names)}."
            )
        if len(set(self.names)) != len(self.names) or not all(
            isinstance(name, str) and name for name in self.names
        ):
            raise ValueError(f"Names of classes must be distinct words; received {self.names}.")
        stored = (*self.values, *self.ignored)
        colors = (*self.colors, *(self.ignored_colors or ()))
        numbers = (*stored, *(number for color in colors for number in color))
        if not all(isinstance(n, Integral) and not isinstance(n, bool) for n in numbers):
            raise ValueError(
                f"Stored values and colours must be whole numbers; received {stored} and {colors}."
            )
        if not all(len(color) == 3 and all(0 <= n <= 255 for n in color) for color in colors):
            raise ValueError(f"Colours must be red, green and blue in 0..255; received {colors}.")
        if self.ignored_colors is not None and len(set(colors)) != len(colors):
            raise ValueError(f"Colours of masks must be distinct; received {colors}.")
        if len(set(stored)) != len(stored) or not all(0 <= value <= 255 for value in stored):
            raise ValueError(f"Stored values must be distinct and in 0..255; received {stored}.")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def reading(self) -> str:
        """How masks are read, in words; order, and colours that masks do not hold, do not count."""
        by_colour = self.ignored_colors is not None
        stored = self.colors if by_colour else self.values
        known = dict(sorted(zip(self.names, stored, strict=True)))
        return f"{known}, ignored {sorted(self.ignored_colors or self.ignored)}"

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Stored mask values -> train ids (uint8, :data:`IGNORE` where the value is ignored).

        Colours (H, W, 3) -> (H, W) where masks hold colours. Raises ValueError for a value or
        colour that the table does not know.
        """
        if self.ignored_colors is not None:
            return self._encode_colors(raw, self.ignored_colors)
        known = np.full(256, -1, np.int16)
        known[list(self.ignored)] = IGNORE
        known[list(self.values)] = np.arange(len(self))
        if raw.dtype != np.uint8:
            raise ValueError(f"A mask must be uint8; received {raw.dtype}.")
        label = known[raw]
        if (label < 0).any():
            unknown = np.unique(raw[label < 0]).tolist()
            raise ValueError(
                f"The mask holds the values {unknown}; known are {sorted(self.values)} "
                f"and, ignored, {sorted(self.ignored)}. Is it a mask of this dataset?"
            )
        return label.astype(np.uint8)

    def _encode_colors(self, raw: np.ndarray, ignored: tuple[tuple[int, int, int], ...]):
        if raw.dtype != np.uint8 or raw.ndim != 3 or raw.shape[-1] != 3:
            raise ValueError(
                f"A mask of colours must be uint8 (H, W, 3); received {raw.dtype} {raw.shape}."
            )
        colors = _as_numbers(np.array((*self.colors, *ignored), np.uint8))
        ids = np.array((*range(len(self)), *(IGNORE for _ in ignored)), np.uint8)
        order = np.argsort(colors)
        found = _as_numbers(raw)
        place = order[np.searchsorted(colors[order], found).clip(max=len(order) - 1)]
        unknown = found[colors[place] != found]
        if unknown.size:
            strange = [(n >> 16, n >> 8 & 255, n & 255) for n in np.unique(unknown).tolist()]
            more = f" and {len(strange) - 8} more" if len(strange) > 8 else ""
            raise ValueError(
                f"The mask holds the colours {strange[:8]}{more}; known are {list(self.colors)} "
                f"and, ignored, {list(ignored)}. Is it a mask of this dataset?"
            )
        return ids[place]

    def decode(self, label: np.ndarray) -> np.ndarray:
        """Train ids -> stored mask values (uint8); :data:`IGNORE` becomes the first ignored one.

        Raises ValueError for anything else, and for :data:`IGNORE` where nothing is ignored.
        """
        ignored = label == IGNORE
        check_ids("label", label[~ignored], len(self))
        if not self.ignored and ignored.any():
            raise ValueError("This class table has no stored value for pixels to ignore.")
        stored = np.zeros(256, np.uint8)
        stored[: len(self)] = self.values
        stored[IGNORE] = self.ignored[0] if self.ignored else 0
        return stored[label]

    @property
    def blank(self) -> tuple[int, int, int]:
        """The colour of pixels without a label: black, or another where a class is nearly that."""
        for color in _BLANKS:
            distances = np.abs(np.array(self.colors, int).reshape(-1, 3) - color).max(-1)
            if distances.min(initial=255) >= _DISTINCT:
                return color
        return _BLANKS[0]

    def colorize(self, label: np.ndarray) -> np.ndarray:
        """Train ids (..., ) -> RGB uint8 (..., 3); ignored pixels are :attr:`blank`.

        Raises ValueError for anything else.
        """
        check_ids("label", label[label != IGNORE], len(self))
        palette = np.full((256, 3), self.blank, np.uint8)
        palette[: len(self)] = self.colors
        return palette[label]


_BLANKS = ((0, 0, 0), (255, 255, 255), (128, 128, 128), (255, 105, 180))
_DISTINCT = 48  # levels of one channel at least


def _as_numbers(colors: np.ndarray) -> np.ndarray:
    """RGB (..., 3) uint8 -> one number a colour."""
    return colors.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


LOVEDA = ClassTable(
    names=("background", "building", "road", "water", "barren", "forest", "agriculture"),
    values=(1, 2, 3, 4, 5, 6, 7),
    colors=(
        (255, 255, 255),
        (255, 0, 0),
        (255, 255, 0),
        (0, 0, 255),
        (159, 129, 183),
        (0, 255, 0),
        (255, 195, 128),
    ),
    ignored=(0,),
)
