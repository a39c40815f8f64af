"""Score a trained run on a split of a domain.

    python scripts/evaluate.py --run runs/rdepth_b_b-r2u-... --split val --domain urban
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rdepth_keras import command, run
from rdepth_keras.evaluate.report import score_table


@dataclass(frozen=True)
class Evaluate:
    """Score a trained run on a split of a domain."""

    run: Path
    """Directory of the run."""
    split: Literal["train", "val", "test"] = "val"
    """Split to score."""
    domain: Literal["urban", "rural"] | None = None
    """Domain to score; the run's target when left out."""


def main() -> None:
    arguments = command.parse(Evaluate)
    console = command.console()
    result = run.evaluate(arguments.run, arguments.split, arguments.domain, console)
    title = f"{result['domain']}/{result['split']}, {result['tiles']} tiles"
    console.print(score_table({result["recipe"]: result}, title))
    console.print(f"commonest class everywhere: {100 * result['commonest_class_miou']:.2f}")


if __name__ == "__main__":
    command.guarded(main)
