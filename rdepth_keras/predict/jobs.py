"""Which pictures are predicted, and where each one's map goes."""

import glob
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


@dataclass(frozen=True)
class Job:
    """One picture: where it lies, where its map goes, and its depth map, if there is one."""

    image: Path
    out: Path
    depth: Path | None = None


def plan(
    images: Path,
    out: Path,
    depth: Path | None = None,
    notify: Callable[[str], None] = print,
) -> list[Job]:
    """The jobs of one picture, of a folder of pictures, or of a pattern such as ``tiles/*.png``.

    Args:
        images: a file; or a folder or pattern, whose pictures are taken in the order of names.
        out: a PNG for one file; else a folder, in which maps bear the pictures' names.
        depth: a map for one file; else a folder of maps that bear the pictures' names.
        notify: hears of hidden files, which are left out: some systems keep notes in them that are
            named as the pictures are.

    Raises:
        FileNotFoundError: where there are no pictures, or one has no map in the folder of maps.
        ValueError: where two pictures would have one map, or one picture has two depth maps.
    """
    if images.is_file() or not (images.is_dir() or glob.has_magic(str(images))):
        return [Job(images, out, depth)]
    found = sorted(images.iterdir() if images.is_dir() else map(Path, glob.glob(str(images))))
    pictures = [path for path in found if path.suffix.lower() in SUFFIXES and path.is_file()]
    if hidden := [path for path in pictures if path.name.startswith(".")]:
        pictures = [path for path in pictures if path not in hidden]
        notify(f"Hidden files are left out: {', '.join(path.name for path in hidden)}")
    if not pictures:
        raise FileNotFoundError(f"There are no pictures in {images} ({', '.join(SUFFIXES)}).")
    stems = [path.stem for path in pictures]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise ValueError(f"Several pictures would be written as {twice[0]}.png; rename them.")
    if out.suffix.lower() == ".png":
        raise ValueError(f"For {len(pictures)} pictures name a folder to write to, not {out}.")
    return [Job(path, out / f"{path.stem}.png", _depth_of(path, depth)) for path in pictures]


def _depth_of(picture: Path, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    found = sorted(path for path in folder.glob("*") if path.stem == picture.stem)
    if not found:
        raise FileNotFoundError(f"{folder} holds no depth map named {picture.stem}.png.")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{folder} holds several depth maps of {picture.name}: {names}; keep one.")
    return found[0]
