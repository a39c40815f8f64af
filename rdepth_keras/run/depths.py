"""Depth maps for a folder of one's own tiles."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rdepth_keras.atomic import write_bytes
from rdepth_keras.data import png
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.data.folder.files import decode_image, peek_depth, peek_image
from rdepth_keras.data.folder.folder import depth_maps, image_files
from rdepth_keras.depth.normalise import flat_notice, is_flat, quantise
from rdepth_keras.depth.presets import Preset, find_checkpoint
from rdepth_keras.naming import shorten

Notify = Callable[[str], None]
Tell = Callable[[int, int], None]  # maps done, maps in all


def write_depths(root: Path, source: str, notify: Notify, tell: Tell) -> int:
    """Writes ``<split>/<domain>/depths/NAME.png`` for every image that has none; returns how many.

    The maps are 16-bit, stretched from each one's own minimum and maximum, larger = nearer. Killed,
    it goes on where it stopped. Maps of one's own are left alone, those that were put in the place
    of one made here as well; those that were made here are made anew where their image has changed,
    as :class:`rdepth_keras.data.folder.depth_record.DepthRecord` tells.

    Args:
        root: of the folder, see :func:`rdepth_keras.data.folder.folder.open_folder`.
        source: a published checkpoint's name, a hub name, or a folder, see
            :func:`rdepth_keras.depth.presets.find_checkpoint`.
        notify: hears by what depth is estimated, under what licence, which maps are made anew,
            which are flat, and which of one's own stay among those made here.
        tell: hears of each map.

    Raises:
        FileNotFoundError: where there are no tiles, or no checkpoint.
        ValueError: for images and maps that cannot be read, naming them all, for an unknown source,
            and for another one, or other weights, than some maps were made by.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    checkpoint = find_checkpoint(source)
    plan = _plan(root, checkpoint)
    if plan.own and len(plan.own) < plan.images:
        notify(
            "depth maps of another origin, which were not made here and stay as they are, "
            f"{len(plan.own)}: {shorten(plan.own, 4)}"
        )
    if plan.wanted:
        _make(plan, checkpoint, notify, tell)
    return len(plan.wanted)


@dataclass(frozen=True)
class _Plan:
    """The images that want a map, the old maps of some of them, maps of one's own that stay, how
    many images there are, and the domains' records."""

    wanted: list[Path]
    anew: list[Path]
    own: list[Path]
    images: int
    records: dict[Path, DepthRecord]


def _plan(root: Path, checkpoint: Preset) -> _Plan:
    """What is to be done; every image and map that stays is looked at, and all faults are named."""
    images = image_files(root)
    places = dict.fromkeys(image.parents[1] for image in images)
    records = {place: DepthRecord(place) for place in places}
    maps = {place: depth_maps(place) for place in places}
    wanted, anew, own, faults = [], [], [], []
    for image in images:
        depth, record = maps[image.parents[1]].get(image.stem), records[image.parents[1]]
        if depth is not None and record.outdated(image, depth):
            anew.append(depth)
            depth = None
        try:
            size = peek_image(image)
            if depth is None:
                wanted.append(image)
            else:
                peek_depth(depth, size)
                own += [] if record.made(image, depth) else [depth]
        except ValueError as error:
            faults.append(str(error))
    for record in records.values():
        if record.source not in (None, checkpoint.origin):
            faults.append(_another(record, str(checkpoint)))
    if faults:
        raise ValueError(" ".join(faults))
    return _Plan(wanted, anew, own, len(images), records)


def _another(record: DepthRecord, asked: str) -> str:
    return (
        f"The maps of {record.depths} were made by {record.source}, and now {asked} is asked for: "
        f"delete {record.depths} and {record.path}, or ask for the same."
    )


def _check_estimator(records: Iterable[DepthRecord], fingerprint: str) -> None:
    """Raises ValueError where the same name stood for others, as a folder's weights may change."""
    others = [one for one in records if one.fingerprint not in (None, fingerprint)]
    if others:
        asked = "a network of other weights, or of another wiring, under the same name"
        raise ValueError(" ".join(_another(record, asked) for record in others))


def _make(plan: _Plan, checkpoint: Preset, notify: Notify, tell: Tell) -> None:
    if plan.anew:
        notify(f"changed since their maps were made, which are made anew: {shorten(plan.anew, 4)}")
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    notify(f"depth by {checkpoint}")
    estimator = load_estimator(checkpoint.origin)
    _check_estimator(plan.records.values(), estimator.fingerprint)
    flat = []
    for done, image in enumerate(plan.wanted, 1):
        record = plan.records[image.parents[1]]
        place = record.depths / f"{image.stem}.png"
        depth = quantise(estimator(decode_image(image)))
        place.parent.mkdir(exist_ok=True)
        record.begin(checkpoint.origin, estimator.fingerprint)
        write_bytes(place, png.encode(depth.values))
        record.note(image, place)
        if is_flat(depth.values):
            flat.append(str(place))
        tell(done, len(plan.wanted))
    if flat:
        notify(flat_notice(flat))
