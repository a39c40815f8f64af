"""What is tried where a step does not fit, with a memory that is made up."""

import pytest

from rdepth_keras.plan.apart import Compiled
from rdepth_keras.plan.devices import DEVICES
from rdepth_keras.plan.fitting import EARLIER, VARIABLE, fits, numbers_of_parts, room, ways
from rdepth_keras.recipes import recipe


def experiment(batch=8, **economy):
    base = recipe("rdepth_b_s")
    changed = {"economy": type(base.resources.economy)(**economy)}
    return base.changed(training={"batch_size": batch}, resources=changed)


def compiling(refuses=False):
    """2 bytes of state, 3 of decoder a tile, 10 of encoders a tile at a time, 4 with remat."""

    def compile(one):
        economy, batch = one.resources.economy, one.training.batch_size
        if refuses and economy.accumulate > 1:
            raise ValueError("batch norm")
        encoders = batch // economy.accumulate * (4 if economy.remat else 10)
        return Compiled(0, 0, 0, 2 + 3 * batch + encoders, 0.0, 0.0, "")

    return compile


def tried(one, free, count=1, **options):
    found = ways(one, count, compiling(**options), free)
    return [(attempt.flags, fits(attempt, free)) for attempt in found]


def test_accumulation_ends_where_it_fits_and_bisection_finds_the_largest_batch():
    assert tried(experiment(8), 50) == [
        ("--remat", False),  # 2 + 24 + 32
        ("--accumulate 2", False),  # 2 + 24 + 40
        ("--accumulate 4", True),  # 2 + 24 + 20
        ("--batch-size 4", False),  # 2 + 12 + 40
        ("--batch-size 2", True),  # 2 + 6 + 20
        ("--batch-size 3", True),  # 2 + 9 + 30
    ]


def test_both_are_tried_together_where_neither_is_enough():
    flags = [flags for flags, _ in tried(experiment(8), 35)]
    assert flags[:4] == ["--remat", "--accumulate 2", "--accumulate 4", "--accumulate 8"]
    assert flags[4:6] == ["--remat --accumulate 2", "--remat --accumulate 4"]
    assert tried(experiment(8), 35)[5] == ("--remat --accumulate 4", True)  # 2 + 24 + 8


def test_a_network_that_cannot_is_asked_once():
    attempts = list(ways(experiment(8), 1, compiling(refuses=True), 50))
    refused = [one for one in attempts if one.compiled is None]
    assert [one.flags for one in refused] == ["--accumulate 2", "--remat --accumulate 2"]
    assert refused[0].refusal == "batch norm" and not fits(refused[0], 10**9)


def test_batches_split_over_devices_and_parts():
    assert [flags for flags, _ in tried(experiment(32, remat=True), 100, count=8)] == [
        *("--accumulate 2", "--accumulate 4"),  # a device has four tiles
        *("--batch-size 16", "--batch-size 8"),
    ]
    assert numbers_of_parts(experiment(32, accumulate=2), 4) == [4, 8]


def test_what_jax_takes_of_the_memory():
    h200 = DEVICES["h200"]
    assert room(h200, {}) == int(0.75 * h200.memory_bytes)
    assert room(h200, {VARIABLE: "0.9"}) == int(0.9 * h200.memory_bytes)
    assert room(h200, {EARLIER: "0.9", VARIABLE: ""}) == int(0.9 * h200.memory_bytes)
    for value in ("all", "90", "-1", "0", "nan"):
        with pytest.raises(ValueError, match=rf"{VARIABLE} must be .*received '{value}'"):
            room(h200, {VARIABLE: value})
    with pytest.raises(ValueError, match="are both set"):
        room(h200, {VARIABLE: "0.5", EARLIER: "0.5"})
