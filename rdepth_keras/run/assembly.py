"""An experiment's networks, optimizers, first state and step, put together."""

from dataclasses import dataclass

import jax
from jax.sharding import Mesh

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.experiment import Experiment
from rdepth_keras.run.network import training_network
from rdepth_keras.train.devices import data_mesh, replicated
from rdepth_keras.train.state import State, initial_state
from rdepth_keras.train.step import Step, training_step


@dataclass(frozen=True)
class Assembly:
    """What trains an experiment.

    Attributes:
        state: before the first step, on every device of the mesh.
        step: (state, source, target) -> state, logs.
        mesh: the devices a batch is split over.
    """

    state: State
    step: Step
    mesh: Mesh


def assemble(experiment: Experiment) -> Assembly:
    """Loads the weights and compiles nothing yet.

    Raises ValueError, FileNotFoundError or ImportError, with the remedy, where a network cannot be
    built or a checkpoint cannot be had or does not fit.
    """
    method, decay = experiment.method, experiment.average_decay
    networks = {SEGMENTER: training_network(experiment), **method.networks()}
    optimizers = {
        name: experiment.optimizer.build(network.init()[0], experiment.steps)
        for name, network in networks.items()
    }
    mesh = data_mesh(experiment.batch_size // experiment.accumulate)
    state = initial_state(
        networks, method, optimizers, seed=experiment.seed, average=decay is not None
    )
    step = training_step(
        networks,
        method,
        optimizers,
        seed=experiment.seed,
        average_decay=decay,
        placement=replicated(mesh),
    )
    return Assembly(jax.device_put(state, replicated(mesh)), step, mesh)
