"""Prepares data: LoveDA with a depth map for every tile, or depth maps for tiles of your own.

Fetch LoveDA (CC BY-NC-SA 4.0, for academic use only), and with --config prepare it, too:
    python scripts/prepare.py --download --accept_license --manual_dir LoveDA
Prepare it, with depth by SOURCE:
    python scripts/prepare.py --config SOURCE --manual_dir LoveDA --data_dir data
Write depth maps beside your own tiles, where there are none yet:
    python scripts/prepare.py --folder DIR --config SOURCE
Read every pixel of what is prepared, or of a folder, and name everything that is wrong:
    python scripts/prepare.py --verify --data_dir data
    python scripts/prepare.py --verify --folder DIR --classes classes.yaml
Look at the depth: a sheet of pictures, and the mean depth of each class:
    python scripts/prepare.py --depth_report report.png --data_dir data

SOURCE is one of
    {presets}
    a checkpoint's name on the Hugging Face hub (OWNER/NAME)
    a folder with config.json and model.safetensors
    depths_png   (LoveDA) maps that you have made: Train/Urban/depths_png/1366.png, ...
    checkpoint   (LoveDA) the folder depth_checkpoint in the manual directory
All but depths_png need: pip install 'rdepth_keras[prepare]'

Places and how much
    --manual_dir DIR    where LoveDA lies: Train, Val and Test as folders or as downloaded
    --data_dir DIR      where the result goes; ~/tensorflow_datasets when left out
    --download_dir DIR  where depth maps are kept, so that a killed preparation goes on
    --overwrite         prepare again; what is there stays until that is done
    --max_examples_per_split N    a part, to try things; the whole then takes --overwrite
All flags, which are those of `tfds build` and some more: --helpfull
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

import contextlib
import dataclasses
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import simple_parsing
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TimeRemainingColumn,
)
from tensorflow_datasets.scripts.cli import build, cli_utils

from rdepth_keras.atomic import check_local, write_bytes
from rdepth_keras.command import check_folder, fail, guarded, in_words
from rdepth_keras.data import png
from rdepth_keras.data.folder.classes import load_classes
from rdepth_keras.data.folder.verify import verify_folder
from rdepth_keras.data.loveda.census import verify
from rdepth_keras.data.loveda.depth_report import class_depth, draw_sheet
from rdepth_keras.data.loveda.download import LICENCE, URL, download
from rdepth_keras.data.loveda.prepared import open_loveda
from rdepth_keras.data.loveda.replacing import replacing
from rdepth_keras.depth.presets import PRESETS, PUBLISHED, find_checkpoint

DATASET = Path(__file__).resolve().parents[1] / "datasets" / "loveda_rdepth"
HELP = (__doc__ or "").replace("{presets}", "\n    ".join(PRESETS))
NOT_ESTIMATED = ("depths_png", "checkpoint")  # configs that are no checkpoint's name
COMPANIONS = {  # what is done -> the flags that go with it; with the rest, those of tfds
    ("verify", "folder"): {"classes"},
    ("verify",): {"config", "data_dir"},
    ("depth_report",): {"config", "data_dir"},
    ("folder",): {"config"},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(build.Args):
    """The flags of `tfds build`, and what TFDS has no flags for."""

    download: bool = simple_parsing.flag(default=False)
    """Fetch the published archives into the manual directory; needs --accept_license."""

    accept_license: bool = simple_parsing.flag(default=False)
    """You accept LoveDA's licence: CC BY-NC-SA 4.0, for academic use only."""

    archives_url: str = URL
    """Where the three archives lie."""

    verify: bool = simple_parsing.flag(default=False)
    """Read every pixel of what is prepared, or of --folder, and name what is wrong; build
    nothing. Prepared data are compared with the published dataset."""

    folder: str | None = None
    """Write depth maps beside the tiles of a folder of your own, by --config; build nothing."""

    classes: str | None = None
    """The class file of the folder that --verify reads."""

    depth_report: str | None = None
    """Draw what is prepared into this new PNG (image, depth, histogram), print depth by class."""

    def manual_dir(self) -> Path:
        """Where the archives belong, as TFDS has it."""
        downloads = self.paths.download_dir or self.paths.data_dir / "downloads"
        return Path(self.paths.manual_dir or downloads / "manual").expanduser()


def parse(argv: Sequence[str]) -> Args:
    """The command line; a wrong flag ends in one line and exit code 2."""
    flags_parser = cli_utils.make_flags_parser(Args, description=HELP)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return flags_parser(["prepare.py", *argv])
    except SystemExit as stop:
        if stop.code:
            fail(complaint.getvalue().strip().rsplit("error: ", 1)[-1] + " (see --help)")
        raise


def run(args: Args) -> int:
    """Downloads, builds or verifies; returns the exit code."""
    check_flags(args)
    places = (
        args.paths.data_dir,
        args.paths.manual_dir,
        args.folder,
        args.classes,
        args.depth_report,
    )
    for place in places:
        if place is not None:
            check_local(str(place))
    if args.verify:
        return verify_all(args)
    if args.depth_report:
        report_depth(args, Path(args.depth_report).expanduser())
        return 0
    if args.folder:
        source = args.generation.config or PUBLISHED
        find_checkpoint(source)  # a wrong name is told before what takes seconds
        estimate_folder(Path(args.folder).expanduser(), source)
        return 0
    if args.download:
        fetch(args)
    source = args.generation.config
    if not (args.positional_datasets or args.datasets):
        if args.download and source is None:
            return 0
        args.positional_datasets.append(str(DATASET))
    args.positional_datasets[:] = map(find_builder, args.positional_datasets)
    generation = dataclasses.replace(args.generation, config=builder_config(source))
    name, anew = prepared_config(source) or PUBLISHED, args.debug.overwrite
    with replacing(Path(args.paths.data_dir), name, anew):
        dataclasses.replace(args, generation=generation).execute()
    return 0


def find_builder(name: str) -> str:
    """Where a builder lies: ours, datasets/loveda_rdepth, is found from any working directory."""
    ours = Path(name).parts == DATASET.parts[-2:] and not Path(name).exists()
    return str(DATASET) if ours else name


def check_flags(args: Args) -> None:
    """Raises ValueError for flags that would be passed over."""
    flags, usual = flags_of(args), flags_of(parse([]))
    given = {name for name, value in flags.items() if value != usual[name]}
    own = vars(args).keys() - {field.name for field in dataclasses.fields(build.Args)}
    of_tfds = flags.keys() - own
    download = {"accept_license", "archives_url"} | of_tfds
    known = COMPANIONS | {("download",): download, (): of_tfds}
    task = next(task for task in known if given >= {*task})
    if strange := given - {*task} - known[task]:
        done, left = (
            ", ".join(f"--{name.removeprefix('positional_')}" for name in names)
            for names in (task, sorted(strange))
        )
        raise ValueError(f"{done or 'Preparing LoveDA'} takes no {left}: leave it away.")


def flags_of(part: Any) -> dict[str, Any]:
    """Every flag of a (nested) dataclass with its value."""
    found: dict[str, Any] = {}
    for name, value in vars(part).items():
        found |= flags_of(value) if dataclasses.is_dataclass(value) else {name: value}
    return found


def builder_config(source: str | None) -> str | None:
    """What `tfds build` takes for a depth source: a config's name, or a new config as JSON.

    Raises ValueError, listing the known ones, for an unknown source.
    """
    if source is None or source in NOT_ESTIMATED or source in PRESETS:
        return source
    if source.lstrip().startswith("{"):
        raise ValueError(f"--config takes the name of a source, not JSON; received {source:.80}.")
    try:
        checkpoint = find_checkpoint(source)
    except ValueError as error:
        raise ValueError(f"{error} For maps of your own, give depths_png.") from error
    name = Path(checkpoint.origin).name if Path(checkpoint.origin).is_dir() else source
    config = {
        "name": "checkpoint_" + re.sub(r"[^\w.]+", "-", name),
        "description": f"Depth by {checkpoint}.",
        "licence": checkpoint.licence,
        "origin": checkpoint.origin,
    }
    return json.dumps(config)


def prepared_config(source: str | None) -> str | None:
    """The name of the config that was prepared with a depth source."""
    config = builder_config(source) if source and ("/" in source or Path(source).is_dir()) else None
    return json.loads(config)["name"] if config and config != source else source


def verify_all(args: Args) -> int:
    """Prints what is wrong with prepared data or a folder; 1 where something is."""
    if not args.folder:
        verdict = verify(
            open_loveda(str(args.paths.data_dir), prepared_config(args.generation.config))
        )
        print(verdict)
        return 1 if verdict.wrong else 0
    if not args.classes:
        raise ValueError("--verify --folder DIR needs --classes FILE: what its masks may hold.")
    root = Path(args.folder).expanduser()
    said: list[str] = []

    def tell(line: str) -> None:
        said.append(line)
        print(line)

    faults = verify_folder(root, load_classes(Path(args.classes).expanduser()), tell)
    for fault in faults:
        print(f"wrong    {fault}")
    wrong = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    odd = sum(line.startswith("WARNING") for line in said)
    but = f" but for {odd} WARNING{'s' * (odd > 1)}" if odd else ""
    print(f"WRONG: {wrong}." if faults else f"SOUND{but}: every file was read.")
    return 1 if faults else 0


def estimate_folder(root: Path, source: str) -> None:
    """Depth maps for the tiles of a folder, with a progress bar."""
    from rdepth_keras.run.depths import write_depths  # what nothing else here needs

    with Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    ) as bars:
        task = bars.add_task("depth", total=None)
        count = write_depths(
            root,
            source,
            bars.console.print,
            lambda done, total: bars.update(task, completed=done, total=total),
        )
    print(f"{count} depth maps written under {root}")


def report_depth(args: Args, out: Path, rows: int = 8, most: int = 200) -> None:
    """A sheet of the first tiles, and the depth of the classes in up to ``most`` tiles a split."""
    check_folder("--depth_report", out)
    if out.suffix.lower() != ".png":
        raise ValueError(f"--depth_report writes a picture; name it .png, not {out}.")
    if out.exists():
        raise FileExistsError(
            f"--depth_report {out} would be replaced: delete it, or name another."
        )
    prepared = open_loveda(str(args.paths.data_dir), prepared_config(args.generation.config))
    sheet = []
    for split, domain in prepared.splits():
        tiles = prepared.tiles(split, domain)
        sheet += [tiles[index] for index in range(min(len(tiles), 2))]
        if tiles.labelled:
            looked_at, by = min(len(tiles), most), prepared.depth["source"]
            print(f"{split} {domain}, {looked_at} of {len(tiles)} tiles, depth by {by}")
            print(class_depth(map(tiles.__getitem__, range(looked_at))))
    write_bytes(out, png.encode(draw_sheet(sheet[:rows])))


def fetch(args: Args) -> None:
    """The published archives, with a progress bar."""
    if not args.accept_license:
        raise ValueError(
            f"LoveDA is under {LICENCE}; give --accept_license with --download if you accept that."
        )
    with Progress(
        "{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn()
    ) as bars:
        tasks = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            bars.update(tasks[name], completed=done, total=total or None)

        download(args.manual_dir(), url=args.archives_url, progress=show)
    print(
        f"The archives are in {args.manual_dir()}; they are prepared with: python "
        "scripts/prepare.py datasets/loveda_rdepth --config CONFIG "
        f"--manual_dir {args.manual_dir()} --data_dir DIR"
    )


def main(argv: Sequence[str]) -> int:
    if not argv or {"-h", "--help"} & set(argv):
        print(HELP, file=sys.stdout if argv else sys.stderr)
        return 0 if argv else 2
    args = parse(argv)
    try:
        return run(args)
    except (ValueError, OSError, ImportError) as error:
        fail(in_words(error))
    except AssertionError as error:
        if "anual directory" not in str(error):  # TFDS's own word for a missing folder
            raise
        fail(error)


if __name__ == "__main__":
    guarded(lambda: main(sys.argv[1:]))
