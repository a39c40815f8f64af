"""What a step of each adapted recipe computes, beside a step on the source alone."""

from dataclasses import replace

from rdepth_keras.adapt import DGCD, SourceOnly
from rdepth_keras.assembly.training import assemble_shapes, batch_shapes
from rdepth_keras.counting import multiply_adds
from rdepth_keras.experiment import Experiment, Optimizers
from rdepth_keras.recipes import RECIPES, recipe
from rdepth_keras.train.devices import data_mesh

# Methods that see no target but change the source among them.
ADAPTED = tuple(name for name in RECIPES if type(recipe(name).method) not in (SourceOnly, DGCD))


def count_steps(name: str) -> dict[str, int]:
    """Multiply-adds of a step, and of one of its network and batch on the source alone."""
    experiment = recipe(name)
    return {
        "multiply_adds": _step(experiment),
        "source_only_multiply_adds": _step(on_the_source_alone(experiment)),
    }


def on_the_source_alone(experiment: Experiment) -> Experiment:
    """The same network and batch; norms of two domains become ordinary ones, which count alike."""
    network = experiment.network
    plain = {part: name.removesuffix("_transnorm") for part, name in network.encoders.items()}
    return experiment.changed(
        method=SourceOnly(),
        network=replace(network, **plain),
        optimizers=Optimizers(experiment.optimizers.segmenter),
    )


def _step(experiment: Experiment) -> int:
    mesh = data_mesh(1)
    experiment = experiment.changed(training={"weights": "none", "depth_weights": None})
    assembly = assemble_shapes(experiment, mesh)
    return multiply_adds(assembly.step, assembly.state, *batch_shapes(experiment, mesh))
