"""A training that starts from another run's weights."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import jax
import jax.numpy as jnp

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.arrays import Params
from rdepth_keras.assembly import Assembly, class_variables, inference_network
from rdepth_keras.experiment import Experiment
from rdepth_keras.naming import shorten
from rdepth_keras.run.checks import encoder_weights
from rdepth_keras.run.directory import Run
from rdepth_keras.run.predictor import restore, unfinished
from rdepth_keras.train.devices import replicated
from rdepth_keras.train.state import State


def start_from(
    run: Run, experiment: Experiment, assembly: Assembly, notify: Callable[[str], None]
) -> tuple[Assembly, int]:
    """The assembly with the variables of the run's checkpoint that counts, as far as they fit.

    What does not fit starts as it would without, and is named: so do classifiers of other classes,
    or of the same ones in another order. Networks that the experiment's method never trains, such
    as a pretrained reference, are the run's as well, and what it remembers, such as a teacher, is
    made anew of them. Optimizers and step start anew. Returns that checkpoint's step, too.

    Raises:
        FileNotFoundError: where the run has no checkpoint.
        ValueError: where nothing fits, or what never trains does not fit as a whole.
    """
    params, buffers, step = restore(run, *inference_network(run.experiment).init(), notify)
    theirs = {**params, **buffers}  # what trained there may be frozen here
    if run.experiment.data.classes.names != experiment.data.classes.names:
        for path in class_variables(experiment):
            theirs.pop(path, None)
    state = assembly.state
    for line in unfinished([run]):
        notify(line)
    fixed = _fixed(experiment, state)
    trees, left = [], []
    for ours in (state.params, state.buffers):
        left += sorted(p for p, value in ours[SEGMENTER].items() if not _fits(theirs.get(p), value))
        trees.append(
            {
                name: _taken(theirs, own) if name == SEGMENTER or name in fixed else dict(own)
                for name, own in ours.items()
            }
        )
    total = sum(len(tree[SEGMENTER]) for tree in trees)
    if len(left) == total:
        raise ValueError(f"No variable of {run} fits this network; choose the run's own network.")
    _check_whole(run, experiment, fixed, theirs)
    notify(f"starts from step {step} of {run}: {total - len(left)} of {total} variables fit")
    if left:
        notify(f"not taken from {run}, since they do not fit: {shorten(left)}")
    params, buffers = jax.device_put(trees, replicated(assembly.mesh))
    key = jax.random.key(experiment.training.seed)
    memory = experiment.method.memory(assembly.networks, params, buffers, key)
    memory = jax.device_put(memory, replicated(assembly.mesh))
    state = state.with_params(params)._replace(buffers=buffers, memory=memory)
    average = {name: jax.tree.map(jnp.copy, state.params[name]) for name in state.average}
    state = state._replace(average=average)
    return replace(assembly, state=state), step


def _fixed(experiment: Experiment, state: State) -> Mapping[str, Params]:
    """What never trains: networks without an optimizer, and the segmenter's frozen encoders."""
    own = {name: {**state.params[name], **state.buffers[name]} for name in state.params}
    found = {name: variables for name, variables in own.items() if name not in state.optimizer}
    for name in experiment.network.frozen:
        paths = [path for path in own[SEGMENTER] if path.startswith(f"{name}/")]
        found[name] = {path: own[SEGMENTER][path] for path in paths}
    return found


def _check_whole(run: Run, experiment: Experiment, fixed: Mapping[str, Params], theirs) -> None:
    """Raises ValueError where one of these would be random for good, or made of two kinds."""
    weights = encoder_weights(experiment)
    for name, variables in fixed.items():
        lost = [path for path, value in variables.items() if not _fits(theirs.get(path), value)]
        random = weights.get(name, experiment.training.weights) == "none"
        if lost and (random or len(lost) < len(variables)):
            raise ValueError(
                f"{name} never trains here, and {run} has nothing that fits {len(lost)} of its "
                f"{len(variables)} variables, such as {min(lost)}. Start from a run with the same "
                "encoder, or leave --from away; one of which nothing fits may be given --weights "
                "or --depth-weights."
            )


def _taken(theirs, ours):
    return {
        path: theirs[path] if _fits(theirs.get(path), value) else value
        for path, value in ours.items()
    }


def _fits(theirs, ours) -> bool:
    return theirs is not None and theirs.shape == ours.shape
