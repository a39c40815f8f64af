"""Folders of LoveDA that are named nearly as expected: they would be left out unseen."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from rdepth_keras.data.splits import SPLITS

DOMAINS = ("urban", "rural")
KINDS = ("images_png", "masks_png", "depths_png")


def misspelled(root: Path, members: Iterable[str], with_depth: bool) -> list[str]:
    """In words, where a folder is missing and an unknown one lies beside its place.

    Links to nothing are told, too. Other unknown folders are nobody's business. ``members`` are the
    names in the archives of ``root``; ``with_depth`` expects folders of ready-made depth.
    """
    there = _folder_names(root, members)
    everything = _expected(with_depth)
    links = [root / place / name for place, names in everything.items() for name in names]
    complaints = [
        f"{path} is a link to nothing." for path in links if path.is_symlink() and not path.exists()
    ]
    for place, expected in everything.items():
        found = there.get(place, set())
        missing, unknown = expected - found, found - expected - set(KINDS)
        if not place:  # the manual directory holds other things, too
            unknown = {name for name in unknown if _is_split(name, there.get(name, set()))}
        if missing and unknown:
            complaints.append(
                f"{place or root}: missing are {_list(missing)}, but there are {_list(unknown)}."
            )
    return complaints


def _expected(with_depth: bool) -> dict[str, set[str]]:
    """Place, such as "" or ``Train/Urban`` -> the folders that belong there."""
    splits, domains = ({name.title() for name in names} for names in (SPLITS, DOMAINS))
    expected = {"": splits} | dict.fromkeys(splits, domains)
    for split in splits:
        wanted = {"images_png": True, "masks_png": split != "Test", "depths_png": with_depth}
        kinds = {kind for kind, is_wanted in wanted.items() if is_wanted}
        expected |= {f"{split}/{domain}": kinds for domain in domains}
    return expected


def _is_split(name: str, inside: set[str]) -> bool:
    archives = {f"{split}.zip" for split in SPLITS}
    return name.casefold() in archives or any(one.casefold() in DOMAINS for one in inside)


def _folder_names(root: Path, members: Iterable[str]) -> dict[str, set[str]]:
    """Place -> the folders in it, on disk and in the archives; misspelled archives, too."""
    known = {f"{split.title()}.zip" for split in SPLITS}
    places = {Path(path.name) for path in root.glob("*.[zZ][iI][pP]") if path.name not in known}
    for pattern in ("*", "*/*", "*/*/*"):
        places |= {path.relative_to(root) for path in root.glob(pattern) if path.is_dir()}
    for parent in {member.rpartition("/")[0] for member in members}:
        parts = PurePosixPath(parent).parts[:3]
        places |= {Path(*parts[: depth + 1]) for depth in range(len(parts))}
    found: dict[str, set[str]] = {}
    for place in places:
        if not any(part.startswith((".", "__")) for part in place.parts):
            parent = place.parent.as_posix()
            found.setdefault("" if parent == "." else parent, set()).add(place.name)
    return found


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
