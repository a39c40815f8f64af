"""The prepared LoveDA: found on disk, read by random access, without TensorFlow.

`scripts/prepare.py` or `tfds build` writes it; nothing here imports the builder.
"""

import functools
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from rdepth_keras.arrays import Tile
from rdepth_keras.data import png
from rdepth_keras.data.loveda.spelling import DOMAINS
from rdepth_keras.data.loveda.tree import LAYOUT, RECORD
from rdepth_keras.data.splits import SPLITS, AbsentSplit
from rdepth_keras.depth.normalise import dequantise
from rdepth_keras.labels import IGNORE, LOVEDA
from rdepth_keras.naming import shorten

NAME = "loveda_rdepth"
SHARED_DEPTH = "shared_depth"  # of the metadata: tiles whose map is another tile's as well
FLAT_DEPTH = "constant_depth"  # of the metadata; first, only constant maps were looked for


def default_data_dir() -> Path:
    """Where TFDS keeps datasets unless told otherwise."""
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


class LovedaTiles:
    """The tiles of one split and domain; see :class:`rdepth_keras.arrays.Tiles`.

    Only the place of the files is pickled; every process opens them for itself.
    """

    def __init__(self, folder: Path, split: str, domain: str, labelled: bool):
        self.labelled = labelled
        self._folder, self._split = folder, f"{split}_{domain}"

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Tile:
        """Decodes one tile. Raises IndexError beyond the last one."""
        return self._decode(index, png.decode_trusted)

    def checked(self, index: int) -> Tile:
        """The same with every check; raises ValueError, or RuntimeError for a damaged record."""
        try:
            tile = self._decode(index, png.decode)
        except (ValueError, RuntimeError) as error:
            # The number of a damaged record is in it; its place is all that is known of it.
            raise type(error)(f"{self._folder}, {self._split}, record {index}: {error}") from error
        sizes = {tile[name].shape[:2] for name in ("image", "depth", "label")}
        if len(sizes) > 1:
            raise ValueError(f"{self._folder}, {self._split}, tile {tile['id']}: sizes {sizes}")
        return tile

    def shards(self) -> list[tuple[Path, int]]:
        """The files of these tiles, with the number of tiles in each."""
        split = self._builder.info.splits[self._split]
        return [
            (Path(path), count)
            for path, count in zip(split.filepaths, split.shard_lengths, strict=True)
        ]

    @property
    def written_bytes(self) -> int:
        """Of all records together, as noted when they were written."""
        return self._builder.info.splits[self._split].num_bytes

    def flat_depths(self, pixels: bool = False) -> list[int]:
        """Numbers of the tiles whose depth is flat, by rising number.

        Ready-made maps were looked at when they were prepared; ``pixels`` reads every record, for
        estimated ones that are constant.
        """
        found = set(self.statistics.get(FLAT_DEPTH, []))
        if pixels:
            records = (self._records[index] for index in range(len(self)))
            constant = (r for r in records if r["depth_minimum"] == r["depth_maximum"])
            found |= {int(record["id"]) for record in constant}
        return sorted(found)

    def _decode(self, index: int, decode: Callable[[bytes], np.ndarray]) -> Tile:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self._split} holds {len(self)} tiles; received index {index}.")
        record = self._records[index % len(self)]
        image = decode(record["image"])
        label = LOVEDA.encode(decode(record["label"])) if self.labelled else None
        return Tile(
            id=int(record["id"]),
            image=image,
            depth=dequantise(decode(record["depth"])),
            label=np.full(image.shape[:2], IGNORE, np.uint8) if label is None else label,
        )

    def stored(self) -> Iterator[bytes]:
        """The encoded bytes of every tile, in order: for a fingerprint."""
        for index in range(len(self)):
            record = self._records[index]
            yield str(int(record["id"])).encode()
            yield from (record[name] for name in ("image", "depth", "label"))

    def pictures(self, ids: Collection[int]) -> dict[int, bytes]:
        """Number -> digest of the stored image's bytes, of the tiles of these numbers.

        Only records say where a number lies: they are read until all are found.
        """
        found: dict[int, bytes] = {}
        for index in range(len(self)):
            if len(found) == len(ids):
                break
            record = self._records[index]
            if int(record["id"]) in ids:
                found[int(record["id"])] = blake2b(record["image"]).digest()
        return found

    def pixels_per_class(self) -> np.ndarray:
        """Pixels of each class as counted at preparation, (tiles, 7) int64; decodes nothing."""
        if not self.labelled:
            return np.zeros((len(self), len(LOVEDA)), np.int64)
        entry = self.statistics
        values = np.array(entry["pixels_per_value"], np.int64)[:, list(LOVEDA.values)]
        rows = dict(zip(entry["ids"], values, strict=True))
        # Records lie in another order than statistics, and only they say which.
        numbers = [int(self._records[index]["id"]) for index in range(len(self))]
        if strange := sorted({*numbers} - rows.keys()):
            raise ValueError(
                f"{self._folder}, {self._split} holds tiles that were not prepared for it: "
                f"{shorten(strange)}. Were its files exchanged? Prepare it again with --overwrite."
            )
        return np.stack([rows[number] for number in numbers])

    @property
    def statistics(self) -> Mapping[str, Any]:
        """What was counted at preparation, by rising number of the tiles."""
        metadata: Any = self._builder.info.metadata
        return metadata["tiles"][self._split]

    @property
    def name(self) -> str:
        """Split and domain, such as ``train_urban``."""
        return self._split

    def __repr__(self):
        return f"LovedaTiles({self._split}, {len(self)} tiles, labelled={self.labelled})"

    def __getstate__(self) -> dict[str, Any]:
        opened = ("_builder", "_records")
        return {name: value for name, value in vars(self).items() if name not in opened}

    @functools.cached_property
    def _builder(self) -> Any:
        return tfds.builder_from_directory(self._folder)

    @functools.cached_property
    def _records(self):
        skip: Any = tfds.decode.SkipDecoding
        raw = {name: skip() for name in ("image", "depth", "label")}
        return self._builder.as_data_source(self._split, decoders=raw)


@dataclass(frozen=True)
class Prepared:
    """One prepared config: the same tiles with depth from one source.

    ``depth`` says where it comes from (``source``, ``licence``, ...); it belongs into run records.
    """

    folder: Path
    config: str
    depth: Mapping[str, str]
    statistics: Mapping[str, Mapping[str, Any]]

    def splits(self) -> tuple[tuple[str, str], ...]:
        """The (split, domain) pairs that were prepared."""
        pairs = ((split, domain) for split in SPLITS for domain in DOMAINS)
        return tuple(pair for pair in pairs if "_".join(pair) in self.statistics)

    def tiles(self, split: str, domain: str) -> LovedaTiles:
        """Raises AbsentSplit for a pair that was not prepared, naming those that were."""
        if (split, domain) not in self.splits():
            present = ", ".join(f"{s} {d}" for s, d in self.splits())
            raise AbsentSplit(
                f"{self.folder} holds no {split} {domain} tiles; prepared are: {present}. "
                f"Add {split.title()}/{domain.title()} to the manual directory and prepare again "
                "with --overwrite."
            )
        labelled = self.statistics[f"{split}_{domain}"]["labelled"]
        return LovedaTiles(self.folder, split, domain, labelled)

    def pixels_per_value(self, split: str, domain: str) -> np.ndarray | None:
        """Pixels of the stored mask values 0..7, (tiles, 8) int64; None where unlabelled.

        Rows go by rising tile number, as ``statistics[...]["ids"]``, not in reading order.
        """
        entry = self.statistics[f"{split}_{domain}"]
        return np.array(entry["pixels_per_value"], np.int64) if entry["labelled"] else None


def prepared_configs(data_dir: Path | str | None = None) -> tuple[str, ...]:
    """Names of the configs that are prepared, finished, under ``data_dir``."""
    return tuple(sorted(finished_folders(data_dir)))


def finished_folders(data_dir: Path | str | None) -> dict[str, Path]:
    """Config -> folder of its newest version; those unfinished or set aside have no valid name."""
    root = Path(data_dir).expanduser() if data_dir else default_data_dir()
    finished: dict[str, tuple[tuple[int, ...], Path]] = {}
    for info in root.glob(f"{NAME}/*/*/dataset_info.json"):
        folder, numbers = info.parent, info.parent.name.split(".")
        if all(number.isdigit() for number in numbers) and (folder / "metadata.json").exists():
            version = tuple(map(int, numbers))
            config = folder.parent.name
            finished[config] = max(finished.get(config, ((), folder)), (version, folder))
    return {config: folder for config, (_, folder) in finished.items()}


def open_loveda(data_dir: Path | str | None = None, config: str | None = None) -> Prepared:
    """Opens what `scripts/prepare.py` wrote; ``config`` None means the only one there is.

    Raises FileNotFoundError, with the command that prepares it, when nothing (or not this config)
    is prepared, and ValueError when several are and none was named, or its depth is of another.
    """
    root = Path(data_dir).expanduser() if data_dir else default_data_dir()
    finished = finished_folders(root)
    if config is None and len(finished) > 1:
        names = ", ".join(sorted(finished))
        raise ValueError(f"{root} holds several configs: {names}. Choose one with --config.")
    if not finished or (config is not None and config not in finished):
        raise FileNotFoundError(_how_to_prepare(root, config, sorted(finished)))
    name = config or next(iter(finished))
    metadata: Any = tfds.builder_from_directory(finished[name]).info.metadata
    check_source(finished[name], name, metadata["depth"]["source"])
    return Prepared(finished[name], name, metadata["depth"], metadata["tiles"])


def check_source(folder: Path, config: str, source: str) -> None:
    """Raises ValueError where prepared depth is by another source than its folder is named by."""
    if source != config:
        raise ValueError(
            f"{folder} is named as depth by {config}, and holds depth by {source}: rename "
            f"{config} back to {source}, or prepare {config} (scripts/prepare.py --config {config} "
            "--overwrite)."
        )


def _how_to_prepare(root: Path, config: str | None, finished: list[str]) -> str:
    wanted = f"{NAME}/{config}" if config else NAME
    others = f" (prepared there: {', '.join(finished)})" if finished else ""
    return (
        f"{wanted} is not prepared in {root}{others}. Prepare it with: python scripts/prepare.py "
        f"datasets/{NAME} --config {config or 'CONFIG'} --manual_dir DIR --data_dir {root}. "
        f"DIR must hold {LAYOUT}; LoveDA is at {RECORD}. If it was prepared elsewhere, or moved, "
        "name that place with --data-dir."
    )
