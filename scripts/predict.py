"""Segment pictures with a trained run.

    python scripts/predict.py --run runs/rdepth_b_b-r2u-... --color image.png classes.png
    python scripts/predict.py --run runs/rdepth_b_b-r2u-... pictures/ classes/

The output holds class ids from 0: for LoveDA 0 background, 1 building, 2 road, 3 water, 4 barren,
5 forest, 6 agriculture (LoveDA's own masks hold 1 to 7 for the same); for a run on a folder, the
places in its class file.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from rdepth_keras import command, run
from rdepth_keras.infer import Inference
from rdepth_keras.predict.jobs import plan
from rdepth_keras.predict.picture import (
    COLORED,
    check_inputs,
    check_outputs,
    meaning,
    notices,
    shared_depths,
    write_map,
)
from rdepth_keras.train.devices import keep_compilations


@dataclass(frozen=True)
class Predict:
    """Segment pictures with a trained run."""

    image: tyro.conf.Positional[Path]
    """The picture, 8-bit RGB; or a folder of pictures, or a pattern such as 'tiles/**/*.png'."""
    out: tyro.conf.Positional[Path]
    """PNG of the class ids (0..6 for LoveDA, whose masks hold 1..7); or a folder for many."""
    run: Path
    """Directory of the run."""
    inference: Inference
    depth: Path | None = None
    """Ready-made depth map, 8- or 16-bit grey or a float TIFF, larger = nearer, best without loss
    (no JPEG); for many pictures a folder of maps of the same names. Estimated when left out."""
    depth_checkpoint: str | None = None
    """What estimates depth: a config of scripts/prepare.py such as depth_anything_v1_large, a
    Hugging Face name or a folder; the one of the run's training when left out."""
    color: bool = False
    """Also write <out>_color.png in the class colours."""
    overwrite: bool = False
    """Replace files that lie where maps are written."""


def main() -> None:
    arguments = command.parse(
        Predict, default=_defaults(_inference(command.peek(command.RunAndWindow)))
    )
    own_run = run.Run(arguments.run)
    _check_together(arguments, own_run)
    jobs = plan(arguments.image, arguments.out, arguments.depth)
    inputs = [path for job in jobs for path in (job.image, job.depth) if path is not None]
    outputs = [job.out for job in jobs]
    outputs += [colored(out) for out in outputs] if arguments.color else []
    if len(set(outputs)) < len(outputs):
        twice = next(out for out in outputs if outputs.count(out) > 1)
        raise ValueError(
            f"Two maps would be written as {twice}, one of them in colours: rename a picture, or "
            "leave --color away."
        )
    pairs = [(job.image, job.depth) for job in jobs]
    check_inputs(pairs)
    if any(job.out.parent == arguments.out for job in jobs):
        arguments.out.mkdir(parents=True, exist_ok=True)
    check_outputs(outputs, inputs, arguments.overwrite)
    if not arguments.color and (left := [job.out for job in jobs if colored(job.out).exists()]):
        raise FileExistsError(
            f"{colored(left[0])} would stay beside a new map, and show another: delete it, or add "
            "--color."
        )
    table = own_run.experiment.data.classes
    said = [*notices(job.image for job in jobs), *shared_depths(pairs), *meaning(table)]
    for notice in said:
        print(notice)
    keep_compilations()
    predict = run.load_picture_predictor(
        own_run,
        inference=arguments.inference,
        depth_checkpoint=arguments.depth_checkpoint,
        estimates=any(job.depth is None for job in jobs),
    )
    for job in jobs:
        label = predict(job.image, job.depth)
        write_map(job.out, label, arguments.overwrite)
        print(job.out)
        if arguments.color:
            write_map(colored(job.out), table.colorize(label), arguments.overwrite)
            print(colored(job.out))


def _check_together(arguments: Predict, own: run.Run) -> None:
    """Raises ValueError for flags of which one would be passed over."""
    given = {"--depth": arguments.depth, "--depth-checkpoint": arguments.depth_checkpoint}
    flags = " and ".join(flag for flag, value in given.items() if value is not None)
    if flags and not own.experiment.network.reads_depth:
        raise ValueError(f"The network of {own} looks at the image alone; leave {flags} away.")
    if None not in given.values():
        raise ValueError(f"{flags} are two origins of depth; give one of them.")


def colored(out: Path) -> Path:
    """Where the map in the class colours goes."""
    return out.with_name(f"{out.stem}{COLORED}.png")


def _inference(known: command.RunAndWindow) -> Inference:
    """The run's own, with windows, of the side that is given, that overlap without a seam."""
    if known.run is None:
        return Inference()
    own, side = run.Run(known.run).experiment.training.inference, known.inference.window_pixels
    if side == 0:
        return own.seamless()
    return replace(own.whole(), window_pixels=side).seamless()


def _defaults(inference: Inference) -> Predict:
    missing: Any = tyro.MISSING
    return Predict(missing, missing, missing, inference)


if __name__ == "__main__":
    command.guarded(main)
