"""Numbers that are none, wherever they stand."""

import dataclasses
import math

import pytest

from rdepth_keras.experiment.checks import check_finite
from rdepth_keras.recipes import RECIPES, recipe


@dataclasses.dataclass(frozen=True)
class Part:
    number: float
    inner_part: "Part | None" = None


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_finite(name):
    check_finite("experiment", recipe(name))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named(value):
    """Whatever a part checks itself, NaN passes many a comparison."""
    with pytest.raises(ValueError, match="--part.inner-part.number must be a finite number"):
        check_finite("part", Part(1.0, Part(value)))
    with pytest.raises(ValueError, match=r"--part must be a finite number"):
        check_finite("part", (1.0, (2.0, value)))


def test_an_experiment_is_finite():
    with pytest.raises(ValueError, match="--method.auxiliary-weight must be a finite number"):
        recipe("demo").changed(method={"auxiliary_weight": math.inf})
