"""Segment a picture with a trained run.

    python scripts/predict.py --run runs/rdepth_b_b-r2u-... --color image.png classes.png

The output holds train ids: 0..6 (background, building, road, water, barren, forest, agriculture),
or the places in the class file of a run on a folder.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from rdepth_keras import command, run
from rdepth_keras.predict.picture import write_png
from rdepth_keras.run.dataset import class_table


@dataclass(frozen=True)
class Predict:
    """Segment a picture with a trained run."""

    image: tyro.conf.Positional[Path]
    """The picture, 8-bit RGB."""
    out: tyro.conf.Positional[Path]
    """PNG of the class ids."""
    run: Path
    """Directory of the run."""
    depth: Path | None = None
    """Ready-made depth map, 8- or 16-bit grey, larger = nearer; estimated when left out."""
    depth_checkpoint: str | None = None
    """Depth Anything checkpoint to estimate with, its licence is printed; the one of the run's
    training when left out."""
    color: bool = False
    """Also write <out>_color.png in the published class colours."""


def main() -> None:
    arguments = command.parse(Predict)
    label = run.predict_picture(
        arguments.run, arguments.image, arguments.depth, arguments.depth_checkpoint
    )
    write_png(arguments.out, label)
    print(arguments.out)
    if arguments.color:
        colored = arguments.out.with_name(f"{arguments.out.stem}_color.png")
        write_png(colored, class_table(run.read_experiment(arguments.run)).colorize(label))
        print(colored)


if __name__ == "__main__":
    command.guarded(main)
