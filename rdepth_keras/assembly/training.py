"""An experiment's networks, optimizers, first state and step, put together."""

from dataclasses import dataclass
from typing import Any

import jax
from jax.sharding import Mesh

from rdepth_keras.adapt.method import SEGMENTER, Networks, Parts
from rdepth_keras.assembly.networks import starting_weights, training_network
from rdepth_keras.experiment import Experiment
from rdepth_keras.models import Architecture
from rdepth_keras.train.devices import compute_dtype, data_mesh, replicated
from rdepth_keras.train.state import State, initial_state, trained
from rdepth_keras.train.step import Step, training_step

EXPERIMENTS = object()  # stands for the weights that the experiment names


@dataclass(frozen=True)
class Assembly:
    """What trains an experiment.

    Attributes:
        networks: by name, the segmenter among them.
        state: before the first step, on every device of the mesh.
        step: (state, source, target) -> state, logs.
        mesh: the devices a batch is split over.
    """

    networks: Networks
    state: State
    step: Step
    mesh: Mesh


def assemble(experiment: Experiment) -> Assembly:
    """Loads the weights and compiles nothing yet.

    Raises ValueError, FileNotFoundError or ImportError, with the remedy, where a network cannot be
    built or a checkpoint cannot be had or does not fit.
    """
    training, method = experiment.training, experiment.method
    networks = method.networks(parts(experiment))
    optimizers = {name: experiment.optimizers.of(name) for name in trained(method, networks)}
    mesh = data_mesh(training.batch_size // experiment.resources.economy.accumulate)
    decay = training.choice.average_decay
    state = initial_state(
        networks, method, optimizers, seed=training.seed, average=decay is not None
    )
    step = training_step(
        networks,
        method,
        optimizers,
        steps=training.steps,
        seed=training.seed,
        average_decay=decay,
        placement=replicated(mesh),
    )
    return Assembly(networks, jax.device_put(state, replicated(mesh)), step, mesh)


def parts(experiment: Experiment) -> Parts:
    """What a method makes its networks of."""

    def build(name: str, architecture: Architecture | None = None, weights: Any = EXPERIMENTS):
        weights = starting_weights(experiment) if weights is EXPERIMENTS else weights
        return training_network(experiment, architecture or experiment.network, weights, name)

    return Parts(
        segmenter=build(SEGMENTER),
        build=build,
        classes=len(experiment.data.classes),
        dtype=compute_dtype(experiment.training.precision),
        seed=experiment.training.seed,
    )
