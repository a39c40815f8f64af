"""Where an experiment leaves its recipe."""

from rdepth_keras.experiment import Experiment, differences, in_words
from rdepth_keras.experiment.record import Differences
from rdepth_keras.recipes import RECIPES, SMALL, recipe


def departures(experiment: Experiment) -> Differences:
    """Settings in which an experiment leaves its recipe; none for a recipe that is unknown here.

    Data, seed and resources are no part of a recipe.
    """
    if experiment.recipe.removeprefix(SMALL) not in RECIPES:
        return {}
    base = recipe(experiment.recipe, experiment.data.direction)
    same_data = experiment.changed(data=base.data)
    return differences(base.essence(seed=0), same_data.essence(seed=0))


def changes(experiment: Experiment) -> list[str]:
    """The same in words, with the source of the depth: the published numbers are of one."""
    if experiment.recipe.removeprefix(SMALL) not in RECIPES:
        return []
    found = in_words(departures(experiment))
    base = recipe(experiment.recipe, experiment.data.direction)
    return found + (experiment.data.departures() if base.network.reads_depth else [])


def deviation(experiment: Experiment) -> str:
    """:func:`changes` in one line, and :func:`side_taken`; empty where there are none."""
    found, side = changes(experiment), side_taken(experiment)
    told = f"not as in the recipe {experiment.recipe}: {'; '.join(found)}" if found else ""
    return "; ".join(filter(None, [told, side]))


def side_taken(experiment: Experiment) -> str:
    """In words, which direction's settings a recipe gave data that name their domains themselves.

    Empty where no setting differs, or where the direction is the data's own.
    """
    way, name, data = experiment.data.direction, experiment.recipe, experiment.data
    if data.route == way or name.removeprefix(SMALL) not in RECIPES:
        return ""
    other = way.translate(str.maketrans("ru", "ur"))
    theirs, ours = (recipe(name, each).changed(data=data) for each in (other, way))
    found = in_words(differences(theirs.essence(seed=0), ours.essence(seed=0)))
    return f"settings of --direction {way}, not {other}: {'; '.join(found)}" if found else ""
