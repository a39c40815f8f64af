"""What is known of the depth maps that were made for a folder: by what, and of which pictures.

``depths.json`` lies beside the folder ``depths``. Maps that it does not tell of are one's own.
"""

import json
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

from rdepth_keras.atomic import write_text
from rdepth_keras.data.fingerprints import describe_picture, digest, is_packed
from rdepth_keras.data.folder.folder import depth_maps

RECORD = "depths.json"
_KINDS = ("images", "ends", "maps")  # digests by name of image; older records hold images alone


class DepthRecord:
    """The record of a domain's folder; nothing is known where there is no file.

    ``source`` is the origin of the checkpoint that made the maps, see
    :mod:`rdepth_keras.depth.presets`; None where none were made. ``fingerprint`` is the one of its
    estimator, None in older records. Raises ValueError for a damaged file, with the remedy.
    """

    def __init__(self, place: Path):
        self.depths, self.path = place / "depths", place / RECORD
        self.source: str | None = None
        self.fingerprint: str | None = None
        self._noted: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
        if self.path.is_file():
            try:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                self.source, self.fingerprint = content["source"], content.get("fingerprint")
                content["images"]  # every record holds these
                self._noted = {kind: dict(content.get(kind, {})) for kind in _KINDS}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"{self.path} is damaged ({error}): delete it, and {self.depths} where its "
                    "maps may be of other images."
                ) from error

    def covers(self) -> bool:
        """Whether there are maps, and every one was made here."""
        images = self._names()
        maps = depth_maps(self.depths.parent) if images else {}
        return bool(maps) and all(
            stem in images and self._made(images[stem], depth) for stem, depth in maps.items()
        )

    def outdated(self, image: Path, depth: Path, *, whole: bool = True) -> bool:
        """Whether a map was made here, of another picture than the image is now.

        It goes by all bytes of the image, or of a PNG or JPEG by its size, start and end alone:
        nothing is seen then where the record is an older one, or where another JPEG differs in its
        middle.
        """
        former = self._names().get(image.stem, image.name)
        here = image.parent == self.depths.with_name("images")
        if here and former != image.name:  # it was exported anew, in another format
            return not image.with_name(former).exists() and self._made(former, depth)
        by_ends = is_packed(image) and not whole
        kind, look = ("ends", _digest_ends) if by_ends else ("images", _digest)
        noted = self._noted[kind].get(image.name)
        return noted is not None and noted != look(image) and self._made(image.name, depth)

    def made(self, image: Path, depth: Path) -> bool:
        """Whether a map was made here, be it of an earlier picture."""
        return image.name in self._noted["images"] and self._made(image.name, depth)

    def strangers(self, depths: Iterable[Path]) -> list[Path]:
        """The maps that lie where others were made here: exchanged, or one's own in their place.

        Older records do not tell.
        """
        names, noted = self._names(), self._noted["maps"]
        return [
            path
            for path in depths
            if names.get(path.stem) in noted and not self._made(names[path.stem], path)
        ]

    def begin(self, source: str, fingerprint: str) -> None:
        """Maps are made by this source; of one that has made some before nothing is added."""
        if self.source is None:
            self.source, self.fingerprint = source, fingerprint
            self._write()

    def note(self, image: Path, depth: Path) -> None:
        """The image's map is there."""
        former = self._names().get(image.stem, image.name)
        for noted in self._noted.values():
            noted.pop(former, None)
        digests = _digest(image), _digest_ends(image), _digest_ends(depth)
        for kind, found in zip(_KINDS, digests, strict=True):
            self._noted[kind][image.name] = found
        self._write()

    def _names(self) -> dict[str, str]:
        """Stem of each noted picture -> its name."""
        return {Path(name).stem: name for name in self._noted["images"]}

    def _made(self, image: str, depth: Path) -> bool:
        """Whether the map of a noted image is the one made here; of older records, by its name."""
        noted = self._noted["maps"].get(image)
        return depth.suffix == ".png" if noted is None else noted == _digest_ends(depth)

    def _write(self) -> None:
        content = {"source": self.source, "fingerprint": self.fingerprint, **self._noted}
        write_text(self.path, json.dumps(content, indent=1))


def record_of(depth: Path, known: dict[Path, DepthRecord] | None = None) -> DepthRecord | None:
    """The record that tells of a map in a domain's folder; None where there is none.

    ``known`` ones are not read again, and new ones are put there.
    """
    place, known = depth.parent.parent, {} if known is None else known
    if depth.parent.name != "depths" or not (place / RECORD).is_file():
        return None
    if place not in known:
        known[place] = DepthRecord(place)
    return known[place]


def _digest(path: Path) -> str:
    return blake2b(path.read_bytes(), digest_size=8).hexdigest()


def _digest_ends(path: Path) -> str:
    return digest([describe_picture(path)])
