"""Networks that no phase trains: in no checkpoint, so that every start builds them anew, and the
same."""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np

from rdepth_keras.experiment import Experiment
from rdepth_keras.network import Variables
from rdepth_keras.run.directory import Run
from rdepth_keras.train.state import State


def fixed_networks(state: State) -> dict[str, str]:
    """Name -> digest of the variables, of each."""
    names = sorted(state.params.keys() - state.optimizer.keys())
    return {name: _digest({**state.params[name], **state.buffers[name]}) for name in names}


def check_fixed(run: Run, experiment: Experiment, found: Mapping[str, str]) -> None:
    """Raises ValueError where they are not the ones that the run began with.

    A run that noted none has nothing to compare.
    """
    began, training = run.environment, experiment.training
    noted = began.get("fixed_networks", {})
    if changed := [name for name in noted if found.get(name) != noted[name]]:
        origin = f"the weights {training.weights}"
        if before := began.get("started_from"):
            origin = f"step {before['step']} of the run {before['run']} in {training.start_from}"
        raise ValueError(
            f"The network {' and '.join(changed)}, which never trains, is not the one that the run "
            f"in {run} began with. Put back what it was made of, {origin}, or train a new run."
        )


def _digest(variables: Variables) -> str:
    digest = blake2b(digest_size=16)
    for path, value in sorted(variables.items()):
        array = np.asarray(value.addressable_data(0))
        digest.update(f"{path} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
