"""Where an experiment leaves its recipe."""

from rdepth_keras.experiment import Experiment, differences, in_words
from rdepth_keras.recipes import RECIPES, SMALL, recipe


def changes(experiment: Experiment) -> list[str]:
    """Where an experiment leaves its recipe, in words.

    Data, seed and resources are no part of a recipe, but the source of the depth is: the published
    numbers are of one. Nothing is told of a recipe that is unknown here.
    """
    if experiment.recipe.removeprefix(SMALL) not in RECIPES:
        return []
    base = recipe(experiment.recipe, experiment.data.direction)
    same_data = experiment.changed(data=base.data)
    found = in_words(differences(base.essence(seed=0), same_data.essence(seed=0)))
    return found + (experiment.data.departures() if base.network.reads_depth else [])


def deviation(experiment: Experiment) -> str:
    """:func:`changes` in one line; empty where there are none."""
    found = changes(experiment)
    return f"not as in the recipe {experiment.recipe}: {'; '.join(found)}" if found else ""
