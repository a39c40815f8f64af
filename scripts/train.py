"""Train a network on one domain and score it on the other.

The published row of a direction on the prepared LoveDA, and the demo that needs no download:

    python scripts/train.py --direction r2u
    python scripts/train.py --direction r2u --dataset demo
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax
import tyro
from rich.console import Console

from rdepth_keras import command, run
from rdepth_keras.evaluate.terminal import score_table
from rdepth_keras.experiment import Experiment, to_dict
from rdepth_keras.optimizers import rate_table
from rdepth_keras.recipes import RECIPES, default_recipe, recipe
from rdepth_keras.train.devices import Hosts, join_hosts, keep_compilations, unused_gpu_warning
from rdepth_keras.train.signals import Interrupted


@dataclass(frozen=True)
class Train:
    """Train a network on one domain and score it on the other."""

    experiment: Annotated[Experiment, tyro.conf.arg(name="")]
    out: Path | None = None
    """Directory of the run; runs/<recipe>-<direction>-<time> when left out."""
    resume: bool = False
    """Go on with the run in --out from its last checkpoint."""
    rerun: Path | None = None
    """Start the same run again, with the settings of this run directory."""
    list_recipes: bool = False
    """Print the recipes and leave."""
    print_config: bool = False
    """Print the resolved experiment and the learning rate of every group, and leave."""
    watch: Annotated[run.Watch, tyro.conf.arg(name="")] = run.Watch()
    hosts: Hosts = Hosts()


@dataclass(frozen=True)
class Choice:
    """The arguments that decide every other one's default."""

    recipe: str | None = None
    direction: str | None = None
    dataset: str | None = None
    out: Path | None = None
    resume: bool = False
    rerun: Path | None = None
    list_recipes: bool = False


def main() -> int:
    choice = command.peek(Choice)
    if choice.list_recipes:
        for name, make in RECIPES.items():
            print(f"{name:12} {(make.__doc__ or '').splitlines()[0]}")
        return 0
    arguments = command.parse(Train, default=Train(default_experiment(choice)))
    experiment = arguments.experiment
    if arguments.print_config:
        depth = experiment.segmenter.depth_encoder is not None
        rates = rate_table(experiment.optimizer, ("image", "depth") if depth else ("image",))
        print(json.dumps({**to_dict(experiment), "learning_rates": rates}, indent=2))
        return 0

    join_hosts(arguments.hosts)
    if arguments.out is None and jax.process_count() > 1:
        raise ValueError("Several hosts need one directory that all of them see: add --out DIR.")
    keep_compilations()
    console = command.console()
    if warning := unused_gpu_warning():
        Console(stderr=True).print(warning, style="bold red")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    name = f"{experiment.recipe}-{experiment.direction}-{stamp}"
    directory = arguments.out or Path("runs") / name
    again = f"python scripts/train.py --resume --out {directory}"
    try:
        go = run.resume if arguments.resume else run.start
        result = go(experiment, directory, console, arguments.watch)
    except Interrupted as stop:
        print(f"{stop}; saved. Go on with: {again}")
        return 128 + stop.signal_number
    except KeyboardInterrupt:
        begun = (directory / "experiment.json").exists()
        how = f"Go on with: {again}" if begun else "Nothing was written yet."
        print(f"Stopped outside the training steps. {how}")
        return 130
    if result is not None and jax.process_index() == 0:
        console.print(score_table({experiment.recipe: result}, run.headline(directory, result)))
        console.print(f"commonest class everywhere: {100 * result['commonest_class_miou']:.2f}")
    console.print(f"The run is in {directory}")
    return 0


def default_experiment(choice: Choice) -> Experiment:
    """What the other arguments change: the settings of a run, or a recipe."""
    if choice.rerun is not None:
        if choice.recipe is not None or choice.resume:
            raise ValueError(
                "--rerun starts a run again with its own recipe, from its beginning; leave "
                "--recipe and --resume away."
            )
        return run.read_experiment(choice.rerun)
    if choice.resume:
        if choice.out is None:
            raise ValueError("--resume needs to know the run: add --out DIR.")
        own = run.read_experiment(choice.out)
        return own if choice.recipe is None else recipe(choice.recipe)
    direction, dataset = choice.direction or "r2u", choice.dataset or "loveda_rdepth"
    return recipe(choice.recipe or default_recipe(direction, dataset))


if __name__ == "__main__":
    command.guarded(main)
