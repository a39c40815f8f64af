"""Named experiments, one function each, which is called with a direction for a new one.

Some rows were trained otherwise in the other direction; without one, a recipe takes its own.
``demo_NAME`` is any recipe at the demo's size.
"""

from collections.abc import Callable
from typing import get_args

from rdepth_keras.data.dataset import Direction
from rdepth_keras.experiment import Experiment
from rdepth_keras.recipes.adversarial import (
    adaptsegnet,
    clan,
    fada,
    source_only_deeplabv2,
    transnorm,
)
from rdepth_keras.recipes.demo import demo
from rdepth_keras.recipes.paper import convnext_b, dgcd, rdepth_b_b, rdepth_b_s, rdepth_xl_b
from rdepth_keras.recipes.self_training import cbst, dca, iast, pycda
from rdepth_keras.recipes.small import small
from rdepth_keras.recipes.st_dasegnet import st_dasegnet_deeplabv3, st_dasegnet_segformer
from rdepth_keras.recipes.supervised import deeplabv3, segformer
from rdepth_keras.recipes.teacher import (
    convnext_style,
    daformer,
    rdepth_daformer,
    rdepth_frozen,
    rdepth_style,
)

RECIPES: dict[str, Callable[..., Experiment]] = {
    "rdepth_b_s": rdepth_b_s,
    "rdepth_b_b": rdepth_b_b,
    "rdepth_xl_b": rdepth_xl_b,
    "convnext_b": convnext_b,
    "dgcd": dgcd,
    "deeplabv3": deeplabv3,
    "segformer": segformer,
    "source_only_deeplabv2": source_only_deeplabv2,
    "adaptsegnet": adaptsegnet,
    "transnorm": transnorm,
    "clan": clan,
    "fada": fada,
    "pycda": pycda,
    "cbst": cbst,
    "iast": iast,
    "dca": dca,
    "daformer": daformer,
    "st_dasegnet_deeplabv3": st_dasegnet_deeplabv3,
    "st_dasegnet_segformer": st_dasegnet_segformer,
    "rdepth_daformer": rdepth_daformer,
    "rdepth_style": rdepth_style,
    "rdepth_frozen": rdepth_frozen,
    "convnext_style": convnext_style,
    "demo": demo,
}
SMALL = "demo_"  # before a recipe's name: at the demo's size
# What is meant when none is named: the published row of a direction, but for the demo's data.
PUBLISHED_ROWS: dict[str, str] = {"r2u": "rdepth_b_b", "r2r": "rdepth_b_b", "u2r": "rdepth_b_s"}
DEFAULTS: dict[str, dict[str, str]] = {"demo": dict.fromkeys(get_args(Direction), "demo")}


def recipe(name: str, direction: str | None = None) -> Experiment:
    """The experiment of that name; ValueError lists the known ones, or directions.

    ``demo_NAME`` is the recipe NAME at the demo's size: see :mod:`rdepth_keras.recipes.small`.
    """
    if name.removeprefix(SMALL) != name:
        return small(recipe(name.removeprefix(SMALL), direction))
    _known("recipe", name, tuple(RECIPES))
    if direction is None:
        return RECIPES[name]()
    _known("direction", direction, get_args(Direction))
    return RECIPES[name](direction)


def _known(kind: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"Unknown {kind} {value!r}; known are: {', '.join(known)}.")


def default_recipe(direction: str, dataset: str | None) -> str:
    """The name of the recipe that is meant when none is given."""
    return DEFAULTS.get(dataset or "", PUBLISHED_ROWS).get(direction, "rdepth_b_s")
