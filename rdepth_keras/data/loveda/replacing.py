"""What is prepared stays until it is prepared anew: TFDS would delete it first."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from rdepth_keras.data.loveda.prepared import NAME, finished_folders

ASIDE = ".before"  # what the name of a replaced version ends in, until the new one is there


@contextlib.contextmanager
def replacing(data_dir: Path, config: str, anew: bool) -> Iterator[None]:
    """Around a preparation: with ``anew`` sets a config aside, and puts it back where that failed.

    What a kill left aside is put back before. Of a preparation that fails no empty folder stays.
    """
    place = data_dir.expanduser() / NAME / config
    made = [folder for folder in (place, place.parent) if not folder.exists()]  # inner first
    _settle(place)
    if anew and (folder := finished_folders(data_dir).get(config)):
        folder.rename(f"{folder}{ASIDE}")
    try:
        yield
    except BaseException:
        _settle(place)
        for folder in made:
            if _is_bare(folder):
                shutil.rmtree(folder)
        raise
    _settle(place)


def _is_bare(folder: Path) -> bool:
    """Whether there is nothing in it but folders and what TFDS notes before it begins."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return folder.exists() and all(path.parent.name == ".config" for path in files)


def _settle(place: Path) -> None:
    for aside in list(place.glob(f"*{ASIDE}")):
        folder = aside.with_name(aside.name.removesuffix(ASIDE))
        if folder.exists():  # TFDS gives the name to what is finished alone
            shutil.rmtree(aside)
        else:
            aside.rename(folder)
