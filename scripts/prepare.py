"""Prepares LoveDA with relative depth: `tfds build` with the same flags, but without TensorFlow.

    python scripts/prepare.py datasets/loveda_rdepth --config depths_png \
        --manual_dir DIR --data_dir DIR

The configs name where depth comes from; see datasets/loveda_rdepth/README.md. Ready-made maps
(`depths_png`) need nothing beyond the base install, estimated depth needs the `prepare` extra.
`--folder DIR --config depth_anything_v2_small` writes depth maps beside the tiles of a folder of
your own. `--download --accept_license` without a dataset fetches the archives and stops there.
"""

import contextlib
import dataclasses
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import simple_parsing
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TimeRemainingColumn,
)
from tensorflow_datasets.scripts.cli import build, cli_utils

from rdepth_keras.command import fail
from rdepth_keras.data import png
from rdepth_keras.data.loveda.census import verify
from rdepth_keras.data.loveda.depth_report import class_depth, draw_sheet
from rdepth_keras.data.loveda.download import LICENCE, URL, download
from rdepth_keras.data.loveda.prepared import open_loveda
from rdepth_keras.depth.presets import PUBLISHED

DATASET = Path(__file__).resolve().parents[1] / "datasets" / "loveda_rdepth"


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
    """Compare what is prepared with the published dataset, and build nothing."""

    folder: str | None = None
    """Write depth maps beside the tiles of a folder of your own, by --config; build nothing."""

    depth_report: str | None = None
    """Draw what is prepared into this PNG (image, depth, histogram), print depth by class."""

    def manual_dir(self) -> Path:
        """Where the archives belong, as TFDS has it."""
        downloads = self.paths.download_dir or self.paths.data_dir / "downloads"
        return Path(self.paths.manual_dir or downloads / "manual")


def parse(argv: Sequence[str]) -> Args:
    """The command line; a wrong flag ends in one line and exit code 2."""
    flags_parser = cli_utils.make_flags_parser(Args, description=__doc__ or "")
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
    if args.verify:
        verdict = verify(open_loveda(str(args.paths.data_dir), args.generation.config))
        print(verdict)
        return 1 if verdict.wrong else 0
    if args.depth_report:
        report_depth(args, Path(args.depth_report))
        return 0
    if args.folder:
        estimate_folder(Path(args.folder), args.generation.config or PUBLISHED)
        return 0
    if args.download:
        fetch(args)
    if not (args.positional_datasets or args.datasets):
        if args.download:
            return 0
        args.positional_datasets.append(str(DATASET))
    args.execute()
    return 0


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
    prepared = open_loveda(str(args.paths.data_dir), args.generation.config)
    sheet = []
    for split, domain in prepared.splits():
        tiles = prepared.tiles(split, domain)
        sheet += [tiles[index] for index in range(min(len(tiles), 2))]
        if tiles.labelled:
            print(f"{split} {domain}, depth by {prepared.depth['source']}")
            print(class_depth(tiles[index] for index in range(min(len(tiles), most))))
    out.write_bytes(png.encode(draw_sheet(sheet[:rows])))


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
    args = parse(argv)
    try:
        return run(args)
    except (ValueError, OSError, ImportError) as error:
        fail(error)
    except AssertionError as error:
        if "anual directory" not in str(error):  # TFDS's own word for a missing folder
            raise
        fail(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
