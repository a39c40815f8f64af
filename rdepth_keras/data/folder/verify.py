"""What ``scripts/prepare.py --verify`` tells of a folder: what is wrong, and what is odd."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np

from rdepth_keras.data.doubts import tell_doubts
from rdepth_keras.data.folder import files as reading
from rdepth_keras.data.folder.checks import faults
from rdepth_keras.data.folder.colours import unusual_colours
from rdepth_keras.data.folder.content import Content, read_content
from rdepth_keras.data.folder.coordinates import OTHER_SIZE, share_covered
from rdepth_keras.data.folder.fingerprints import predicted_masks, strange_depths
from rdepth_keras.data.folder.folder import FolderTiles, open_folder
from rdepth_keras.data.looks import KINDS, odd_together
from rdepth_keras.data.overlap import overlaps
from rdepth_keras.data.splits import SPLITS
from rdepth_keras.depth.normalise import flat_notice
from rdepth_keras.labels import IGNORE, ClassTable
from rdepth_keras.naming import shorten

_READING = 4  # files read at once
_COVERED_SHARE = 0.02  # of a tile, by one of another split


def verify_folder(root: Path, table: ClassTable, tell: Callable[[str], None]) -> list[str]:
    """Decodes every file of a folder dataset; returns what is wrong, a line for each bad file.

    Tells of each split what it holds, whether its masks fit its pictures, which pictures, masks and
    depth maps are doubtful, and which are there more than once, or in part. Raises as
    :func:`rdepth_keras.data.folder.folder.open_folder`.
    """
    wrong: list[str] = []
    seen: list[Content] = []
    for (split, domain), place in sorted(open_folder(root, table, with_depth=False).places.items()):
        with_depth = (place / "depths").is_dir()
        try:
            tiles = open_folder(root, table, with_depth=with_depth).tiles(split, domain)
        except (ValueError, OSError) as error:
            wrong.append(f"{error} Until that is mended no pixel of {split}/{domain} is read.")
            continue
        labelled = tiles.labelled_part()
        depth = "with depth" if with_depth else "without depth"
        tell(f"{split}/{domain}: {len(tiles)} tiles, {len(labelled or ())} labelled, {depth}")
        wrong += faults(tiles, pixels=True)
        with ThreadPoolExecutor(_READING) as pool:
            contents = list(pool.map(partial(read_content, table), tiles.files))
        for notice in (*_uniform(contents), *_gaps(contents, wrong), *_told(tiles)):
            tell(notice)
        seen += contents
    notices = (
        *_shares(table, seen),
        *_without_depth(seen),
        *_elsewhere(root),
        *_absent(table, seen),
        *_repeated(seen),
        *_parts(seen),
        *_overlapping(seen),
        *_sizes(seen),
    )
    for notice in notices:
        tell(notice)
    return wrong


def _uniform(contents: Sequence[Content]) -> Iterator[str]:
    """Of depth maps that are flat or doubtful, of such pictures, and of masks of one class."""
    masks = [one for one in contents if one.files.mask]
    uniform = [one for one in masks if len(one.ids) == 1]
    if flat := [str(one.files.depth) for one in contents if one.flat]:
        yield flat_notice(flat)
    seen = [(one.files, one.look) for one in contents if one.look]
    for place, kind in enumerate(KINDS):
        paths = [(files.image, files.mask, files.depth)[place] for files, _ in seen]
        doubts = (look.doubts[place] for _, look in seen)
        found = {str(path): one for path, one in zip(paths, doubts, strict=True) if path}
        yield from (f"WARNING: {said}" for said in tell_doubts(kind, found))
    if found := [str(one.files.mask) for one in uniform if IGNORE in one.ids]:
        yield f"WARNING: masks without a labelled pixel, {len(found)}: {shorten(found)}"
    if found := [str(one.files.mask) for one in uniform if IGNORE not in one.ids]:
        counted = f"{len(found)} of {len(masks)}"
        yield f"WARNING: masks of one class all over, {counted}: {shorten(found)}"
    mapped = [one.files.depth for one in contents if one.files.depth and one.depth]
    for said in (reading.fixed_range(mapped), *odd_together([look for _, look in seen])):
        if said:
            yield f"WARNING: {contents[0].files.image.parents[1]}: {said}"


def _without_depth(contents: Sequence[Content]) -> Iterator[str]:
    """Of splits and domains without depth maps, where others have them."""
    mapped = {one.files.image.parents[1]: one.files.depth is not None for one in contents}
    if bare := [
        str(place) for place, depth in mapped.items() if not depth and any(mapped.values())
    ]:
        yield (
            "WARNING: without depth maps, which others have, so that no network that reads depth "
            f"trains or is scored there, {len(bare)} of {len(mapped)}: {shorten(bare)}"
        )


def _elsewhere(root: Path) -> Iterator[str]:
    """Of folders beside the splits that hold pictures, which nothing reads."""
    for place in sorted(root.glob("[!.]*/")):
        if place.is_dir() and place.name not in SPLITS:
            names = (path for path in place.rglob("*") if path.suffix.lower() in reading.SUFFIXES)
            if first := next(names, None):
                splits = ", ".join(SPLITS)
                yield (
                    f"WARNING: {place} is no split, so that its pictures, such as {first}, are not "
                    f"read; splits are {splits}."
                )


def _absent(table: ClassTable, contents: Sequence[Content]) -> Iterator[str]:
    """Of classes that no mask shows, where there are masks."""
    found = {train_id for one in contents for train_id in one.ids}
    names = [name for train_id, name in enumerate(table.names) if train_id not in found]
    if found and names:
        yield f"WARNING: classes that no mask shows, {len(names)} of {len(table)}: {shorten(names)}"


def _gaps(contents: Sequence[Content], wrong: list[str]) -> Iterator[str]:
    images = [one.files.image for one in contents if one.picture]
    if gaps := [str(image) for image in images if _has_gaps(image, wrong)]:
        yield (
            f"WARNING: images that mark pixels as without data, {len(gaps)}, which are learnt "
            f"from where their masks have labels: {shorten(gaps)}"
        )


def _told(tiles: FolderTiles) -> Iterator[str]:
    """What is told before training as well; that a record is damaged is a fault."""
    images = [files.image for files in tiles.files]
    yield from (f"WARNING: {said}" for said in unusual_colours(images))
    yield from (f"WARNING: {said}" for said in predicted_masks(tiles))
    with contextlib.suppress(ValueError):
        yield from (f"WARNING: {said}" for said in strange_depths(tiles))


def _shares(table: ClassTable, contents: Sequence[Content]) -> Iterator[str]:
    """How much of the labelled pixels each class has, where several splits or domains have them.

    Where one domain's masks are coded otherwise, this is where a person sees it.
    """
    places: dict[str, np.ndarray] = {}
    for one in contents:
        name = "/".join(one.files.image.parts[-4:-2])
        places[name] = places.get(name, 0) + one.shares
    labelled = {name: pixels / pixels.sum() for name, pixels in places.items() if pixels.sum()}
    for name, shares in labelled.items() if len(labelled) > 1 else ():
        told = (f"{own} {share:.0%}" for own, share in zip(table.names, shares, strict=True))
        yield f"classes of {name}: {', '.join(told)}"


def _repeated(contents: Sequence[Content]) -> Iterator[str]:
    """Of pictures that are there more than once, and of files that several pictures share."""
    if twins := _alike(contents, lambda one: one.picture):
        names = [" = ".join(str(one.files.image) for one in group) for group in twins]
        yield (
            f"WARNING: {len(twins)} pictures are there more than once, pixel for pixel, turned or "
            f"mirrored perhaps, so that what is trained on may be scored, or counted twice: "
            f"{shorten(names)}"
        )
    masks = _alike(contents, lambda one: one.mask + _domain(one) if len(one.ids) > 1 else "")
    depths = _alike(
        contents, lambda one: one.depth + _domain(one) if one.depth and not one.flat else ""
    )
    for kind, groups in (("mask", masks), ("depth", depths)):
        shared = [group for group in groups if len({one.picture for one in group} - {""}) > 1]
        names = [
            shorten([str(getattr(one.files, kind)) for one in group], between=" = ")
            for group in shared
        ]
        if names:
            what = {"mask": "masks", "depth": "depth maps"}[kind]
            yield (
                f"WARNING: {what} that different pictures share, pixel for pixel, and so can "
                f"hardly be of all of them, {len(names)}: {shorten(names)}"
            )


def _parts(contents: Sequence[Content]) -> Iterator[str]:
    """Of pictures that show a part of one in another split or domain."""
    places = [str(one.files.image.parent) for one in contents]
    pairs = overlaps([one.parts for one in contents], places)
    pictures = [(contents[one], contents[other]) for one, other in pairs]
    names = [
        f"{one.files.image} and {other.files.image}"
        for one, other in pictures
        if one.picture != other.picture
    ]
    if names:
        yield (
            "WARNING: pictures of different splits or domains that show the same in part, pixel "
            f"for pixel, so that what is trained on may be scored, {len(names)}: {shorten(names)}"
        )


def _overlapping(contents: Sequence[Content]) -> Iterator[str]:
    """Of tiles of one split whose ground is seen in another split of their domain, too."""
    places: dict[tuple[Path, tuple[int, ...]], list[Content]] = {}
    for one in contents:
        if one.ground is not None:
            places.setdefault((one.files.image.parents[1], one.system), []).append(one)
    for ((place, ours), own), ((other, others), theirs) in combinations(places.items(), 2):
        if place.name != other.name or place == other or (ours and others and ours != others):
            continue
        grounds = np.array([one.ground for one in theirs])
        shares = [share_covered(np.array(one.ground), grounds) for one in own]
        pairs = zip(own, shares, strict=True)
        if names := [str(one.files.image) for one, share in pairs if share > _COVERED_SHARE]:
            yield (
                f"WARNING: tiles of {place} that lie on the ground of tiles in {other}, up to "
                f"{max(shares):.0%} of one, so that what is trained on may be scored, "
                f"{len(names)} of {len(own)}: {shorten(names)}"
            )


def _sizes(contents: Sequence[Content]) -> Iterator[str]:
    """Of splits and domains whose pixels are of other sizes on the ground, by their coordinates."""
    places: dict[str, list[float]] = {}
    for one in contents:
        if one.pixel:
            places.setdefault("/".join(one.files.image.parts[-4:-2]), []).append(one.pixel)
    sizes = sorted((float(np.median(found)), place) for place, found in places.items())
    if sizes and sizes[-1][0] > OTHER_SIZE * sizes[0][0]:
        told = ", ".join(f"{place} {size:.4g}" for size, place in sizes)
        yield (
            "WARNING: pixels are of other sizes on the ground, in metres by their coordinates, so "
            f"that one thing has several sizes in pixels: {told}. Resample all alike."
        )


def _domain(content: Content) -> str:
    """Two domains may show one place in two seasons, or by two sensors, with the same masks."""
    return content.files.image.parents[1].name


def _alike(contents: Sequence[Content], mark: Callable[[Content], str]) -> list[list[Content]]:
    """Groups of several contents with one mark; those without a mark are in none."""
    found: dict[str, list[Content]] = {}
    for one in contents:
        if mark(one):
            found.setdefault(mark(one), []).append(one)
    return [group for group in found.values() if len(group) > 1]


def _has_gaps(image: Path, wrong: list[str]) -> bool:
    try:
        return reading.has_gaps(image)
    except (ValueError, OSError) as error:
        wrong.append(str(error))
        return False
