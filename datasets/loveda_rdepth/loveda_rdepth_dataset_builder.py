"""LoveDA with relative depth, for `tfds build` and for `scripts/prepare.py`."""

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.utils import tqdm
from tensorflow_datasets.core.writer import ExampleWriter
from tensorflow_datasets.proto import tf_example_pb2 as protocol

from rdepth_keras.data import png
from rdepth_keras.data.loveda.census import exchanged, shared_depths
from rdepth_keras.data.loveda.depth_origin import describe_origin
from rdepth_keras.data.loveda.prepared import FLAT_DEPTH, SHARED_DEPTH, check_source
from rdepth_keras.data.loveda.raw import TileFacts, inspect_all
from rdepth_keras.data.loveda.spelling import DOMAINS
from rdepth_keras.data.loveda.statistics import format_shares
from rdepth_keras.data.loveda.tree import (
    LAYOUT,
    RECORD,
    TileFiles,
    absent_places,
    find_tiles,
    shadowed,
)
from rdepth_keras.depth.normalise import flat_notice, is_flat
from rdepth_keras.depth.presets import PRESETS, PUBLISHED
from rdepth_keras.labels import LOVEDA

from .depth_sources import CHUNK, DepthSource, Opening, open_source

LABELS = ["no-data", *LOVEDA.names]  # in the order of the stored values 0..7


@dataclass(eq=False)
class DepthConfig(tfds.core.BuilderConfig):
    """Names where depth comes from: ``depths_png``, ``checkpoint``, or a published checkpoint.

    ``origin`` is what the depth is estimated with, see ``rdepth_keras.depth.presets``; "" for
    ready-made maps, and for the checkpoint in the manual directory.
    """

    licence: str = "your own"
    origin: str = ""


CONFIGS = {
    name: DepthConfig(
        name=name,
        description=f"Depth by {preset.title} ({preset.origin}); weights under {preset.licence}.",
        licence=preset.licence,
        origin=preset.origin,
    )
    for name, preset in PRESETS.items()
} | {
    "checkpoint": DepthConfig(
        name="checkpoint",
        description="Depth by the checkpoint in depth_checkpoint/ of the manual directory "
        "(Depth Anything in Hugging Face layout: config.json, model.safetensors).",
    ),
    "depths_png": DepthConfig(
        name="depths_png",
        description="Ready-made 8- or 16-bit maps, <Split>/<Domain>/depths_png/<id>.png.",
    ),
}


class SortedWriter(ExampleWriter):
    """Writes the features of a record in a fixed order.

    Protocol buffers leave the order of a map to a per-process seed, so that two builds of the same
    data would differ in their bytes.
    """

    def write(self, path, examples):
        return super().write(path, ((key, _sort(record)) for key, record in examples))


def _sort(record: bytes) -> bytes:
    example: Any = vars(protocol)["Example"]  # made at import: type checkers do not see it
    return example.FromString(record).SerializeToString(deterministic=True)


class Builder(tfds.core.GeneratorBasedBuilder):
    """Splits ``train_urban``, ``train_rural``, ``val_urban``, ... for the folders that exist."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First release."}  # noqa: RUF012 (the base class's own form)
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        f"Download LoveDA from {RECORD} (CC BY-NC-SA 4.0, academic use only) into the manual "
        f"directory; expected in it: {LAYOUT}."
    )
    # Without --config, `tfds build` builds every config of this list: only the published depth.
    # The others are found by name, see get_builder_config.
    BUILDER_CONFIGS = [CONFIGS[PUBLISHED]]  # noqa: RUF012

    def __init__(self, *, file_format: Any = None, **arguments):
        super().__init__(file_format=file_format or "array_record", **arguments)

    @classmethod
    def get_builder_config(cls, name: str, version=None) -> DepthConfig | None:
        return CONFIGS.get(name.split(":")[0])

    def _info(self) -> tfds.core.DatasetInfo:
        size = (None, None)
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Scalar(np.int64),
                    "domain": tfds.features.ClassLabel(names=DOMAINS),
                    "image": tfds.features.Image(shape=(*size, 3), encoding_format="png"),
                    "depth": tfds.features.Image(
                        shape=(*size, 1), dtype=np.uint16, encoding_format="png"
                    ),
                    "depth_minimum": tfds.features.Scalar(np.float32),
                    "depth_maximum": tfds.features.Scalar(np.float32),
                    "label": tfds.features.LabeledImage(
                        labels=LABELS, shape=(*size, 1), encoding_format="png"
                    ),
                    "labelled": tfds.features.Scalar(np.bool_),
                }
            ),
            homepage="https://github.com/Junjue-Wang/LoveDA",
            metadata=tfds.core.MetadataDict(),
        )

    def _example_writer(self) -> SortedWriter:
        return SortedWriter(_known(self.info.file_format))

    def download_and_prepare(self, *, download_dir=None, download_config=None, **others) -> None:
        """As ever; what is prepared already is told, and refused where its depth is another's."""
        config = download_config or tfds.download.DownloadConfig()
        if self.is_prepared() and not config.download_mode.overwrite_dataset:
            downloads = Path(download_dir or Path(self._data_dir_root) / "downloads")
            self._check_prepared(Path(config.manual_dir or downloads / "manual").expanduser())
        super().download_and_prepare(
            download_dir=download_dir, download_config=download_config, **others
        )

    def _check_prepared(self, manual_dir: Path) -> None:
        """Tells what there is; ValueError where another source or checkpoint made its depth."""
        origin, noted = self._origin(manual_dir), _known(self.info.metadata)["depth"]
        check_source(Path(self.data_path), _known(self.builder_config).name, noted["source"])
        is_absent = Path(origin).is_absolute() and not Path(origin).exists()
        asked = {} if origin == "" or is_absent else describe_origin(origin)
        if any(noted.get(name, value) != value for name, value in asked.items()):
            raise ValueError(
                f"{self.data_path} holds depth by {noted['origin']}, and now another checkpoint is "
                f"asked for under the name {noted['source']}: give another --data_dir, rename the "
                "checkpoint's folder, or replace what is prepared with --overwrite."
            )
        print(f"{self.data_path} is prepared and stays as it is; --overwrite prepares it again.")
        if asked.keys() - noted.keys():
            print("It does not say by which checkpoint of that name its depth was estimated.")
        self._tell_parts()

    def _origin(self, manual_dir: Path) -> str:
        """What estimates the depth; "" for ready-made maps."""
        config = _known(self.builder_config)
        is_manual = config.name == "checkpoint"
        return str(manual_dir.resolve() / "depth_checkpoint") if is_manual else config.origin

    def _download_and_prepare(self, dl_manager, download_config) -> None:
        if download_config.max_examples_per_split == 0:
            raise ValueError(
                "--max_examples_per_split 0 would leave an empty dataset that looks finished; "
                "give at least 1."
            )
        self._with_beam = bool(download_config.beam_options or download_config.beam_runner)
        super()._download_and_prepare(dl_manager, download_config)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        """Reads and checks every file first, so that a bad one stops before the long work."""
        self._require_array_record()
        config = _known(self.builder_config)
        name, manual_dir = config.name, Path(dl_manager.manual_dir)
        places = find_tiles(manual_dir, with_depth=name == "depths_png")
        tree = _by_split(places)
        cache_dir = Path(dl_manager.download_dir) / "depth_cache"
        licence = "that of the checkpoint" if name == "checkpoint" else config.licence
        total = sum(map(len, tree.values()))
        opening = Opening(name, self._origin(manual_dir), licence, cache_dir, total)
        source = open_source(opening)
        print(config.description)
        for said in shadowed(manual_dir):
            print(f"WARNING: {said}.")
        if absent := absent_places(places):
            print(f"Not in {manual_dir}, so prepared without: {', '.join(absent)}.")
        facts = self._inspect(tree)
        _known(self.info.metadata).update(_metadata(source, facts))
        return {split: self._generate_examples(tiles, opening) for split, tiles in tree.items()}

    def _require_array_record(self) -> None:
        file_format = _known(self.info.file_format)
        if file_format != tfds.core.FileFormat.ARRAY_RECORD:
            raise ValueError(
                "This dataset is read by random access without TensorFlow, so it is written as "
                f"array_record only; received {file_format.value}. "
                "Leave --file_format out or give array_record."
            )

    def _inspect(self, tree: dict[str, tuple[TileFiles, ...]]) -> dict[str, list[TileFacts]]:
        """Looks at every file; raises ValueError that names all bad ones."""
        facts, faults = {}, []
        for split, tiles in tree.items():
            for said in exchanged(split, [tile.id for tile in tiles]):
                print(f"WARNING: {said}")
            found = inspect_all(tiles)
            try:
                facts[split] = list(
                    tqdm(found, desc=f"Checking {split}...", total=len(tiles), unit=" tiles")
                )
            except ValueError as error:
                faults.append(str(error))
        if faults:
            raise ValueError(" ".join(faults))
        return facts

    def _generate_examples(self, tiles: Sequence[TileFiles], opening: Opening):
        """A generator; with `--beam_pipeline_options` the same work as a Beam transform."""
        if not self._with_beam:
            return make_examples(tiles, opening)
        beam = tfds.core.lazy_imports.apache_beam
        chunks = [tuple(tiles[i : i + CHUNK]) for i in range(0, len(tiles), CHUNK)]
        return beam.Create(chunks) | beam.Reshuffle() | beam.FlatMap(make_examples, opening)

    def _post_download_and_prepare_hook(self) -> None:
        print(format_shares(_known(self.info.metadata)["tiles"]))
        self._tell_parts()

    def _tell_parts(self) -> None:
        for split, entry in _known(self.info.metadata)["tiles"].items():
            written, found = self.info.splits[split].num_examples, len(entry["ids"])
            for said in shared_depths(split, entry):
                print(f"WARNING: {said}")
            if written < found:
                print(
                    f"PARTIAL: {split} has {written} of {found} tiles (--max_examples_per_split)."
                )


def _known(value: Any) -> Any:
    """What TFDS declares as optional and has set by now."""
    assert value is not None
    return value


def make_examples(
    tiles: Sequence[TileFiles], opening: Opening
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(tile number, record) of each tile; says last which depth maps are flat."""
    flat = []
    for tile, depth in zip(tiles, open_source(opening).stream(tiles), strict=True):
        size = depth.values.shape
        mask = tile.mask.read() if tile.mask else png.encode(np.zeros(size, np.uint8))
        record = {
            "id": tile.id,
            "domain": tile.domain,
            "image": io.BytesIO(tile.image.read()),
            "depth": io.BytesIO(png.encode(depth.values)),
            "depth_minimum": depth.minimum,
            "depth_maximum": depth.maximum,
            "label": io.BytesIO(mask),
            "labelled": tile.mask is not None,
        }
        if is_flat(depth.values):
            flat.append(f"{tile.split.title()}/{tile.domain.title()} {tile.id}")
        yield tile.id, record
    if flat:
        print(flat_notice(flat))


def _by_split(tree) -> dict[str, tuple[TileFiles, ...]]:
    return {f"{split}_{domain}": tiles for (split, domain), tiles in tree.items()}


def _shared_depths(tiles: Sequence[TileFacts]) -> list[int]:
    """Tiles whose ready-made depth is that of another tile as well, but for flat ones."""
    rich = [tile for tile in tiles if tile.depth_digest and not tile.flat_depth]
    count = Counter(tile.depth_digest for tile in rich)
    return [tile.id for tile in rich if count[tile.depth_digest] > 1]


def _metadata(source: DepthSource, facts: dict[str, list[TileFacts]]) -> dict[str, Any]:
    """What the records do not say: the depth source, and per tile the pixels of each class."""
    return {
        "depth": source.describe(),
        "tiles": {
            split: {
                "ids": [tile.id for tile in tiles],
                "labelled": tiles[0].pixels_per_value is not None,
                "pixels_per_value": [tile.pixels_per_value for tile in tiles],
                FLAT_DEPTH: [tile.id for tile in tiles if tile.flat_depth],
                SHARED_DEPTH: _shared_depths(tiles),
            }
            for split, tiles in facts.items()
        },
    }
