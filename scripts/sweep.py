"""Train recipes x directions x seeds, one after the other, and print mean and deviation.

    python scripts/sweep.py --recipes rdepth_b_s rdepth_b_b --seeds 0 1 2 -- --data-dir data

What follows -- goes to every scripts/train.py. A sweep that was stopped goes on where it was.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from rdepth_keras import command
from rdepth_keras.data.dataset import Direction
from rdepth_keras.recipes import recipe
from rdepth_keras.run import headline, sweep

TRAIN = Path(__file__).with_name("train.py")


@dataclass(frozen=True)
class Sweep:
    """Train recipes x directions x seeds and print mean and standard deviation."""

    recipes: tuple[str, ...]
    """Recipes to train."""
    directions: tuple[Direction, ...] = ("r2u", "u2r")
    """Directions to train each in."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds to train each with."""
    oracles: tuple[str, ...] = ()
    """Recipes to train on the labelled target as well: what there is to gain at most."""
    out: Path = Path("runs/sweep")
    """Folder of the run directories."""
    cap_hours: float | None = None
    """A run over this time is saved and left; the next sweep goes on with it."""
    page: Path | None = None
    """Markdown file for the table of all runs, with a picture of some tiles beside it."""


def main() -> int:
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = command.parse(Sweep, args=own)
    for name in (*arguments.recipes, *arguments.oracles):
        recipe(name)  # an unknown one is told before the first run starts
    command.check_directory("--out", arguments.out)
    axes = arguments.recipes, arguments.directions, arguments.seeds
    cells = sweep.plan(*axes, arguments.out, arguments.oracles)
    if arguments.cap_hours is not None and not arguments.cap_hours > 0:
        raise ValueError(f"--cap-hours must be above 0; received {arguments.cap_hours}.")
    if arguments.page is not None:
        made_by_runs = arguments.page.absolute().parent == arguments.out.absolute()
        if arguments.out.is_dir() or not made_by_runs:
            command.check_folder("--page", arguments.page)
        sweep.check_page(arguments.page)
    for line in sweep.check(cells, TRAIN, options):
        print(line)
    cap = None if arguments.cap_hours is None else 3600 * arguments.cap_hours
    failed = 0
    for number, cell in enumerate(cells, 1):
        print(f"[{number}/{len(cells)}] {cell.directory}", flush=True)
        end = sweep.train(cell, TRAIN, options, cap)
        print(f"[{number}/{len(cells)}] {end}", flush=True)
        failed += end.startswith("failed")
    console = command.console()
    rows = sweep.summarise(cells)
    console.print(_table(rows) if rows else "No run of the sweep has been scored yet.")
    for cell in cells:
        if (metrics := cell.metrics) is not None:
            console.print(f"{cell.directory.name}: {headline(cell.run, metrics)}")
    if told := sweep.told_of_all(cells):
        console.print(f"The runs were {told}")
    if arguments.page is not None:
        from rdepth_keras.run.leaderboard import write_leaderboard

        line = shlex.join(["python", "scripts/sweep.py", *sys.argv[1:]])
        for path in write_leaderboard(cells, arguments.page, line):
            console.print(str(path))
    return 1 if failed else 0


def _table(rows) -> Table:
    table = Table(title="IoU in %, mean ± standard deviation over seeds; protocols below")
    table.add_column("run")
    table.add_column("seeds", justify="right")
    for name in [*next(iter(rows.values()))["iou"], "mIoU"] if rows else []:
        table.add_column(name, justify="right")
    for name, row in rows.items():
        values = [*row["iou"].values(), row["miou"]]
        table.add_row(name, str(row["seeds"]), *map(_spread, values))
    return table


def _spread(value: tuple[float, float | None] | None) -> str:
    if value is None:
        return "-"
    mean, deviation = value
    return f"{100 * mean:.2f}" + ("" if deviation is None else f" ± {100 * deviation:.2f}")


if __name__ == "__main__":
    command.guarded(main)
