"""Prepared LoveDA held against the dataset as published: complete, partial or wrong."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import numpy as np

from rdepth_keras.arrays import Tiles
from rdepth_keras.data.doubts import tell_doubts
from rdepth_keras.data.looks import KINDS, Look, look_at, odd_together
from rdepth_keras.data.loveda.checks import REMEDY, faults, flat_depths, others, prepared
from rdepth_keras.data.loveda.prepared import SHARED_DEPTH, LovedaTiles, Prepared
from rdepth_keras.depth.normalise import flat_notice
from rdepth_keras.labels import LOVEDA

SIDE = 1024  # pixels of a published tile
PIXEL_METRES = 0.3  # of a pixel on the ground (Wang et al., "LoveDA", NeurIPS 2021)
MEAN_TOLERANCE = 0.01  # grey values of 0..255; the census gives three decimals


@dataclass
class Verdict:
    """What differs: ``missing`` makes a dataset partial, ``wrong`` makes it another dataset.

    ``flat_depth`` names the tiles whose depth holds few values, or only one, and ``odd`` says
    what is doubtful, and which pictures or depth maps are there several times: that is neither.
    """

    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    flat_depth: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)

    def __str__(self):
        lines = [flat_notice(self.flat_depth)] if self.flat_depth else []
        lines += [f"WARNING: {line}" for line in self.odd]
        lines += [f"missing  {line}" for line in self.missing]
        lines += [f"wrong    {line}" for line in self.wrong]
        if self.wrong:
            lines.append(f"WRONG: {len(self.wrong)} differences from the published dataset.")
        elif self.missing:
            lines.append(
                "PARTIAL: nothing contradicts the published dataset. Of a split in part, numbers, "
                "sizes and the most pixels of a class were compared: whether its pictures are the "
                "published ones does not show."
            )
        else:
            lines.append("COMPLETE: ids, class pixels and colours equal the published dataset.")
        return "\n".join(lines)


@dataclass(frozen=True)
class Survey:
    """What the records of one split and domain hold, read back one by one.

    ``ids`` (tiles,), ``sizes`` (tiles, 2), ``pixels`` (8,) per stored mask value, ``channel_mean``
    (3,) on the 0..255 scale, ``pictures`` a digest of each tile's pixels. ``odd`` says in words
    which pictures and depth maps are doubtful, and that masks do not fit.
    """

    ids: np.ndarray
    sizes: np.ndarray
    pixels: np.ndarray
    channel_mean: np.ndarray
    pictures: tuple[bytes, ...] = ()
    odd: tuple[str, ...] = ()


def load_census() -> dict[str, Any]:
    """The published figures by split, such as ``train_urban``."""
    text = files("rdepth_keras.data.loveda").joinpath("census.json").read_text()
    return json.loads(text)["splits"]


def lacking(tiles: Tiles) -> str:
    """How many of the published tiles are there, and of another size, in words; empty for none.

    Of sizes the first tile is looked at.
    """
    own = prepared(tiles)
    published, (height, width) = load_census()[own.name]["images"], own[0]["image"].shape[:2]
    said = [f"{len(own)} of {published} tiles"] if len(own) < published else []
    if (height, width) != (SIDE, SIDE):
        said.append(f"tiles of {height}x{width} pixels instead of {SIDE}x{SIDE}")
    return f"{own.name} has {' and '.join(said)}" if said else ""


def oddities(tiles: Tiles) -> list[str]:
    """What :func:`exchanged` and :func:`shared_depths` say of the tiles."""
    own = prepared(tiles)
    return [
        *exchanged(own.name, own.statistics["ids"]),
        *shared_depths(own.name, own.statistics),
    ]


def shared_depths(name: str, entry: Mapping[str, Any]) -> list[str]:
    """In words, how many tiles have the ready-made depth of another tile; nothing for none.

    ``entry`` is what was counted at preparation; an earlier one says nothing of it.
    """
    alike = entry.get(SHARED_DEPTH, [])
    if not alike:
        return []
    return [
        f"{len(alike)} of the {len(entry['ids'])} tiles of {name} have the depth map of another "
        f"tile, pixel for pixel ({_list(np.array(alike))})"
    ]


def exchanged(name: str, ids: Sequence[int]) -> list[str]:
    """In words, how many tiles bear the numbers of another split or domain; nothing for none."""
    numbers = np.array(ids, int)
    found = {
        other: numbers[(split["first_id"] <= numbers) & (numbers <= split["last_id"])]
        for other, split in load_census().items()
        if other != name
    }
    return [
        f"{alike.size} of the {numbers.size} tiles of {name} bear numbers that were published as "
        f"{other} ({_list(alike)}): are folders exchanged?"
        for other, alike in found.items()
        if alike.size
    ]


def verify(prepared: Prepared, workers: int = 4) -> Verdict:
    """Reads every record and compares it with the census; each difference is named."""
    verdict, pictures = Verdict(), dict[bytes, list[str]]()
    for name, published in load_census().items():
        split, domain = name.split("_")
        if (split, domain) not in prepared.splits():
            verdict.missing.append(f"{name}: all {published['images']} tiles")
            continue
        tiles = prepared.tiles(split, domain)
        damaged = faults(tiles) or others(tiles)
        if not damaged:
            found, damaged = survey(tiles, workers)
            _compare(name, published, tiles.labelled, found, verdict)
            for number, picture in zip(found.ids, found.pictures, strict=True):
                pictures.setdefault(picture, []).append(f"{name} {number}")
        if not damaged:
            verdict.flat_depth += flat_depths(tiles, pixels=True)
            verdict.odd += [*shared_depths(name, tiles.statistics), *found.odd]
        verdict.wrong += [f"{name}: {line}" for line in damaged]
    verdict.odd += _repeated(pictures)
    return verdict


def _repeated(pictures: Mapping[bytes, Sequence[str]]) -> list[str]:
    """In words, which pictures several tiles show; nothing for none."""
    groups = [sorted(names) for names in pictures.values() if len(names) > 1]
    if not groups:
        return []
    shown = ", ".join(" = ".join(names[:6]) for names in groups[:6])
    return [
        f"{len(groups)} pictures are there more than once, pixel for pixel, so that what is "
        f"trained on may be scored, or counted twice: {shown}{', ...' if len(groups) > 6 else ''}"
    ]


def survey(tiles: LovedaTiles, workers: int = 4) -> tuple[Survey, list[str]]:
    """What the tiles hold, and in words what is wrong with those that cannot be read."""

    entry = tiles.statistics
    counts = entry["pixels_per_value"] if tiles.labelled else []
    counted = dict(zip(entry["ids"], counts, strict=False))

    def look(index: int) -> "tuple[Any, ...] | str":
        try:
            tile = tiles.checked(index)
        except (ValueError, RuntimeError) as error:
            return str(error)
        raw = LOVEDA.decode(tile["label"])
        sums = tile["image"].sum((0, 1), dtype=np.int64)
        pixels = np.bincount(raw.ravel(), minlength=8)
        if counted and pixels.tolist() != list(counted.get(tile["id"], ())):
            return f"tile {tile['id']} is another than was counted when it was written; {REMEDY}"
        picture = blake2b(tile["image"].tobytes()).digest()
        label = tile["label"] if tiles.labelled else None
        looked = look_at(tile["image"], label, tile["depth"])
        return tile["id"], raw.shape, pixels, sums, picture, looked

    with ThreadPoolExecutor(workers) as pool:
        looks = list(pool.map(look, range(len(tiles))))
    damaged = [look for look in looks if isinstance(look, str)]
    found = [look for look in looks if not isinstance(look, str)]
    ids, sizes, pixels, sums, pictures, looked = zip(*found, strict=True) if found else ((),) * 6
    sizes = np.array(sizes).reshape(-1, 2)
    area = max(1, int(sizes.prod(1).sum()))
    pixels, sums = np.array(pixels).reshape(-1, 8).sum(0), np.array(sums).reshape(-1, 3).sum(0)
    odd = tuple(f"{tiles.name}: {said}" for said in _oddities(dict(zip(ids, looked, strict=True))))
    return Survey(np.array(ids, int), sizes, pixels, sums / area, pictures, odd), damaged


def _oddities(looked: Mapping[int, Look]) -> list[str]:
    """In words, what is odd of tiles by number; nothing for none."""
    tiles, said = sorted(looked.items()), []
    for place, kind in enumerate(KINDS):
        said += tell_doubts(kind, {str(number): look.doubts[place] for number, look in tiles})
    return [*said, *odd_together([look for _, look in tiles])]


def _compare(
    name: str, published: Mapping[str, Any], labelled: bool, found: Survey, verdict: Verdict
) -> None:
    expected = np.arange(published["first_id"], published["last_id"] + 1)
    strange = np.setdiff1d(found.ids, expected)
    absent = np.setdiff1d(expected, found.ids)
    if strange.size:
        verdict.wrong.append(f"{name}: ids {_list(strange)} do not belong here")
    if len(np.unique(found.ids)) < len(found.ids):
        verdict.wrong.append(f"{name}: ids occur more than once")
    odd = np.sort(found.ids[(found.sizes != SIDE).any(axis=1)])
    if odd.size:
        verdict.wrong.append(f"{name}: tiles {_list(odd)} are not {SIDE}x{SIDE} pixels")
    if absent.size:
        verdict.missing.append(f"{name}: {absent.size} of {expected.size} tiles ({_list(absent)})")
    if published["masks"] and not labelled:
        verdict.missing.append(f"{name}: the masks")
    _compare_totals(name, published, labelled, found, not absent.size, verdict)


def _compare_totals(name, published, labelled, found: Survey, whole: bool, verdict: Verdict):
    """Sums over a split: equal when all of it is there, bounds when a part is."""
    mean = np.array(published["channel_mean_rgb"])
    if whole and np.abs(found.channel_mean - mean).max() > MEAN_TOLERANCE:
        shown = np.round(found.channel_mean, 3).tolist()
        verdict.wrong.append(f"{name}: mean RGB {shown}, published {mean.tolist()}")
    if not labelled or not published["masks"]:
        return
    for value, count in published["pixels_per_mask_value"].items():
        here = int(found.pixels[int(value)])
        if (whole and here != count) or here > count:
            label = ("no-data", *LOVEDA.names)[int(value)]
            verdict.wrong.append(f"{name}: {here} pixels of {label}, published {count}")


def _list(ids: np.ndarray) -> str:
    shown = ", ".join(map(str, ids[:6]))
    return shown + (", ..." if ids.size > 6 else "")
