"""Score a trained run on a split of a domain, or set runs side by side.

    python scripts/evaluate.py --run runs/rdepth_b_b-r2u-... --split val --domain urban
    python scripts/evaluate.py --run runs/A --ensemble runs/B runs/C --inference.views symmetries
    python scripts/evaluate.py --run runs/A --report
    python scripts/evaluate.py --run runs/A --ablate depth
    python scripts/evaluate.py --compare runs/A runs/B --published --format markdown

Scores and the counts of every tile are left in the run's directory, which is what --compare reads.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rdepth_keras import command, run
from rdepth_keras.evaluate.confusion import Absent
from rdepth_keras.evaluate.tables import Format
from rdepth_keras.evaluate.terminal import difference_table, score_table, summary_line
from rdepth_keras.infer import Inference
from rdepth_keras.train.devices import keep_compilations


@dataclass(frozen=True)
class Evaluate:
    """Score a trained run on a split of a domain, or set runs side by side."""

    inference: Inference
    run: Path | None = None
    """Directory of the run."""
    split: Literal["train", "val", "test"] = "val"
    """Split to score."""
    domain: str | None = None
    """Domain to score, urban or rural, or a folder's own; the run's target when left out."""
    absent: Absent = "union"
    """Classes in the mean: those in truth or prediction, those in the truth, or all ("zero")."""
    last: bool = False
    """Score the last checkpoint also of a run of which a best one counts."""
    data_dir: Path | None = None
    """Where the run's data lie now, if they were moved."""
    ensemble: tuple[Path, ...] = ()
    """Further runs whose scores are averaged with --run's."""
    report: bool = False
    """Also write one HTML page with tables, plots and a gallery of tiles."""
    exhibits: int = 24
    """With --report: tiles in the gallery, evenly over the ranking."""
    ablate: Literal["depth"] | None = None
    """Score the run without its depth (zeroed, shuffled, noised, luminance) and print the gaps."""
    compare: tuple[Path, ...] = ()
    """Evaluated runs to print as tables, one for each protocol; nothing is predicted."""
    published: bool = False
    """With --compare: also the published rows."""
    format: Format = "markdown"
    """With --compare: how the tables are written."""


def main() -> None:
    choice = command.peek(command.RunAndWindow)
    own = run.Run(choice.run).experiment.training.inference if choice.run else Inference()
    if choice.inference.window_pixels is None:
        own = own.whole()
    arguments = command.parse(Evaluate, default=Evaluate(own))
    _check_together(arguments)
    if arguments.compare or (arguments.published and not arguments.run):
        tables = run.compare(
            arguments.compare, published=arguments.published, format=arguments.format
        )
        print(tables, end="")
    elif arguments.run is None:
        raise ValueError("Name a run to score with --run DIR, or some with --compare DIR DIR.")
    else:
        keep_compilations()
        score(arguments, arguments.run)


def _check_together(arguments: Evaluate) -> None:
    """Raises ValueError for flags of which one would be passed over."""
    compares = bool(arguments.compare or arguments.published)
    if arguments.run and compares:
        raise ValueError(
            "--run scores a run; --compare and --published print what was scored before. Give one "
            "after the other."
        )
    if arguments.run is None and (arguments.report or arguments.ensemble or arguments.ablate):
        raise ValueError("--report, --ensemble and --ablate score a run: name it with --run DIR.")
    if arguments.report and arguments.ablate:
        raise ValueError("--report and --ablate are two evaluations; give one after the other.")
    default = Evaluate(Inference())
    needs = {
        "--run": (not compares, ("inference", "split", "domain", "absent", "last", "data_dir")),
        "--report": (arguments.report, ("exhibits",)),
        "--compare": (compares, ("format",)),
    }
    for flag, (given, names) in needs.items():
        idle = [name for name in names if getattr(arguments, name) != getattr(default, name)]
        if idle and not given:
            told = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
            raise ValueError(f"{told} has no effect without {flag}; leave it away.")
    if arguments.exhibits < 0:
        raise ValueError(f"--exhibits must be at least 0; received {arguments.exhibits}.")


def score(arguments: Evaluate, directory: Path) -> None:
    console, page = command.console(), None
    place = arguments.data_dir and str(arguments.data_dir.expanduser().resolve())
    own, *members = (
        run.Run(path, place, arguments.last) for path in (directory, *arguments.ensemble)
    )
    trial = run.prepare_trial(own, arguments.split, arguments.domain, arguments.inference, members)
    for line in trial.predictor.damaged:
        console.print(line)
    for line in trial.changed:
        console.print(f"The data have changed since the run began: {line}")
    for line in trial.told:
        console.print(line)
    if arguments.ablate is not None:
        result = run.ablate_depth(trial, console, arguments.absent)
        title = "Other depth minus true depth, 95% intervals"
        console.print(difference_table(result, f"{run.headline(own, result)}. {title}"))
        return
    if arguments.report:
        result, page = run.write_report(
            trial, console, absent=arguments.absent, exhibits=arguments.exhibits
        )
    else:
        result = run.evaluate(trial, console, arguments.absent)
    console.print(score_table({result["recipe"]: result}, run.headline(own, result)))
    console.print(summary_line(result))
    if page is not None:
        print(page)


if __name__ == "__main__":
    command.guarded(main)
