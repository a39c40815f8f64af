"""Train a network on one domain and score it on the other.

The published row of a direction on the prepared LoveDA, and the demo that needs no download:

    python scripts/train.py --direction r2u
    python scripts/train.py --direction r2u --dataset demo
"""

import rdepth_keras.startup  # noqa: F401  # isort: skip

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro
from rich.console import Console
from rich.table import Table

from rdepth_keras import command, run
from rdepth_keras.data.datasets import DATASETS
from rdepth_keras.evaluate.terminal import score_table
from rdepth_keras.experiment import Experiment, to_dict
from rdepth_keras.models import MODELS
from rdepth_keras.optimizers import rate_table
from rdepth_keras.recipes import default_recipe, recipe
from rdepth_keras.recipes.catalogue import catalogue
from rdepth_keras.train.devices import (
    Hosts,
    free_after_compiling,
    join_hosts,
    keep_compilations,
    unused_gpu_warning,
)
from rdepth_keras.train.signals import Interrupted


@dataclass(frozen=True)
class Choice:
    """What decides every other argument's default, beside the recipe and the direction."""

    dataset: str | None = None
    """loveda_rdepth, folder (tiles of your own) or demo; the recipe's when left out."""
    out: Path | None = None
    """Directory of the run; runs/<recipe>-<direction>-<time> when left out."""
    resume: bool = False
    """Go on with the run in --out from its last checkpoint; from its end with more --steps."""


@dataclass(frozen=True)
class Start:
    """Other beginnings."""

    model: str | None = None
    """Another network for the recipe, by a name of docs/networks.md."""
    rerun: Path | None = None
    """Start the same run again, with the settings of this run directory."""
    run: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Start a new run from the weights of this one, with its settings, --recipe's, or yours."""
    list_recipes: bool = False
    """Print the recipes and leave."""
    print_config: bool = False
    """Print the resolved experiment and the learning rate of every group, and leave."""


@dataclass(frozen=True)
class Named:
    """Parts of the experiment that decide the defaults of the others."""

    recipe: str | None = None
    direction: str | None = None


@dataclass(frozen=True)
class Train:
    """Train a network on one domain and score it on the other."""

    choice: Annotated[Choice, tyro.conf.arg(name="")]
    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    start: Annotated[Start, tyro.conf.OmitArgPrefixes] = Start()
    watch: Annotated[run.Watch, tyro.conf.OmitArgPrefixes] = run.Watch()
    hosts: Hosts = Hosts()


def main() -> int:
    choice, start = command.peek(Choice), command.peek(Start)
    command.check_directory("--out", choice.out)
    default = default_experiment(choice, start, command.peek(Named))
    arguments = command.parse(Train, default=Train(Choice(), default, Start()))
    experiment = arguments.experiment
    if arguments.start.list_recipes:
        command.console().print(recipes_table())
        return 0
    if arguments.start.print_config:
        rates = rate_table(
            experiment.optimizers.segmenter,
            [name.removesuffix("_encoder") for name in experiment.network.encoders],
        )
        print(json.dumps({**to_dict(experiment), "learning_rates": rates}, indent=2))
        return 0

    join_hosts(arguments.hosts)
    if choice.out is None and jax.process_count() > 1:
        raise ValueError("Several hosts need one directory that all of them see: add --out DIR.")
    keep_compilations()
    free_after_compiling()
    if warning := unused_gpu_warning():
        Console(stderr=True).print(warning, style="bold red")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = f"{experiment.recipe}-{experiment.data.direction}-{stamp}"
    return train(arguments, run.Run(choice.out or Path("runs") / name))


def train(arguments: Train, own: run.Run) -> int:
    """Trains, and prints the table; 128 and the signal's number where one stopped it."""
    experiment, console = arguments.experiment, command.console()
    again = f"python scripts/train.py --resume --out {own}"
    try:
        if (before := arguments.start.rerun) is not None:
            for line in run.others(run.Run(before), experiment):
                console.print(line)
        go = run.resume if arguments.choice.resume else run.start
        result = go(experiment, own, console, arguments.watch)
    except Interrupted as stop:
        print(f"{stop}; saved. Go on with: {again}")
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        how = f"Go on with: {again}" if own.begun else "Nothing was written yet."
        print(f"Stopped outside the training steps. {how}")
        return 130
    if result is not None and jax.process_index() == 0:
        console.print(score_table({experiment.recipe: result}, run.headline(own, result)))
        console.print(f"commonest class everywhere: {100 * result['commonest_class_miou']:.2f}")
    console.print(f"The run is in {own}")
    return 0


def default_experiment(choice: Choice, start: Start, named: Named) -> Experiment:
    """What the other arguments change: the settings of a run, or a recipe."""
    experiment = _given_experiment(choice, start, named)
    if choice.dataset is not None:
        kind = command.choose("--dataset", choice.dataset, DATASETS)
        if not isinstance(experiment.data, kind):
            data = kind(experiment.data.direction)
            experiment = experiment.changed(data=data, resources={"data_dir": None})
    if start.model is not None:
        network = command.choose("--model", start.model, MODELS)
        experiment = experiment.changed(network=network)
    return experiment


def recipes_table() -> Table:
    """All recipes, and what was published of them."""
    table = Table(
        title="Recipes; mIoU in % on LoveDA's hidden test set, as published",
        caption="In brackets the mean of the printed classes, where it is another. "
        "demo_NAME is the recipe NAME at the demo's size.",
    )
    for title in ("recipe", "type", "network"):
        table.add_column(title, no_wrap=title != "network")
    for title in ("u2r", "r2u"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("what it is")
    for entry in catalogue():
        figures = [entry.published[direction] or "-" for direction in ("u2r", "r2u")]
        table.add_row(entry.name, entry.kind, entry.network, *figures, entry.summary)
    return table


def _given_experiment(choice: Choice, start: Start, named: Named) -> Experiment:
    if start.rerun is not None:
        if named.recipe is not None or choice.resume or start.run is not None:
            raise ValueError(
                "--rerun starts a run again with its own recipe, from its beginning; leave "
                "--recipe, --resume and --from away."
            )
        return run.Run(start.rerun).experiment
    fresh = _from(start.run)
    if choice.resume:
        if choice.out is None:
            raise ValueError("--resume needs to know the run: add --out DIR.")
        own = run.Run(choice.out).experiment
        if start.run is not None and fresh["start_from"] != own.training.start_from:
            raise ValueError(
                "--resume goes on with a run from its own checkpoint; leave --from away, or start "
                "a new run from that one without --resume."
            )
        if named.recipe is None:
            return own
        return recipe(named.recipe, own.data.direction).changed(training=fresh)
    if start.run is None:
        name = named.recipe or default_recipe(named.direction or "r2u", choice.dataset)
        return recipe(name, named.direction)
    own = run.Run(start.run).experiment
    return (recipe(named.recipe, named.direction) if named.recipe else own).changed(training=fresh)


def _from(directory: Path | None) -> dict[str, Any]:
    """The training's settings that follow from ``--from``."""
    if directory is None:
        return {}
    place = str(directory.expanduser().resolve())
    return {"weights": "none", "depth_weights": None, "start_from": place, "extended_at": ()}


if __name__ == "__main__":
    command.guarded(main)
