"""Depth maps for a folder of one's own tiles."""

import json
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from rdepth_keras.atomic import write_bytes, write_text
from rdepth_keras.data import png
from rdepth_keras.data.folder.files import SUFFIXES, decode_image, peek_depth, peek_image
from rdepth_keras.data.folder.folder import image_files
from rdepth_keras.depth.normalise import constant_notice, is_constant, quantise
from rdepth_keras.depth.presets import find_checkpoint

Tell = Callable[[int, int], None]  # maps done, maps in all
RECORD = "depths.json"  # beside the folder ``depths``: by what the maps were made, and of what


def write_depths(root: Path, source: str, notify: Callable[[str], None], tell: Tell) -> int:
    """Writes ``<split>/<domain>/depths/NAME.png`` for every image that has none; returns how many.

    The maps are 16-bit, stretched from each one's own minimum and maximum, larger = nearer. Killed,
    it goes on where it stopped. Maps of one's own are left alone; those that were made here are
    made anew where their image has changed, as :data:`RECORD` tells.

    Args:
        root: of the folder, see :func:`rdepth_keras.data.folder.folder.open_folder`.
        source: a published checkpoint's name, a hub name, or a folder, see
            :func:`rdepth_keras.depth.presets.find_checkpoint`.
        notify: hears by what depth is estimated, under what licence, which maps are made anew, and
            which are constant.
        tell: hears of each map.

    Raises:
        FileNotFoundError: where there are no tiles, or no checkpoint.
        ValueError: for images and maps that cannot be read, naming them all, for an unknown source,
            and for another one than some maps were made by.
        ImportError: where the estimator is not installed, naming the remedy.
    """
    checkpoint = find_checkpoint(source)
    wanted, anew, faults = [], [], []
    records = {image.parents[1]: _Record(image.parents[1]) for image in image_files(root)}
    for image in image_files(root):
        record = records[image.parents[1]]
        found = [record.depths / f"{image.stem}{suffix}" for suffix in SUFFIXES]
        found = [place for place in found if place.exists()]
        try:
            if found and record.of(image) in (None, _digest(image)):
                peek_depth(found[0], peek_image(image))
                continue
            peek_image(image)
        except ValueError as error:
            faults.append(str(error))
        anew += found
        wanted.append(image)
    for record in records.values():
        if record.source not in (None, checkpoint.origin):
            faults.append(
                f"The maps of {record.depths} were made by {record.source}, and now {checkpoint} "
                f"is asked for: delete {record.depths} and {record.path}, or ask for the same."
            )
    if faults:
        raise ValueError(" ".join(faults))
    if not wanted:
        return 0
    if anew:
        notify(f"changed since their maps were made, which are made anew: {_named(anew)}")
    # Imported here: the estimator needs KerasHub, which the base install does not have.
    from rdepth_keras.depth.estimator import load_estimator

    notify(f"depth by {checkpoint}")
    estimator = load_estimator(checkpoint.origin)
    constant = []
    for done, image in enumerate(wanted, 1):
        record = records[image.parents[1]]
        place = record.depths / f"{image.stem}.png"
        depth = quantise(estimator(decode_image(image)))
        place.parent.mkdir(exist_ok=True)
        record.begin(checkpoint.origin)
        write_bytes(place, png.encode(depth.values))
        record.note(image)  # afterwards: a kill between has a changed image's map made anew
        if is_constant(depth.values):
            constant.append(str(place))
        tell(done, len(wanted))
    if constant:
        notify(constant_notice(constant))
    return len(wanted)


class _Record:
    """What is known of the maps of a domain: their source, and the image that each was made of."""

    def __init__(self, place: Path):
        self.depths, self.path = place / "depths", place / RECORD
        self.source: str | None = None
        self._images: dict[str, str] = {}
        if self.path.is_file():
            try:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                self.source, self._images = content["source"], dict(content["images"])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{self.path} is damaged ({error}): delete it, and {self.depths} where its "
                    "maps may be of other images."
                ) from error

    def of(self, image: Path) -> str | None:
        """Digest of the image that the map was made of; None for a map of one's own."""
        return self._images.get(image.name)

    def begin(self, source: str) -> None:
        """Maps are made by this source."""
        if self.source is None:
            self.source = source
            self._write()

    def note(self, image: Path) -> None:
        """The image's map is there."""
        self._images[image.name] = _digest(image)
        self._write()

    def _write(self) -> None:
        content = {"source": self.source, "images": self._images}
        write_text(self.path, json.dumps(content, indent=1))


def _digest(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=8).hexdigest()


def _named(places: list[Path]) -> str:
    return ", ".join(map(str, places[:4])) + (f" and {len(places) - 4} more" * (len(places) > 4))
