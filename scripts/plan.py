"""A recipe's training step on a GPU before one is rented: will it fit, and how long at least?

    python scripts/plan.py --recipe rdepth_b_s --device rtx4090
    python scripts/plan.py --recipe rdepth_b_s --device h100 --devices 8 --batch-size 32

XLA compiles the real step for the GPU on this machine, which needs the extra cuda12, but neither
GPU nor driver; minutes on one core. Flags of scripts/train.py that decide the step count here, too.
Where the step does not fit the device's memory, what may make it fit is compiled as well.

Bytes are counted as if no cache kept anything between two kernels. The time is a lower bound: each
kernel the larger of its bytes over the bandwidth and its products over the peak of the data sheet.
A training also waits for batches, launches and validations. On the device the libraries choose
their algorithms by timing them: their scratch memory may differ from what is counted here.
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

import json
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from rdepth_keras import command
from rdepth_keras.data.datasets import DATASETS
from rdepth_keras.experiment import Experiment, to_dict
from rdepth_keras.models import MODELS
from rdepth_keras.plan import apart, report
from rdepth_keras.plan.devices import DEVICES, Name
from rdepth_keras.plan.fitting import VARIABLE, room, ways
from rdepth_keras.recipes import default_recipe, recipe


@dataclass(frozen=True)
class Choice:
    """What decides every other argument's default, beside the recipe and the direction."""

    dataset: str | None = None
    """loveda_rdepth, folder (tiles of your own) or demo; the recipe's when left out."""
    model: str | None = None
    """Another network for the recipe, by a name of docs/networks.md."""


@dataclass(frozen=True)
class Named:
    """Parts of the experiment that decide the defaults of the others."""

    recipe: str | None = None
    direction: str | None = None


@dataclass(frozen=True)
class Target:
    """What is compiled for, and what becomes of it."""

    device: Name = "h200"
    """The GPU."""
    devices: int = 1
    """Number of such GPUs in the host; they share each batch."""
    top: int = 0
    """Number of groups of layers to list, those that move the most bytes."""
    json: Path | None = None
    """File for all figures."""
    program: Path | None = None
    """File for the compiled program's text."""


@dataclass(frozen=True)
class Plan:
    """A recipe's training step on a GPU before one is rented."""

    choice: Annotated[Choice, tyro.conf.arg(name="")]
    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    target: Annotated[Target, tyro.conf.arg(name="")] = Target()


def main() -> int:
    default = default_experiment(command.peek(Choice), command.peek(Named))
    arguments = command.parse(Plan, default=Plan(Choice(), default))
    experiment, target = apart.settled(arguments.experiment), arguments.target
    command.check_folder("--json", target.json)
    command.check_folder("--program", target.program)
    if target.top < 0:
        raise ValueError(f"--top must be 0 or more; received {target.top}.")
    device, count = DEVICES[target.device], apart.usable(experiment, target.devices)
    apart.check_installed()
    bytes_free = room(device, os.environ)
    known = introduce(experiment, target, count)

    compiled = compile_aloud(experiment, target.device, count)
    found = report.described(experiment, compiled, device, target.top)
    print("\n".join(report.lines(found, experiment.training.steps)), flush=True)
    if target.program:
        target.program.write_text(compiled.text, encoding="utf-8")
    share = f"{report.gib(bytes_free)} that JAX takes of {device.title} (see {VARIABLE})"
    if compiled.peak_bytes <= bytes_free:
        print(f"\nIt fits the {share}.")
        attempts = []
    else:
        print(f"\nIt does not fit the {share}. What was tried instead:", flush=True)
        attempts = look_for_room(experiment, target.device, count, bytes_free)
    if target.json:
        head = {"experiment": to_dict(experiment), "device": target.device, "devices": count}
        fit = {"bytes_free": bytes_free, "fits": compiled.peak_bytes <= bytes_free}
        everything = {**head, **known, **found, **fit, "attempts": attempts}
        target.json.write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    return 0


def introduce(experiment: Experiment, target: Target, count: int) -> dict[str, int]:
    """Prints what is planned; returns what is known before anything is compiled."""
    training, title = experiment.training, DEVICES[target.device].title
    print(
        f"{experiment.recipe} on {count} x {title}: batch {training.batch_size} of "
        f"{training.crop} x {training.crop}, {training.precision}"
    )
    if count < target.devices:
        print(f"The batch splits evenly over {count} devices, not {target.devices}: so many train.")
    counts = report.counts(experiment)
    print(f"{'parameters':16} {counts.parameters / 1e6:.2f} M")
    print(f"{'multiply-adds':16} {counts.multiply_adds / 1e9:.1f} G an image, forward", flush=True)
    return {"parameters": counts.parameters, "multiply_adds": counts.multiply_adds}


def compile_aloud(experiment: Experiment, device: Name, count: int) -> apart.Compiled:
    """Compiles, which takes minutes, and says so on the error stream."""
    economy = experiment.resources.economy
    lean = " --remat" if economy.remat else ""
    print(
        f"compiling: --batch-size {experiment.training.batch_size} --accumulate "
        f"{economy.accumulate}{lean} ...",
        file=sys.stderr,
        flush=True,
    )
    return apart.compile_apart(experiment, device, count)


def look_for_room(
    experiment: Experiment, device: Name, count: int, bytes_free: int
) -> list[dict[str, Any]]:
    """Prints each way to make it fit as it is tried."""
    compile_so = partial(compile_aloud, device=device, count=count)
    attempts = []
    for attempt in ways(experiment, count, compile_so, bytes_free):
        print(report.in_words(attempt, bytes_free), flush=True)
        peak = attempt.compiled and attempt.compiled.peak_bytes
        attempts.append({"flags": attempt.flags, "peak_bytes": peak, "refusal": attempt.refusal})
    if not any(one["peak_bytes"] and one["peak_bytes"] <= bytes_free for one in attempts):
        print("Nothing of it fits: a smaller --crop or another network may.")
    return attempts


def default_experiment(choice: Choice, named: Named) -> Experiment:
    """What the other arguments change."""
    name = named.recipe or default_recipe(named.direction or "r2u", choice.dataset)
    experiment = recipe(name, named.direction)
    if choice.dataset is not None:
        kind = command.choose("--dataset", choice.dataset, DATASETS)
        experiment = experiment.changed(data=kind(experiment.data.direction))
    if choice.model is not None:
        network = command.choose("--model", choice.model, MODELS)
        experiment = experiment.changed(network=network)
    return experiment


if __name__ == "__main__":
    command.guarded(main)
