"""A training that starts from another run's weights."""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.assembly import Assembly, class_variables, inference_network
from rdepth_keras.experiment import Experiment
from rdepth_keras.run.directory import Run
from rdepth_keras.run.predictor import restore
from rdepth_keras.train.devices import replicated


def start_from(
    run: Run, experiment: Experiment, assembly: Assembly, notify: Callable[[str], None]
) -> Assembly:
    """The assembly with the variables of the run's checkpoint that counts, as far as they fit.

    What does not fit starts as it would without, and is named: so do classifiers of other classes,
    or of the same ones in another order. Networks that the experiment's method never trains, such
    as a pretrained reference, are the run's as well, and what it remembers, such as a teacher, is
    made anew of them. Optimizers and step start anew.

    Raises:
        FileNotFoundError: where the run has no checkpoint.
        ValueError: where nothing fits.
    """
    params, buffers, step = restore(run, *inference_network(run.experiment).init(), notify)
    theirs = {**params, **buffers}  # what trained there may be frozen here
    if run.experiment.data.classes.names != experiment.data.classes.names:
        for path in class_variables(experiment):
            theirs.pop(path, None)
    state = assembly.state
    fixed = set(state.params) - set(state.optimizer)
    trees, left = [], []
    for ours in (state.params, state.buffers):
        left += sorted(p for p, value in ours[SEGMENTER].items() if not _fits(theirs.get(p), value))
        trees.append(
            {
                name: _taken(theirs, own) if name == SEGMENTER or name in fixed else own
                for name, own in ours.items()
            }
        )
    total = sum(len(tree[SEGMENTER]) for tree in trees)
    if len(left) == total:
        raise ValueError(f"No variable of {run} fits this network; choose the run's own network.")
    notify(f"starts from step {step} of {run}: {total - len(left)} of {total} variables fit")
    if left:
        shown = ", ".join(left[:8]) + (f" and {len(left) - 8} more" if len(left) > 8 else "")
        notify(f"not taken from {run}, since they do not fit: {shown}")
    params, buffers = jax.device_put(trees, replicated(assembly.mesh))
    average = {name: jax.tree.map(jnp.copy, params[name]) for name in state.average}
    key = jax.random.key(experiment.training.seed)
    memory = experiment.method.memory(assembly.networks, params, buffers, key)
    memory = jax.device_put(memory, replicated(assembly.mesh))
    state = state._replace(params=params, buffers=buffers, average=average, memory=memory)
    return replace(assembly, state=state)


def _taken(theirs, ours):
    return {
        path: theirs[path] if _fits(theirs.get(path), value) else value
        for path, value in ours.items()
    }


def _fits(theirs, ours) -> bool:
    return theirs is not None and theirs.shape == ours.shape
