"""The state before the first step: of which networks it holds what."""

import runpy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import jax
import keras
import numpy as np
import pytest

from rdepth_keras.adapt import DGCD, METHODS, SEGMENTER, SourceOnly
from rdepth_keras.adapt.method import Phase
from rdepth_keras.adapt.outputs import maps
from rdepth_keras.models.heads import Output
from rdepth_keras.models.layers.domain_norm import TransNorm as DomainNorm
from rdepth_keras.network import Network
from rdepth_keras.optimizers import SGD, Adam
from rdepth_keras.packing import Packed
from rdepth_keras.train.state import initial_state, trained

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
toys = SimpleNamespace(**runpy.run_path(str(CONTRACTS / "toys.py")))
mini = SimpleNamespace(**runpy.run_path(str(CONTRACTS / "miniatures.py")))
OPTIMIZERS = {SEGMENTER: SGD(), "critic": Adam()}


def assert_same(one, other):
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("average", [False, True])
def test_an_optimizer_for_each_network_that_trains(average):
    method = mini.MeanTeacher()
    networks = method.networks(mini.parts())
    state = initial_state(networks, method, OPTIMIZERS, seed=0, average=average)
    assert int(state.step) == 0
    assert state.params.keys() == state.buffers.keys() == {SEGMENTER, "frozen"}
    assert state.optimizer.keys() == {SEGMENTER}
    assert state.average.keys() == ({SEGMENTER} if average else set())
    assert isinstance(state.params[SEGMENTER], Packed) and type(state.params["frozen"]) is dict
    assert state.best_params.keys() == (state.average if average else state.params).keys()
    for name, network in networks.items():
        assert_same((dict(state.params[name]), state.buffers[name]), network.init())
    assert_same(state.best_params[SEGMENTER], dict(state.params[SEGMENTER]))
    assert_same(state.memory["teacher"], networks[SEGMENTER].init())


def test_other_params_are_packed_as_its_own():
    method = mini.MeanTeacher()
    state = initial_state(method.networks(mini.parts()), method, OPTIMIZERS, seed=0)
    twice = {n: {path: 2 * x for path, x in own.items()} for n, own in state.params.items()}
    found = state.with_params(twice)
    assert jax.tree.structure(found) == jax.tree.structure(state)
    for name, own in twice.items():
        assert_same(dict(found.params[name]), own)


def test_memory_and_average_are_copies():
    """Params are donated to the step, which may write over them."""
    method = mini.MeanTeacher()
    state = initial_state(method.networks(mini.parts()), method, OPTIMIZERS, seed=0, average=True)
    step = jax.jit(lambda params: jax.tree.map(lambda x: x + 1, params), donate_argnums=0)
    step(state.params)
    for tree in (state.memory, state.average):
        assert all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(tree))


def test_networks_that_train_come_in_their_order():
    method = mini.Adversarial()
    assert trained(method, method.networks(mini.parts())) == (SEGMENTER, "critic")


def test_norms_of_two_domains_want_a_method_that_joins_them():
    networks = {SEGMENTER: toys.segmenter((2, 2), DomainNorm)}
    with pytest.raises(ValueError, match="method SourceOnly does not give it: take the method tr"):
        trained(SourceOnly(), networks)
    assert METHODS["transnorm"].joins_domains


def test_a_prediction_wants_a_method_that_trains_it():
    network = toys.segmenter()
    inputs, found = network.model.input, maps(network)
    outputs = Output(True, "refined")({**found, "refined": found["logits"]})
    refined = {SEGMENTER: Network(keras.Model(inputs, outputs))}
    with pytest.raises(ValueError, match="map refined, which the method SourceOnly does not train"):
        trained(SourceOnly(), refined)
    assert trained(DGCD(), refined) == (SEGMENTER,)


def test_a_network_with_regularizers_does_not_train():
    method = mini.Adversarial()
    networks = method.networks(mini.parts())
    variable = networks["critic"].model.trainable_variables[0]
    variable.regularizer = keras.regularizers.L2()
    with pytest.raises(ValueError, match=f"the regularizer of {variable.path}"):
        trained(method, networks)


@dataclass(frozen=True)
class Absent(SourceOnly):
    def phases(self, networks):
        return (Phase(lambda params, given: None, trains=(SEGMENTER, "critic")),)


def test_a_network_that_is_not_there_cannot_train():
    method = Absent()
    with pytest.raises(ValueError, match="Absent trains critic, but its networks are segmenter"):
        trained(method, method.networks(mini.parts()))
