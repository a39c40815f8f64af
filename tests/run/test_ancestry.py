"""What runs before had seen is noted when a run begins, and handed on along a chain."""

import shutil

import pytest

from rdepth_keras.adapt import CBST
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import Choice
from rdepth_keras.recipes import recipe
from rdepth_keras.run.ancestry import (
    BEFORE,
    PICTURES,
    UNKNOWN,
    alike,
    handed_on,
    inherited,
    labelled_before,
    pictures_before,
    pictures_handed_on,
    seen,
    target_seen,
    trained_on,
)
from rdepth_keras.run.directory import Run


def begin(directory, before=None, *, notes=True, **parts):
    own, place = Run(directory), before and str(before.directory)
    training = {**parts.pop("training", {}), "start_from": place}
    own.begin(recipe("demo").changed(training=training, **parts))
    if notes:
        own.note_environment({"seen": handed_on(before) if before else {}}, 0)
    return own


def test_a_chain_stays_whole_though_its_runs_are_gone_or_replaced(tmp_path):
    first = begin(tmp_path / "first", data=Demo("u2r"), training={"choice": Choice("best", 5)})
    second = begin(tmp_path / "second", first, method=CBST())
    third = begin(tmp_path / "third", second)
    both = "labelled Train, labelled Val"  # the first was chosen by Val
    assert third.environment["seen"] == {"Demo rural": both, "Demo urban": both}
    shutil.rmtree(first.directory)
    shutil.rmtree(second.directory)
    begin(tmp_path / "second")
    assert target_seen(third) == both
    assert inherited(begin(tmp_path / "fourth", third))["Demo urban"] == both


@pytest.mark.parametrize("notes", [True, False])
def test_images_alone_are_told_apart_from_labels(tmp_path, notes):
    first = begin(tmp_path / "first", method=CBST(), notes=notes)
    second = begin(tmp_path / "second", first, notes=notes)
    assert target_seen(first) == target_seen(second) == "Train"
    other = begin(tmp_path / "other", second, data=Demo("u2r"), notes=notes)
    assert target_seen(other) == "labelled Train, labelled Val"
    peeks = {"choice": Choice("best_by_target_labels", 5)}
    chosen = begin(tmp_path / "chosen", first, training=peeks, notes=notes)
    assert target_seen(begin(tmp_path / "last", chosen, notes=notes)) == "Train, labelled Val"


def test_every_domain_has_been_seen_in_its_own_way(tmp_path):
    plain = begin(tmp_path / "plain", method=CBST(), training={"choice": Choice("best", 5)})
    assert (seen(plain, "urban"), seen(plain, "rural")) == ("Train", "labelled Train")
    oracle = begin(tmp_path / "oracle", plain, data=Demo("r2r"))
    assert seen(oracle, "rural") == target_seen(oracle) == "labelled Train, labelled Val"
    assert (seen(oracle, "urban"), seen(oracle, "sea")) == ("Train", "none")


def test_what_decided_the_weights_is_what_they_were_trained_on(tmp_path):
    """Not the target's Val, that a run is merely scored on."""
    own = begin(tmp_path / "a", notes=False)
    files = {name: {"images": name[0]} for name in ("train/rural", "val/urban")}
    own.note_environment(
        {"depth": {"source": "d"}, "trained_on": {"train/rural": 3}, "files": files}, 0
    )
    told = {"depth source": "d", "tiles": {"train/rural": 3}, "images of train/rural": "t"}
    assert trained_on(own) == told | {"reading of masks": Demo().classes.reading}


def test_seeds_are_alike_where_weights_and_precision_are(tmp_path):
    own = begin(tmp_path / "run")
    noted = {"weights": {"weights": "aa"}, "compute_dtype": "float32", "started_from": {"step": 3}}
    own.note_environment(own.environment | noted, 0)
    found = {"file of weights": "aa", "compute dtype": "float32", "started from": {"step": 3}}
    assert alike(own) == trained_on(own) | found
    own.note_environment({"compute_dtype": "bfloat16"}, 7)
    assert alike(own)["compute dtype"] == "float32 and bfloat16"


def test_runs_that_started_from_each_other_and_a_damaged_one_are_no_dead_end(tmp_path):
    first = begin(tmp_path / "first", notes=False)
    second = begin(tmp_path / "second", first, notes=False)
    begin(tmp_path / "first", second, notes=False)
    assert target_seen(second) == "none"
    (first.directory / "experiment.json").write_text("{")
    assert target_seen(second) == "unknown"


def test_a_split_that_was_absent_was_not_seen(tmp_path):
    own = begin(tmp_path / "own")
    assert seen(own, "rural") == "labelled Train, labelled Val"
    own.note_environment({"trained_on": {"train/rural": 3}}, 0)
    assert seen(own, "rural") == handed_on(own)["Demo rural"] == "labelled Train"
    later = begin(tmp_path / "later", own, notes=False)
    assert inherited(later) == {"Demo rural": "labelled Train"}


def test_pictures_are_handed_on_under_any_name(tmp_path):
    """A chain with one link that noted none is known in part, and a first run has none before."""
    first = begin(tmp_path / "first")
    first.note_environment({PICTURES: "0a 0b", BEFORE: ""}, 0)
    assert pictures_before(first) == set() and pictures_handed_on(first) == {"0a", "0b"}
    second = begin(tmp_path / "second", first)
    assert pictures_before(second) == {UNKNOWN}
    second.note_environment({PICTURES: "0c", BEFORE: "0a 0b"}, 0)
    assert pictures_handed_on(second) == {"0a", "0b", "0c"}
    assert pictures_handed_on(begin(tmp_path / "old")) == {UNKNOWN}
    assert labelled_before(0, 3) == "" and "2 of the 3 tiles labelled" in labelled_before(2, 3)
    assert labelled_before(None, 3).startswith("unknown")
