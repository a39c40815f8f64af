"""The pure face of a Keras model: the only place where Keras objects meet JAX functions.

A network's variables live outside it, in two flat dictionaries from variable path to array:
*params*, which are trained, and *buffers*, which the forward pass itself updates (batch-norm
statistics). Randomness comes in as a key; nothing random is kept between calls.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import keras

from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.batch_statistics import Statistics, batch_statistics
from rdepth_keras.naming import shorten

Variables = dict[str, jax.Array]


@dataclass(frozen=True, eq=False)
class Network:
    """A Keras model as functions of its variables.

    What Keras's own loop adds is not part of them: losses that layers add, regularizers and
    constraints (:meth:`check_plain`).

    Attributes:
        model: the Keras model; its inputs are a dict.

    Raises:
        ValueError: if two variables of the model share a path: a dictionary keyed by path
            would silently lose one of them. Give the layers distinct names.
        RuntimeError: under a Keras backend other than JAX, and with another ``floatx`` than
            float32: the rest of a step, and of a score, would be in it.
    """

    model: keras.Model

    def __post_init__(self):
        if keras.backend.backend() != "jax":
            raise RuntimeError(
                f"Training and evaluation need Keras on JAX; it runs on {keras.backend.backend()}. "
                "Set the environment variable KERAS_BACKEND=jax before Keras is imported."
            )
        if (floatx := keras.config.floatx()) != "float32":
            raise RuntimeError(
                f"Training and evaluation need Keras's floatx float32; it is {floatx}. Set it "
                "back in keras.json, or by keras.config.set_floatx; what a step computes in is "
                "chosen with --precision."
            )
        paths = [*_paths(self.model.trainable_variables), *_paths(_buffers(self.model))]
        twice = sorted({path for path in paths if paths.count(path) > 1})
        if twice:
            raise ValueError(f"Variable paths must be unique; these are not: {', '.join(twice)}.")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs the network takes from a batch."""
        return tuple(sorted(self.model.input))

    def init(self) -> tuple[Variables, Variables]:
        """Copies of the model's own values: ``(params, buffers)``."""
        return (
            {variable.path: jnp.array(variable.value) for variable in self._trainable},
            {variable.path: jnp.array(variable.value) for variable in _buffers(self.model)},
        )

    def apply(
        self,
        params: Mapping[str, jax.Array],
        buffers: Mapping[str, jax.Array],
        inputs: Mapping[str, Any],
        key: jax.Array | None = None,
        statistics: Statistics | None = None,
    ) -> tuple[Any, Variables]:
        """The forward pass: ``(outputs, buffers)``.

        Args:
            params: path -> array, as from :meth:`init`.
            buffers: path -> array, as from :meth:`init`.
            inputs: at least :attr:`input_names`; other entries are left aside.
            key: a JAX random key. With one, dropout and stochastic depth draw from it; without,
                they are off.
            statistics: of batch norms: ``"batch"``, which also moves the running statistics in the
                buffers, or ``"running"``, which leaves the buffers as they are. None takes the
                batch's with a key, in training, and the running ones without, in inference.

        Raises:
            ValueError: where ``statistics`` are chosen for a network with batch norms of Keras,
                which would not follow; :class:`~rdepth_keras.models.layers.basic.BatchNorm` does.
        """
        if statistics is not None:
            _check_norms(self.model)
        inputs = {name: inputs[name] for name in self.input_names}
        fixed = self.model.non_trainable_variables
        drawn = _seeds(fixed, key)
        values = [
            drawn[place] if place in drawn else buffers[variable.path]
            for place, variable in enumerate(fixed)
        ]
        trained = [params[variable.path] for variable in self._trainable]
        with batch_statistics(statistics):
            outputs, updated = self.model.stateless_call(
                trained, values, inputs, training=key is not None
            )
        pairs = zip(fixed, updated, strict=True)
        return outputs, {old.path: new for old, new in pairs if not _is_seed(old)}

    def check_plain(self) -> None:
        """Raises ValueError for regularizers and constraints, which a training step passes over.

        Losses that a layer adds when it is called cannot be known here.
        """
        asked = [
            f"the {kind} of {variable.path}"
            for variable in self._trainable
            for kind in ("regularizer", "constraint")
            if getattr(variable, kind, None) is not None
        ]
        asked += [
            f"the activity_regularizer of {layer.name}"
            for layer in self.model._flatten_layers()
            if getattr(layer, "activity_regularizer", None) is not None
        ]
        if asked:
            raise ValueError(
                f"A training step passes over what Keras's own loop adds: {shorten(asked, 3)}. "
                "Leave it away; decay of weights is an optimizer's weight_decay."
            )

    def write(self, params: Mapping[str, Any], buffers: Mapping[str, Any]) -> keras.Model:
        """Puts the values into the Keras model, e.g. to save it as ``.keras``; returns it."""
        for variable in self._trainable:
            variable.assign(params[variable.path])
        for variable in _buffers(self.model):
            variable.assign(buffers[variable.path])
        return self.model

    @property
    def _trainable(self) -> list:
        return self.model.trainable_variables


def _paths(variables) -> list[str]:
    return [variable.path for variable in variables]


def _buffers(model: keras.Model) -> list:
    return [variable for variable in model.non_trainable_variables if not _is_seed(variable)]


def _check_norms(model: keras.Model) -> None:
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization) and not isinstance(layer, BatchNorm):
            raise ValueError(
                f"The statistics of the layer {layer.name} cannot be chosen: it is Keras's own "
                "BatchNormalization. Use rdepth_keras.models.layers.basic.BatchNorm."
            )


def _is_seed(variable) -> bool:
    return variable.path.endswith("seed_generator_state")


def _seeds(variables, key) -> dict[int, jax.Array]:
    """Position -> state of the seed generators among the variables; their own without a key.

    They have no unique path, so each draws from the key by its position; all in one computation.
    """
    places = [place for place, variable in enumerate(variables) if _is_seed(variable)]
    if key is None or not places:
        return {place: variables[place].value for place in places}

    def draw(place):
        return jax.random.bits(jax.random.fold_in(key, place), (2,), jnp.uint32)

    return dict(zip(places, jax.vmap(draw)(jnp.asarray(places)), strict=True))
