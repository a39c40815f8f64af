"""Splits of a domain: which are there, which of their tiles have labels, and how large they are."""

from rdepth_keras.arrays import Tiles

SPLITS = ("train", "val", "test")


class AbsentSplit(ValueError):
    """A domain has no such split. Any other trouble with its tiles is another error."""


def labelled_part(tiles: Tiles) -> Tiles | None:
    """The tiles that have labels, in their order; None where none has.

    Tiles of which only some have labels know their own, see
    :meth:`rdepth_keras.data.folder.folder.FolderTiles.labelled_part`.
    """
    if tiles.labelled:
        return tiles
    part = getattr(tiles, "labelled_part", None)
    return part() if part is not None else None


def longest_side(tiles: Tiles) -> int:
    """Pixels of the tiles' longest side, the scale at which networks see the world.

    Tiles of several sizes know it; of others the first one is read.
    """
    known = getattr(tiles, "longest_side", None)
    return known() if known is not None else max(tiles[0]["image"].shape[:2])


def shortest_side(tiles: Tiles) -> int:
    """Pixels of the tiles' shortest side; tiles of several sizes know it, see above."""
    known = getattr(tiles, "shortest_side", None)
    return known() if known is not None else min(tiles[0]["image"].shape[:2])
