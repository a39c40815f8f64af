"""Names in messages: the first few, and how many more there are; or files by what ails them."""

from collections.abc import Sequence


def shorten(names: Sequence[object], most: int = 8, between: str = ", ") -> str:
    """The first ``most`` names, joined: ``"a, b and 3 more"``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(map(str, names[:most])) + more


def tell_faults(faults: Sequence[str]) -> str:
    """Faults, each ``"FILE: what is wrong."``, as one text; files that share what is wrong say so.

    All files are named: ``"a.png, b.png: truncated. c.png: empty."``
    """
    files: dict[str, list[str]] = {}
    for fault in faults:
        file, colon, wrong = fault.partition(": ")
        files.setdefault(wrong if colon else "", []).append(file)
    alone = files.pop("", [])
    return " ".join([*(f"{', '.join(names)}: {wrong}" for wrong, names in files.items()), *alone])
