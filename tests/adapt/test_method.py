"""The contract's defaults: a method that says nothing more trains the segmenter alone."""

import dataclasses
import inspect

import jax
import pytest

from rdepth_keras.adapt import METHODS, SEGMENTER, Method
from rdepth_keras.adapt.method import Parts, Phase

NETWORK = object()


def test_the_defaults():
    method = Method()
    parts = Parts(NETWORK, build=None, classes=7, dtype="float32", seed=0)
    assert method.networks(parts) == {SEGMENTER: NETWORK}
    assert not method.uses_target
    assert method.memory({}, {}, {}, jax.random.key(0)) == {}
    memory = {"teacher": 1}
    assert method.remember(memory, {}, {}, 3) is memory
    assert method.rounds(1000) == ()
    assert method.labelling.window_pixels is None
    assert method.labelling.average == "probabilities"


def test_a_phase_trains_the_segmenter_and_is_clipped():
    phase = Phase(loss=lambda params, given: None)
    assert phase.trains == (SEGMENTER,) and phase.clips


def test_what_a_method_must_define():
    with pytest.raises(TypeError, match="Method defines no phases"):
        Method().phases({})
    with pytest.raises(TypeError, match="Method has rounds, but defines no relabel"):
        Method().relabel([], 0)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_its_settings(name):
    """Frozen, built without arguments, compared by value, explained in words."""
    kind = METHODS[name]
    assert dataclasses.is_dataclass(kind) and kind() == kind()
    assert inspect.getdoc(kind) != inspect.getdoc(Method)
    with pytest.raises(dataclasses.FrozenInstanceError):
        kind().settings = 1
