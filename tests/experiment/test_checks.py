"""Numbers that are none, wherever they stand."""

import dataclasses
import math

import pytest

from rdepth_keras.experiment.checks import check_finite
from rdepth_keras.recipes import RECIPES, recipe


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_finite(name):
    check_finite("experiment", recipe(name))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_named(value):
    """Whatever a part checks itself, NaN passes many a comparison."""
    plain = recipe("demo")
    method = dataclasses.replace(plain.method, auxiliary_weight=value)
    with pytest.raises(ValueError, match="--method.auxiliary-weight must be a finite number"):
        plain.changed(method=method)
    network = dataclasses.replace(plain.network, dropout=value)
    with pytest.raises(ValueError, match="--network.dropout must be a finite number"):
        plain.changed(network=network)
    with pytest.raises(ValueError, match=r"--part must be a finite number"):
        check_finite("part", (1.0, (2.0, value)))
