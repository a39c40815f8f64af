"""An experiment put together: who trains, from which weights, with which optimizer."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import numpy as np
import pytest

from rdepth_keras.adapt import SEGMENTER, DAFormer, SourceOnly
from rdepth_keras.assembly import assemble, training
from rdepth_keras.assembly.networks import starting_weights
from rdepth_keras.assembly.training import optimizers_of
from rdepth_keras.experiment import Choice
from rdepth_keras.models import ENCODERS, STDASegNet, Twin
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.optimizers import Adam
from rdepth_keras.recipes import recipe
from rdepth_keras.train.devices import shard_batch


@pytest.fixture(autouse=True)
def tiniest(monkeypatch):
    encoder = partial(convnext, depths=(1, 1, 1, 1), widths=(4, 4, 4, 4))
    monkeypatch.setitem(ENCODERS, "tiniest", encoder)


def small(method=SourceOnly(), **settings):
    network = Twin("tiniest", None, decoder="segformer", channels=4, auxiliary_channels=None)
    return recipe("demo").changed(
        network=network,
        method=method,
        training={"batch_size": 2, "crop": 32, "choice": Choice(), **settings},
    )


def test_the_state_before_the_first_step():
    one, other = assemble(small()), assemble(small(choice=Choice(average_decay=0.9)))
    assert int(one.state.step) == 0 and list(one.networks) == [SEGMENTER] == list(one.state.params)
    assert not one.state.average and other.state.average.keys() == {SEGMENTER}
    pairs = zip(*(jax.tree.leaves(each.state.params) for each in (one, other)), strict=True)
    for left, right in pairs:
        np.testing.assert_array_equal(left, right, err_msg="the same seed, the same weights")
    seeded = assemble(small(seed=1)).state.params[SEGMENTER]
    name = "head/classifier/kernel"
    assert (np.asarray(seeded[name]) != np.asarray(one.state.params[SEGMENTER][name])).any()


@dataclass(frozen=True)
class Two(SourceOnly):
    """A method with a second network of the experiment's architecture."""

    def networks(self, parts):
        assert (parts.classes, parts.dtype, parts.seed) == (7, "float32", 0)
        return {SEGMENTER: parts.segmenter, "teacher": parts.build("teacher", weights=None)}


def test_a_method_makes_further_networks_which_train_only_where_a_phase_says_so():
    assembly = assemble(small(Two(), start_from="another run, whose weights come later"))
    assert list(assembly.networks) == [SEGMENTER, "teacher"]
    assert list(assembly.state.optimizer) == [SEGMENTER]
    paths = [set(assembly.state.params[name]) for name in assembly.networks]
    assert paths[0] == paths[1]


def test_random_weights_that_never_train_are_refused():
    with pytest.raises(ValueError, match="Two keeps teacher as it starts, and random"):
        assemble(small(Two()))
    with pytest.raises(ValueError, match="DAFormer keeps pretrained .* --method.feature-weight 0"):
        assemble(small(DAFormer()))


def test_an_optimizer_for_a_network_that_is_not_there_is_refused():
    experiment = small().changed(optimizers={"critic": Adam()})
    with pytest.raises(ValueError, match=r"SourceOnly trains segmenter alone: leave it away"):
        assemble(experiment)
    alone = (SEGMENTER,)
    assert optimizers_of(small(), alone) == {SEGMENTER: small().optimizers.segmenter}
    assert optimizers_of(experiment, (*alone, "critic"))["critic"] == Adam()


def test_what_a_step_refuses_is_refused_before_there_is_one():
    with pytest.raises(ValueError, match="64 pixels hide all or nothing of 32 x 32: lower"):
        assemble(small(DAFormer(feature_weight=0.0, masked_weight=1.0)))


@dataclass(frozen=True)
class Counting(SourceOnly):
    """Counts how often its loss is traced."""

    traced: ClassVar[list[int]] = []

    def terms(self, outputs, label, key):
        self.traced.append(1)
        return super().terms(outputs, label, key)


def test_the_step_is_traced_once():
    """Looked at before there are tiles, it is not traced again with their batch."""
    assembly = assemble(small(Counting()))
    batch = {
        "id": np.zeros(2, np.int64),
        "image": np.zeros((2, 32, 32, 3), np.uint8),
        "depth": np.zeros((2, 32, 32, 1), np.float32),
        "label": np.zeros((2, 32, 32), np.uint8),
    }
    given = assembly.state, shard_batch(batch, assembly.mesh), None
    assembly.step.func.lower(*given, **assembly.step.keywords)
    assert len(Counting.traced) == 1


@pytest.mark.parametrize(
    ("weights", "depth_weights", "expected"),
    [
        ("none", None, None),
        ("imagenet", None, "imagenet"),
        ("a.safetensors", "none", {"image_encoder": "a.safetensors", "depth_encoder": None}),
        ("none", "b", {"image_encoder": None, "depth_encoder": "b"}),
    ],
)
def test_where_training_starts(weights, depth_weights, expected):
    given = {"weights": weights, "depth_weights": depth_weights}
    assert starting_weights(recipe("rdepth_b_s").changed(training=given)) == expected


def test_both_students_start_alike():
    students = STDASegNet(source_depth_encoder="atto", target_depth_encoder="atto")
    given = {"weights": "a.safetensors", "depth_weights": "none"}
    found = starting_weights(recipe("rdepth_b_s").changed(network=students, training=given))
    images = dict.fromkeys(("source_encoder", "target_encoder"), "a.safetensors")
    assert found == {**images, "source_depth_encoder": None, "target_depth_encoder": None}


def test_weights_go_to_the_segmenter(monkeypatch):
    asked = []

    def build(experiment, architecture, weights, name):
        asked.append((weights, name))

    monkeypatch.setattr(training, "training_network", build)
    parts = training.parts(recipe("rdepth_b_s"))
    parts.build("critic", weights=None)
    assert asked == [("imagenet", SEGMENTER), (None, "critic")]
