"""The class table: names, stored values, train ids and colours, and the only conversion of labels.

LoveDA's masks hold 0 for no-data and 1..7 for the classes (Wang et al., "LoveDA", NeurIPS 2021
Datasets and Benchmarks, arXiv 2110.08733). Networks, losses and metrics use *train ids* 0..6 with
:data:`IGNORE` for no-data. The benchmark's submissions are train ids, too.
"""

from dataclasses import dataclass

import numpy as np

IGNORE = 255


@dataclass(frozen=True)
class ClassTable:
    """Names, stored mask values and RGB colours of the classes, in the order of their train ids.

    ``ignored`` lists the stored values that carry no label.
    """

    names: tuple[str, ...]
    values: tuple[int, ...]
    colors: tuple[tuple[int, int, int], ...]
    ignored: tuple[int, ...] = ()

    def __post_init__(self):
        if not len(self.names) == len(self.values) == len(self.colors):
            raise ValueError(
                "A class table needs one value and one colour for each name; received "
                f"{len(self.names)} names, {len(self.values)} values, {len(self.colors)} colours."
            )
        stored = (*self.values, *self.ignored)
        if len(set(stored)) != len(stored) or not all(0 <= value <= 255 for value in stored):
            raise ValueError(f"Stored values must be distinct and in 0..255; received {stored}.")

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Stored mask values -> train ids (uint8, :data:`IGNORE` where the value is ignored).

        Raises ValueError for a value that the table does not know.
        """
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

    def decode(self, label: np.ndarray) -> np.ndarray:
        """Train ids -> stored mask values (uint8); :data:`IGNORE` becomes the first ignored one."""
        if not self.ignored and (label == IGNORE).any():
            raise ValueError("This class table has no stored value for pixels to ignore.")
        stored = np.full(256, -1, np.int16)
        stored[: len(self)] = self.values
        stored[IGNORE] = self.ignored[0] if self.ignored else -1
        raw = stored[label]
        if (raw < 0).any():
            unknown = np.unique(label[raw < 0]).tolist()
            raise ValueError(f"Train ids are 0..{len(self) - 1} and {IGNORE}; received {unknown}.")
        return raw.astype(np.uint8)

    def colorize(self, label: np.ndarray) -> np.ndarray:
        """Train ids (..., ) -> RGB uint8 (..., 3); ignored pixels are black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = self.colors
        return palette[label]


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
