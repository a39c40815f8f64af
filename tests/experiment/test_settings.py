"""An experiment: what follows from its parts, and what decides its numbers."""

from dataclasses import replace

import pytest

from rdepth_keras.adapt import SEGMENTER
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import Choice, Economy, Optimizers, Resources, differences
from rdepth_keras.models import Twin
from rdepth_keras.optimizers import SGD, AdamW
from rdepth_keras.recipes import recipe
from rdepth_keras.train.loop import Cadence


def test_domains_and_training_splits():
    experiment = recipe("demo")
    assert (experiment.data.source, experiment.data.target) == ("rural", "urban")
    assert experiment.training_splits == ("train", "val")
    reference = experiment.changed(data=Demo("u2u"))
    assert reference.training_splits == ("train",), "Val is scored, so it must not train"
    best = experiment.changed(training={"choice": Choice("best", 10)})
    assert best.training_splits == ("train",) and best.validation_domain == "rural"
    leaky = experiment.changed(training={"choice": Choice("best_by_target_labels", 10)})
    assert leaky.validation_domain == "urban" and leaky.training_splits == ("train", "val")


def test_what_changes_no_number_is_no_difference():
    """By construction: resources are the part that the comparison leaves out, whatever is in it."""
    one = recipe("demo")
    other = one.changed(resources=Resources("here", Economy("there", 7, 2, True), Cadence(3, 4, 5)))
    assert differences(one, other) and not differences(one.essence(), other.essence())
    together = {"inference": replace(one.training.inference, window_batch=9)}
    assert one.changed(training=together).essence() == one.essence()
    seeded = one.changed(training={"seed": 5})
    assert differences(one.essence(), seeded.essence())
    assert one.essence(seed=0) == seeded.essence(seed=0)


def test_a_reference_is_not_chosen_by_what_it_is_scored_on():
    best = {"choice": Choice("best", validation_steps=9)}
    with pytest.raises(ValueError, match="very labels r2r is scored on"):
        recipe("demo").changed(data=Demo("r2r"), training=best)


def test_each_network_that_trains_has_an_optimizer():
    both = Optimizers(AdamW(), SGD())
    assert both.of(SEGMENTER) == AdamW() and both.of("critic") == SGD() == both.of("other")
    with pytest.raises(ValueError, match="'critic', which has no optimizer"):
        Optimizers().of("critic")


def test_a_part_is_replaced_or_changed():
    one = recipe("demo")
    assert one.changed(data=Demo("u2r")).data == Demo("u2r")
    assert one.changed(data={"train_tiles": 3}).data.train_tiles == 3
    assert one.changed(data={"train_tiles": 3}).changed(data=one.data) == one


def test_weights_for_an_encoder_that_is_not_there():
    with pytest.raises(ValueError, match="no depth encoder"):
        recipe("demo").changed(network=Twin("atto", None), training={"depth_weights": "none"})


@pytest.mark.parametrize(
    ("part", "setting", "value"),
    [
        *(
            ("network", name, rate)
            for name in ("drop_path", "dropout")
            for rate in (-0.1, 1.0, 1.5)
        ),
        ("method", "auxiliary_weight", -1.0),
    ],
)
def test_rates_and_weights_that_cannot_be(part, setting, value):
    """Keras builds such a network, and it trains: on noise, or away from the labels."""
    with pytest.raises(ValueError, match=f"{setting} must be at least 0"):
        recipe("demo").changed(**{part: {setting: value}})
