"""Networks that never train are the same whenever a run goes on."""

import jax.numpy as jnp
import pytest

from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run
from rdepth_keras.run.fixed import check_fixed, fixed_networks
from rdepth_keras.train.state import State


def state(reference):
    params = {"segmenter": {"kernel": jnp.ones(2)}, "reference": {"kernel": reference}}
    buffers = {"segmenter": {}, "reference": {"mean": jnp.zeros(2)}}
    return State(jnp.zeros((), jnp.int32), params, buffers, {}, {"segmenter": ()}, {})


def test_they_are_told_by_their_variables():
    found = [
        fixed_networks(state(value))
        for value in (jnp.ones(4), jnp.ones(4), jnp.ones(4).at[1].set(2), jnp.ones((2, 2)))
    ]
    assert list(found[0]) == ["reference"] and found[0] == found[1]
    assert len({one["reference"] for one in found}) == 3


@pytest.mark.parametrize(
    ("noted", "training", "origin"),
    [
        ({}, {"weights": "a/b"}, "the weights a/b"),
        (
            {"started_from": {"run": "0a", "step": 7}},
            {"start_from": "/runs/A"},
            "step 7 of the run 0a in /runs/A",
        ),
    ],
)
def test_others_than_before_are_refused(tmp_path, noted, training, origin):
    own, experiment = Run(tmp_path), recipe("demo").changed(training=training)
    found = fixed_networks(state(jnp.ones(4)))
    own.begin(experiment)
    own.note_environment(noted, 0)
    check_fixed(own, experiment, found)  # of a run before there was such a note
    own.note_environment({**noted, "fixed_networks": found}, 0)
    check_fixed(own, experiment, found)
    with pytest.raises(ValueError, match=rf"network reference, which .* made of, {origin}, or"):
        check_fixed(own, experiment, fixed_networks(state(jnp.zeros(4))))
