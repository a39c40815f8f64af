"""An experiment's networks, optimizers, first state and step, put together."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from rdepth_keras.adapt.method import SEGMENTER, Networks, Parts
from rdepth_keras.assembly.networks import starting_weights, training_network
from rdepth_keras.experiment import Experiment
from rdepth_keras.models import Architecture
from rdepth_keras.optimizers import Optimizer
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
    """Loads the weights and traces the step, but compiles nothing yet.

    Raises ValueError, FileNotFoundError or ImportError, with the remedy, where a network cannot be
    built, a checkpoint cannot be had or does not fit, or the method cannot work on such batches.
    """
    mesh = data_mesh(experiment.training.batch_size // experiment.resources.economy.accumulate)
    assembly = _assemble(experiment, mesh, shapes=False)
    _check_frozen(experiment, assembly)
    # What a step refuses is refused here. The first real one is traced no more.
    jax.eval_shape(assembly.step, assembly.state, *batch_shapes(experiment, mesh))
    return assembly


def assemble_shapes(experiment: Experiment, mesh: Mesh) -> Assembly:
    """The same, its state as shapes on devices that need not exist: no weights are made or read."""
    return _assemble(experiment, mesh, shapes=True)


def _assemble(experiment: Experiment, mesh: Mesh, *, shapes: bool) -> Assembly:
    training, method = experiment.training, experiment.method
    decay, everywhere = training.choice.average_decay, replicated(mesh)
    with keras.StatelessScope(initialize_variables=False) if shapes else nullcontext():
        networks = method.networks(parts(experiment))
        optimizers = optimizers_of(experiment, trained(method, networks))
        options = {"seed": training.seed, "average": decay is not None}
        make = partial(initial_state, networks, method, optimizers, **options)
        state = placed(jax.eval_shape(make), everywhere) if shapes else make()
    step = training_step(
        networks,
        method,
        optimizers,
        steps=training.steps,
        seed=training.seed,
        average_decay=decay,
        placement=everywhere,
    )
    return Assembly(networks, state if shapes else jax.device_put(state, everywhere), step, mesh)


def batch_shapes(experiment: Experiment, mesh: Mesh) -> tuple[Any, Any]:
    """Shapes of the source's batch and, for a method that uses one, the target's; else None."""
    shape = (experiment.training.batch_size, *2 * (experiment.training.crop,))
    batch = {
        "image": jax.ShapeDtypeStruct((*shape, 3), jnp.uint8),
        "depth": jax.ShapeDtypeStruct((*shape, 1), jnp.float32),
        "label": jax.ShapeDtypeStruct(shape, jnp.uint8),
    }
    batch = placed(batch, NamedSharding(mesh, PartitionSpec("data")))
    return batch, batch if experiment.method.uses_target else None


def placed(tree: Any, placement: NamedSharding) -> Any:
    """The same shapes on devices."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placement), tree
    )


def optimizers_of(experiment: Experiment, trained: tuple[str, ...]) -> Mapping[str, Optimizer]:
    """One for each network that trains; ValueError where one lacks, or there is one for none."""
    if experiment.optimizers.critic is not None and set(trained) <= {SEGMENTER}:
        raise ValueError(
            f"optimizers.critic is given, but the method {type(experiment.method).__name__} trains "
            f"{', '.join(trained)} alone: leave it away (None)."
        )
    return {name: experiment.optimizers.of(name) for name in trained}


def _check_frozen(experiment: Experiment, assembly: Assembly) -> None:
    """Raises ValueError where a network that never trains was never trained."""
    idle = [name for name in assembly.networks if name not in assembly.state.optimizer]
    training = experiment.training
    if idle and training.weights == "none" and training.start_from is None:
        raise ValueError(
            f"The method {type(experiment.method).__name__} keeps {', '.join(idle)} as it starts, "
            "and random weights are nothing to keep to: give --weights or --from, or do without, "
            "as daformer does with --method.feature-weight 0."
        )


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
