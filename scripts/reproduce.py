"""Reproduce rows of the published tables: look, train, score, submit, compare.

    python scripts/reproduce.py --rows rdepth_b_s,convnext_b --direction u2r -- --data-dir data
    python scripts/reproduce.py --rows rdepth_b_s --direction u2r --check -- --data-dir data

What follows -- goes to every scripts/train.py. Before anything is trained, a preflight looks at
device, dataset, weights, memory, time and disk; --check does no more. It trains a few steps on the
device: before there is one, scripts/plan.py tells the memory. Whatever was interrupted,
the same command goes on where it was. In the end the folder holds a run directory for each row and
seed, each with its submission zip, and comparison.md.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdepth_keras import command
from rdepth_keras.atomic import write_text
from rdepth_keras.data.dataset import Direction
from rdepth_keras.recipes import recipe

if TYPE_CHECKING:
    from rdepth_keras.run import Run

HERE = Path(__file__).resolve().parent
WRITTEN = "<!-- by scripts/reproduce.py, which writes it anew -->"


@dataclass(frozen=True)
class Reproduce:
    """Look, train, score, submit, compare."""

    rows: str
    """Recipes to train, separated by commas."""
    direction: Direction
    """Source and target domain."""
    seeds: int = 1
    """Number of seeds, from 0."""
    out: Path = Path("runs/reproduce")
    """Folder of the runs."""
    check: bool = False
    """Do the preflight and leave."""
    skip_preflight: bool = False
    """Start at once."""


def main() -> int:
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[: own.index("--")], own[own.index("--") + 1 :]
    arguments = command.parse(Reproduce, args=own)
    rows = tuple(filter(None, arguments.rows.split(",")))
    for name in rows:
        recipe(name)  # an unknown one is told before anything starts
    if not rows or arguments.seeds < 1:
        raise ValueError("Name at least one row and one seed, e.g. --rows rdepth_b_s --seeds 1.")
    command.check_directory("--out", arguments.out)
    if arguments.check:
        return preflight(arguments, rows, options)

    from rdepth_keras import run
    from rdepth_keras.run import sweep

    check_table(arguments.out / "comparison.md")
    cells = sweep.plan(rows, (arguments.direction,), range(arguments.seeds), arguments.out)
    for line in sweep.check(cells, HERE / "train.py", options):
        print(line)
    unfinished = tuple(dict.fromkeys(cell.recipe for cell in cells if not cell.finished))
    if unfinished and not arguments.skip_preflight:
        # In a process of its own: it would keep the GPU's memory from the training.
        again = [sys.executable, __file__, *own, "--check", "--rows", ",".join(unfinished)]
        if code := subprocess.run([*again, "--", *options]).returncode:
            return code
    for number, cell in enumerate(cells, 1):
        print(f"[{number}/{len(cells)}] {cell.directory}", flush=True)
        try:
            end = sweep.train(cell, HERE / "train.py", options, None)
        except KeyboardInterrupt:
            end = "interrupted"
        print(f"[{number}/{len(cells)}] {end}", flush=True)
        if not end.startswith("finished"):
            print("Go on with the same command.", file=sys.stderr)
            return 1
    place = sweep.settings(cells[0], HERE / "train.py", options).resources.data_dir
    return finish(arguments, [run.Run(cell.directory, place) for cell in cells])


def preflight(arguments: Reproduce, rows: tuple[str, ...], options: list[str]) -> int:
    from rdepth_keras.run import sweep
    from rdepth_keras.run.preflight import preflight as look

    cells = sweep.plan(rows, (arguments.direction,), (0,), arguments.out)
    experiments = [sweep.settings(cell, HERE / "train.py", options) for cell in cells]
    findings = look(
        experiments, arguments.seeds, arguments.out, lambda finding: print(finding, flush=True)
    )
    return 0 if all(finding.good for finding in findings) else 1


def check_table(path: Path) -> None:
    """Raises FileExistsError where another file than a table of this script would be replaced."""
    if path.exists() and not path.read_bytes().startswith(WRITTEN.encode()):
        raise FileExistsError(f"{path} is no table of this script, and would be replaced: move it.")


def finish(arguments: Reproduce, runs: "Sequence[Run]") -> int:
    """Submissions and the table; whole ones that are there stay. 1 where one is missing."""
    from rdepth_keras import run
    from rdepth_keras.evaluate.submission import check_submission

    console, code = command.console(), 0
    for own in runs:
        domain = own.experiment.data.target
        out = own.directory / f"submission_{domain}.zip"
        try:
            if not out.exists():
                run.submit(own, domain, out, console)
            elif (found := check_submission(out, run.expected_submission(own, domain))).faults:
                raise ValueError(f"{out} was there before, and is none: move it away. {found}")
        except ValueError as error:
            print(f"No submission: {error}", file=sys.stderr)
            code = 1
            continue
        print(out)
    text = run.compare([own.directory for own in runs], published=True, format="markdown")
    write_text(arguments.out / "comparison.md", f"{WRITTEN}\n\n{text}")
    print(text, end="")
    return code


if __name__ == "__main__":
    command.guarded(main)
