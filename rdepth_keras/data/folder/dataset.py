"""Anyone's own tiles as a part of an experiment."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rdepth_keras.data.dataset import Dataset, Opened, Place
from rdepth_keras.data.folder.checks import faults, flat_depths, mask_faults
from rdepth_keras.data.folder.depth_record import DepthRecord
from rdepth_keras.data.folder.fingerprints import fingerprints, median_metres, oddities, twins
from rdepth_keras.data.folder.folder import open_folder
from rdepth_keras.data.splits import SPLITS
from rdepth_keras.labels import ClassTable

MAPS = "maps of the folder"  # the source of its depth, whatever made them
OWN = "others"  # maps that no estimator here made
NO_CLASSES = ClassTable((), (), ())


@dataclass(frozen=True)
class Folder(Dataset):
    """A plain tree of tiles, see :mod:`rdepth_keras.data.folder.folder`.

    ``direction`` only says whose settings are taken where a recipe's differ: domains are named.

    Attributes:
        classes: a class file: names, what the masks hold, colours; README shows one.
        source_domain: the domain that trains.
        target_domain: the domain a run is scored on.
    """

    # A field here, a property of the base.
    classes: ClassTable = NO_CLASSES
    source_domain: str | None = None
    target_domain: str | None = None

    def open(self, place: Place, with_depth: bool = True) -> Opened:
        root = self._root(place)
        folder = open_folder(root, self.classes, with_depth=with_depth)
        depth = _origin(folder.places.values()) if with_depth else {"source": "none"}
        found = Opened(depth, folder.tiles, faults, flat_depths, fingerprints, mask_faults)
        return replace(found, twins=twins, oddities=oddities, pixel_metres=median_metres)

    def folders(self, place: Place) -> list[Path]:
        return [self._root(place) / split for split in SPLITS]

    def settled(self, place: Place) -> Self:
        self._root(place)
        return self

    @property
    def source(self) -> str:
        return self.source_domain or ""

    @property
    def target(self) -> str:
        return self.target_domain or ""

    @property
    def route(self) -> str:
        return f"{self.source} to {self.target}"

    def title(self, place: Place) -> str:
        return "/".join(Path(place or "").parts[-2:]) or "a folder"

    def _root(self, place: Place) -> Path:
        """Its folder; raises ValueError where not all of it was said."""
        given = {
            "--classes": len(self.classes),
            "--source-domain": self.source_domain,
            "--target-domain": self.target_domain,
            "--data-dir": place,
        }
        missing = ", ".join(flag for flag, value in given.items() if not value)
        if missing:
            raise ValueError(f'dataset "folder" needs {missing}.')
        return Path(str(place)).expanduser()


def _origin(places: Iterable[Path]) -> dict[str, str]:
    """What made the depth: ``origin`` is a checkpoint's, where it alone made all maps there are.

    ``fingerprint`` is its estimator's, where all records note it; ``origins`` names them where the
    domains' maps are of several.
    """
    records = [DepthRecord(place) for place in places if (place / "depths").is_dir()]
    records = [record for record in records if any(record.depths.iterdir())]
    sources = {record.source if record.covers() else None for record in records}
    fingerprints = {record.fingerprint for record in records}
    found = {"source": MAPS}
    if len(sources) > 1:
        told = sorted(OWN if source is None else source for source in sources)
        found["origins"] = " and ".join(told)
    if len(sources) == 1 and len(fingerprints - {None}) < 2 and (origin := sources.pop()):
        found["origin"] = origin
        if len(fingerprints) == 1 and (fingerprint := fingerprints.pop()):
            found["fingerprint"] = fingerprint
    return found
