"""TensorBoard files of a run, on demand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np


class Board:
    """Writes scalars and pictures as TensorBoard event files.

    Raises ImportError, naming the remedy, where tensorboardX is not installed.
    """

    def __init__(self, directory: Path):
        try:
            from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError(
                "TensorBoard files need tensorboardX: pip install 'rdepth_keras[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(directory))

    def scalars(self, step: int, entries: Mapping[str, Any]) -> None:
        """Every number of the entries, nested ones under joined names."""
        for name, value in _numbers(entries):
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """An RGB picture, uint8 (H, W, 3)."""
        self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()


def _numbers(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)
