"""Which pictures are predicted, and where each one's map goes."""

import glob
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rdepth_keras.data.folder.folder import spelled_otherwise
from rdepth_keras.naming import shorten

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

    In a pattern ``**`` stands for any folders, as in ``tiles/**/*.png``. Hidden files are no
    pictures: some systems keep notes in them that are named as the pictures are.

    Args:
        images: a file; or a folder or pattern, whose pictures are taken in the order of names.
        out: a PNG for one file; else a folder, in which maps bear the pictures' names.
        depth: a map for one file; else a folder of maps that bear the pictures' names.
        notify: hears of all else that was found, which is left out.

    Raises:
        FileNotFoundError: where there are no pictures, or one has no map in the folder of maps.
        ValueError: where two pictures would have one map, or one picture has two depth maps.
    """
    if images.is_file() or not (images.is_dir() or glob.has_magic(str(images))):
        return [Job(images, out, depth)]
    matches = map(Path, glob.glob(_pattern(images), recursive=True))
    found = sorted(images.iterdir() if images.is_dir() else matches)
    pictures = [path for path in found if not _oddity(path)]
    if left_out := [path for path in found if _oddity(path)]:
        notify(f"Left out: {_counted(left_out)}. Pictures end in {', '.join(SUFFIXES)}.")
    if not pictures:
        raise FileNotFoundError(f"There are no pictures in {images} ({', '.join(SUFFIXES)}).")
    if depth is not None and not depth.is_dir():
        raise NotADirectoryError(
            f"--depth {depth} is no folder: for {len(pictures)} pictures it is one of maps that "
            "bear their names."
        )
    stems = [path.stem for path in pictures]
    if twice := [path for path in pictures if stems.count(path.stem) > 1]:
        alike = [str(path) for path in twice if path.stem == twice[0].stem]
        raise ValueError(
            f"Several pictures would be written as {twice[0].stem}.png: {shorten(alike)}. Rename "
            "them, or name fewer: maps of before are pictures, too."
        )
    if out.suffix.lower() == ".png":
        raise ValueError(f"For {len(pictures)} pictures name a folder to write to, not {out}.")
    jobs = [Job(path, out / f"{path.stem}.png", _depth_of(path, depth)) for path in pictures]
    others = sorted(path.name for path in (depth.iterdir() if depth else ()) if not _oddity(path))
    others = [name for name in others if Path(name).stem not in stems]
    if others:
        notify(f"Left out: {len(others)} depth maps of no picture here ({', '.join(others[:4])}).")
    return jobs


def _pattern(images: Path) -> str:
    """With brackets and stars as they are in folders that are there under that very name."""
    for folder in images.parents:
        if glob.has_magic(str(folder)) and folder.is_dir():
            return str(Path(glob.escape(str(folder))) / images.relative_to(folder))
    return str(images)


def _oddity(path: Path) -> str:
    """What it is instead of a picture, in a word or two; empty for one."""
    if path.name.startswith("."):
        return "hidden"
    if not path.is_file():
        return "folder" if path.is_dir() else "link to nothing"
    return "" if path.suffix.lower() in SUFFIXES else path.suffix or "without suffix"


def _counted(found: Iterable[Path]) -> str:
    """How many there are of each oddity, and the first one's name: ``2 .tfw (a.tfw …)``."""
    names: dict[str, list[str]] = {}
    for path in found:
        names.setdefault(_oddity(path), []).append(path.name)
    return ", ".join(
        f"{len(alike)} {oddity} ({alike[0]}{' …' if len(alike) > 1 else ''})"
        for oddity, alike in names.items()
    )


def _depth_of(picture: Path, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    alike = sorted(path for path in folder.glob("*") if path.stem == picture.stem)
    found = [path for path in alike if not _oddity(path)]
    if not found:
        there = [path.stem for path in folder.glob("*")]
        raise FileNotFoundError(
            f"{folder} holds no depth map named {picture.stem}.png."
            f"{spelled_otherwise([picture.stem], there)}"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{folder} holds several depth maps of {picture.name}: {names}; keep one.")
    return found[0]
