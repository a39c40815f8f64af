"""Names in messages: the first few, and how many more there are."""

from collections.abc import Sequence


def shorten(names: Sequence[object], most: int = 8, between: str = ", ") -> str:
    """The first ``most`` names, joined: ``"a, b and 3 more"``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(map(str, names[:most])) + more
