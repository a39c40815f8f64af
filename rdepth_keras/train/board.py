"""TensorBoard files of a run, on demand."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np


class Board:
    """Writes scalars and pictures as TensorBoard event files.

    ``done`` steps lie behind the run; what an earlier process wrote beyond them is hidden.
    """

    def __init__(self, directory: Path, done: int = 0):
        self._writer = summary_writer()(str(directory), purge_step=done + 1)

    def scalars(self, step: int, entries: Mapping[str, Any]) -> None:
        """Every number of the entries, nested ones under joined names."""
        for name, value in _numbers(entries):
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """An RGB picture, uint8 (H, W, 3)."""
        self._writer.add_image(name, picture, step, dataformats="HWC")
        self._writer.flush()


def summary_writer():
    """tensorboardX's; raises ImportError, naming the remedy, where it is not installed."""
    try:
        from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(
            "TensorBoard files need tensorboardX: pip install 'rdepth_keras[tensorboard]'"
        ) from error
    return SummaryWriter


def _numbers(entries: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in entries.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, float(value)
