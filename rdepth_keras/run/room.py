"""Room on the disk for what a training will write."""

import shutil
from pathlib import Path
from typing import Any

import jax

from rdepth_keras.train.checkpoint import MARGIN_BYTES


def check_room(directory: Path, state: Any) -> None:
    """Raises OSError where a checkpoint of the state has no room: now, and not hours later.

    ``directory`` is where the run goes, there or not; ``state`` is any tree of arrays.
    """
    needed = sum(array.nbytes for array in jax.tree.leaves(state)) + MARGIN_BYTES
    place = directory.absolute()
    folder = next(path for path in (place, *place.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"A checkpoint of this run needs {needed / 2**20:.1f} MiB, but {folder} has "
            f"{free / 2**20:.1f} MiB free. Make room, or choose another --out."
        )
