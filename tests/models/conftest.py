"""What the tests of the networks share."""

import jax
import pytest
from keras import ops

from rdepth_keras.models.layers.basic import Normal


@pytest.fixture
def unallocated(monkeypatch):
    """Run a function that builds a network without giving its variables memory: shapes only."""

    def run(build):
        built = []
        jax.eval_shape(lambda: built.append(build()))
        return built[0]

    monkeypatch.setattr(Normal, "__call__", lambda self, shape, dtype=None: ops.zeros(shape, dtype))
    return run
