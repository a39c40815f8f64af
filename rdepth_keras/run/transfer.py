"""A training that starts from another run's weights."""

from collections.abc import Callable
from dataclasses import replace

import jax

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.assembly import Assembly, inference_network
from rdepth_keras.run.directory import Run
from rdepth_keras.run.predictor import restore
from rdepth_keras.train.devices import replicated


def start_from(run: Run, assembly: Assembly, notify: Callable[[str], None]) -> Assembly:
    """The assembly with the variables of the run's checkpoint that counts, as far as they fit.

    What does not fit, such as classifiers of other classes, starts as it would without, and is
    named. Optimizers and step start anew.

    Raises:
        FileNotFoundError: where the run has no checkpoint.
        ValueError: where nothing fits.
    """
    experiment = run.experiment
    *found, step = restore(run, *inference_network(experiment).init(), notify)
    state = assembly.state
    trees, left = [], []
    for ours, theirs in zip((state.params, state.buffers), found, strict=True):
        own = ours[SEGMENTER]
        fits = {path for path, value in own.items() if _fits(theirs.get(path), value)}
        left += sorted(own.keys() - fits)
        taken = {path: theirs[path] if path in fits else value for path, value in own.items()}
        trees.append({**ours, SEGMENTER: taken})
    total = sum(len(tree[SEGMENTER]) for tree in trees)
    if len(left) == total:
        raise ValueError(f"No variable of {run} fits this network; choose the run's own network.")
    notify(f"starts from step {step} of {run}: {total - len(left)} of {total} variables fit")
    if left:
        shown = ", ".join(left[:8]) + (f" and {len(left) - 8} more" if len(left) > 8 else "")
        notify(f"not taken from {run}, since they do not fit: {shown}")
    params, buffers = jax.device_put(trees, replicated(assembly.mesh))
    average = jax.tree.map(lambda value: value.copy(), params) if state.average else {}
    state = state._replace(params=params, buffers=buffers, average=average)
    return replace(assembly, state=state)


def _fits(theirs, ours) -> bool:
    return theirs is not None and theirs.shape == ours.shape
