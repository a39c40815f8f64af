"""Parameters and multiply-adds of networks and of whole steps, counted from shapes alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import keras
from jax.extend import core

from rdepth_keras import models


@dataclass(frozen=True)
class Counts:
    """Trained parameters, and multiply-adds of one image's forward pass with all outputs."""

    parameters: int
    multiply_adds: int


def count(name: str, pixels: int = 512, **arguments) -> Counts:
    """Counts a network of :data:`rdepth_keras.models.MODELS` on one square image.

    Convolutions and matrix products count, in inference mode, the auxiliary head included. Nothing
    is computed; JAX traces the network. ``arguments`` are those of
    :func:`rdepth_keras.models.build`.
    """
    with keras.StatelessScope(initialize_variables=False):  # shapes, and no memory
        model = models.build(name, taps=True, **arguments)
    trained, fixed = (
        [jax.ShapeDtypeStruct(variable.shape, variable.dtype) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    inputs = {
        tensor.name: jax.ShapeDtypeStruct((1, pixels, pixels, tensor.shape[-1]), "float32")
        for tensor in model.inputs
    }
    parameters = sum(math.prod(array.shape) for array in trained)
    return Counts(parameters, multiply_adds(model.stateless_call, trained, fixed, inputs))


def multiply_adds(function: Callable, *arguments: Any) -> int:
    """Those of the convolutions and matrix products of a function, e.g. a training step.

    Zeros between the places of a strided convolution's gradient do not count, zeros of padding do.
    ``arguments`` may be shapes: nothing is computed. Raises ValueError for a loop with products
    whose rounds are known only when it runs.
    """
    return _multiply_adds(jax.make_jaxpr(function)(*arguments).jaxpr)


def _multiply_adds(jaxpr) -> int:
    return sum(map(_of_equation, jaxpr.eqns))


def _of_equation(equation) -> int:
    outputs = math.prod(equation.outvars[0].aval.shape)
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return outputs * math.prod(shape[axis] for axis in contracted)
    if equation.primitive.name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        out_axis = equation.params["dimension_numbers"].rhs_spec[0]
        zeros = math.prod(equation.params["lhs_dilation"])
        return outputs * math.prod(kernel) // kernel[out_axis] // zeros
    inner = [_multiply_adds(jaxpr) for jaxpr in core.jaxprs_in_params(equation.params)]
    # The branches are those of a platform-dependent convolution: one of them runs.
    total = max(inner) if equation.primitive.name == "cond" else sum(inner)
    if equation.primitive.name == "while" and total:
        raise ValueError(
            "A loop cannot be counted whose number of rounds is known only when it runs: give it "
            "bounds of Python numbers (jax.lax.fori_loop), or scan."
        )
    return total * equation.params["length"] if equation.primitive.name == "scan" else total
