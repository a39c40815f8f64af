"""Room on the disk for what a training will write."""

import shutil
from pathlib import Path


def check_room(directory: Path, needed: int) -> None:
    """Raises OSError where a checkpoint of so many bytes has no room: now, and not hours later.

    ``directory`` is where the run goes, there or not.
    """
    place = directory.absolute()
    folder = next(path for path in (place, *place.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"A checkpoint of this run needs {needed / 2**20:.1f} MiB, but {folder} has "
            f"{free / 2**20:.1f} MiB free. Make room, or choose another --out."
        )
