"""The experiment's network, for training and for prediction."""

from collections.abc import Mapping
from typing import Any

import jax
import keras

from rdepth_keras.experiment import Experiment
from rdepth_keras.labels import MOST_CLASSES
from rdepth_keras.models import Architecture
from rdepth_keras.network import Network
from rdepth_keras.train.devices import compute_dtype


def training_network(
    experiment: Experiment, architecture: Architecture, weights: Any, name: str
) -> Network:
    """With all outputs; ``weights`` as ``rdepth_keras.models.load`` takes them, None for random."""
    resources = experiment.resources
    return build_network(
        experiment,
        architecture,
        name=name,
        taps=True,
        weights=weights,
        remat=resources.economy.remat,
        accumulate=resources.economy.accumulate,
    )


def inference_network(experiment: Experiment) -> Network:
    """With full-size logits; its variables are to be given."""
    return build_network(experiment, experiment.network)


def class_variables(experiment: Experiment) -> set[str]:
    """Paths of the variables that belong to single classes: another number of classes shapes them
    otherwise."""
    count = len(experiment.data.classes)
    networks = [
        build_network(experiment, experiment.network, classes)
        for classes in (count, count % MOST_CLASSES + 1)
    ]
    ours, others = ({v.path: v.shape for v in network.model.variables} for network in networks)
    return {path for path, shape in ours.items() if others.get(path) != shape}


def build_network(
    experiment: Experiment, architecture: Architecture, classes: int | None = None, **options
) -> Network:
    """A network of the experiment's dtype and, where none are given, classes.

    ``options`` are those of ``build``.
    """
    classes = len(experiment.data.classes) if classes is None else classes
    keras.utils.set_random_seed(experiment.training.seed)
    dtype = compute_dtype(experiment.training.precision)
    # Keras keeps a copy of its own of every variable: on the host, not in the GPU's memory.
    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return Network(architecture.build(classes, dtype=dtype, **options))


def starting_weights(experiment: Experiment) -> str | Mapping[str, str | None] | None:
    """Where training starts, as ``rdepth_keras.models.load`` takes it."""
    training = experiment.training
    weights = None if training.weights == "none" else training.weights
    if training.depth_weights is None:
        return weights
    depth = None if training.depth_weights == "none" else training.depth_weights
    encoders = experiment.network.encoders
    return {name: depth if "depth" in name else weights for name in encoders}
