"""Checkpoints: what goes in comes out; damaged ones are named and passed over."""

import json
import shutil
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rdepth_keras.train.checkpoint import Checkpoints, checkpoint_bytes
from rdepth_keras.train.checksums import Checksums
from rdepth_keras.train.state import State


def state(step, scale=1.0):
    params = {"segmenter": {"a/kernel": jnp.arange(6.0).reshape(2, 3) * scale, "b": jnp.ones(2)}}
    return State(
        step=jnp.asarray(step, jnp.int32),
        params=params,
        buffers={"segmenter": {"norm/moving_mean": jnp.full(2, scale)}},
        average=jax.tree.map(lambda value: value / 2, params),
        optimizer={"segmenter": optax.adam(1.0).init(params["segmenter"])},
        memory={},
    )


def assert_equal(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype


@pytest.fixture
def notes():
    return []


@pytest.fixture
def checkpoints(tmp_path, notes):
    opened = Checkpoints(tmp_path / "checkpoints", keep=2, notify=notes.append)
    yield opened
    opened.close()


def test_what_goes_in_comes_out(checkpoints):
    checkpoints.save(state(3, 2.0), {"source": {"next_index": 7}})
    restored, data = checkpoints.restore(state(0))
    assert_equal(restored, state(3, 2.0))
    assert data == {"source": {"next_index": 7}}


def test_only_what_is_saved_takes_room():
    """What a method remembers is, a network that never trains is not."""
    own, kilobyte = state(1), {"a/kernel": jnp.zeros(256)}
    idle = own._replace(params={**own.params, "reference": kilobyte})
    assert checkpoint_bytes(idle) == checkpoint_bytes(own)
    taught = own._replace(memory={"teacher": kilobyte})
    assert checkpoint_bytes(taught) == checkpoint_bytes(own) + 1024


def test_what_is_not_finite_is_not_saved(checkpoints, tmp_path):
    checkpoints.save(state(1), {})
    message = "average/segmenter/a/kernel is not finite at step 2.* a lower learning rate"
    with pytest.raises(FloatingPointError, match=message):
        checkpoints.save(state(2, float("inf")), {})
    with pytest.raises(FloatingPointError, match="or its squares are not"):
        checkpoints.save(state(2, 1e20), {})
    broken = state(2)._replace(buffers={"segmenter": {"norm/moving_mean": jnp.full(2, jnp.nan)}})
    message = "buffers/segmenter/norm/moving_mean is not finite"
    with pytest.raises(FloatingPointError, match=message):
        checkpoints.save(broken, {})
    assert checkpoints.steps() == [1]
    assert not (tmp_path / "checkpoints-checksums" / "2.json").exists()


def test_the_last_ones_are_kept(checkpoints, tmp_path):
    for step in (1, 2, 3, 4):
        checkpoints.save(state(step), {})
    assert checkpoints.steps() == [3, 4] and checkpoints.latest_step() == 4
    sums = sorted(path.name for path in (tmp_path / "checkpoints-checksums").iterdir())
    assert sums == ["3.json", "4.json"]


def test_variables_alone_and_averaged(checkpoints):
    checkpoints.save(state(1, 4.0), {})
    like = state(0)
    params, buffers = checkpoints.restore_variables(like.params, like.buffers, average=True)
    assert_equal(params, state(1, 4.0).average)
    assert_equal(buffers, state(1, 4.0).buffers)


def with_networks(step):
    """A critic that trains, too, and a network that no phase trains."""
    one = state(step, 3.0)
    params = {**one.params, "critic": {"c": jnp.ones(4)}, "frozen": {"f": jnp.full(3, step)}}
    return one._replace(
        params=params,
        buffers={**one.buffers, "critic": {}, "frozen": {"m": jnp.full(3, step)}},
        average={**one.average, "critic": params["critic"]},
        optimizer={**one.optimizer, "critic": optax.sgd(0.1, 0.9).init(params["critic"])},
    )


def test_the_segmenter_is_read_without_the_other_networks(checkpoints):
    checkpoints.save(with_networks(1), {})
    like = state(0)
    for average in (False, True):
        params, buffers = checkpoints.restore_variables(like.params, like.buffers, average)
        expected = with_networks(1).average if average else with_networks(1).params
        assert_equal(params, {"segmenter": expected["segmenter"]})
        assert_equal(buffers, {"segmenter": with_networks(1).buffers["segmenter"]})


def test_a_network_that_never_trains_is_not_saved(checkpoints):
    checkpoints.save(with_networks(1), {})
    restored, _ = checkpoints.restore(with_networks(2))
    expected = with_networks(1)
    for name in ("params", "buffers"):
        now = {**getattr(expected, name), "frozen": getattr(with_networks(2), name)["frozen"]}
        expected = expected._replace(**{name: now})
    assert_equal(restored, expected)


def damage(tmp_path, kind, step):
    folder = tmp_path / "checkpoints" / str(step)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    victim = max(files, key=lambda path: path.stat().st_size)
    content = victim.read_bytes()
    if kind == "flip":
        middle = len(content) // 2
        victim.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    elif kind == "cut":
        victim.write_bytes(content[:-1])
    elif kind == "gone":
        victim.unlink()
    elif kind == "unfinished":
        (tmp_path / "checkpoints-checksums" / f"{step}.json").unlink()
    elif kind == "sums":
        (tmp_path / "checkpoints-checksums" / f"{step}.json").write_text("{")


@pytest.mark.parametrize("kind", ["flip", "cut", "gone", "unfinished", "sums"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(checkpoints, notes, tmp_path, kind):
    checkpoints.save(state(1, 1.0), {"source": 1})
    checkpoints.save(state(2, 2.0), {"source": 2})
    damage(tmp_path, kind, 2)
    restored, data = checkpoints.restore(state(0))
    assert_equal(restored, state(1, 1.0))
    assert data == {"source": 1}
    assert len(notes) == 1 and "step 2 is damaged" in notes[0]
    assert checkpoints.steps() == [1], "the run will write step 2 again"
    checkpoints.save(state(2, 3.0), {"source": 2})
    assert_equal(checkpoints.restore(state(0))[0], state(2, 3.0))


def test_one_of_other_shapes_is_refused_in_a_line(checkpoints, caplog):
    """Before Orbax, which has pages to say of it, has read anything."""
    checkpoints.save(state(1), {})
    wide = state(0)
    wide.params["segmenter"]["a/kernel"] = jnp.ones((3, 4))
    lost = state(0)
    lost.buffers["segmenter"]["extra"] = jnp.ones(1)
    for like, said in (
        (wide, r"params/segmenter/a/kernel is \(2, 3\), expected is \(3, 4\)"),
        (lost, "it lacks buffers/segmenter/extra"),
    ):
        for attempt in (
            lambda like=like: checkpoints.restore(like),
            lambda like=like: checkpoints.restore_variables(like.params, like.buffers, False),
        ):
            with pytest.raises(ValueError, match=said):
                attempt()
    few = state(0)
    few.average["segmenter"].pop("b")
    with pytest.raises(ValueError, match="it holds average/segmenter/b, too"):
        checkpoints.restore(few)
    assert checkpoints.steps() == [1] and not caplog.records


def test_one_of_another_run_is_refused(checkpoints, tmp_path):
    """Of the same shapes, so that nothing else would tell it; unknown ones are taken."""
    checkpoints.save(state(1), {})
    own = Checkpoints(tmp_path / "checkpoints", run="one")
    assert own.latest_step() == 1
    own.save(state(2), {})
    assert own.latest_step() == 2
    other = Checkpoints(tmp_path / "checkpoints", run="other")
    for attempt in (
        other.latest_step,
        lambda: other.restore(state(0)),
        lambda: other.restore_variables(state(0).params, state(0).buffers, False),
    ):
        with pytest.raises(ValueError, match="step 2 in .* is of another run, the run one, and"):
            attempt()
    assert other.steps() == [1, 2], "nothing is deleted"


def test_where_nobody_knows_whose_it_is_a_named_one_is_refused(checkpoints, tmp_path):
    """The run's identity was lost, and with it all that it was told from others by."""
    Checkpoints(tmp_path / "checkpoints", run="one").save(state(1), {})
    nameless = Checkpoints(tmp_path / "checkpoints")
    with pytest.raises(ValueError, match=r"is of the run one, but .* environment\.json back"):
        nameless.restore(state(0))
    assert nameless.steps() == [1]


def test_a_checkpoint_under_another_step_is_none(checkpoints, notes, tmp_path):
    """Copied with its checksums; those of older versions do not say their step."""
    checkpoints.save(state(2, 2.0), {})
    sums = tmp_path / "checkpoints-checksums"
    shutil.copytree(tmp_path / "checkpoints/2", tmp_path / "checkpoints/4")
    shutil.copy(sums / "2.json", sums / "4.json")
    copied = Checkpoints(tmp_path / "checkpoints", notify=notes.append)
    assert copied.latest_step() == 2 and "it is that of step 2 under another name" in notes[0]
    for name in ("2", "4"):
        written = json.loads((sums / f"{name}.json").read_text())
        (sums / f"{name}.json").write_text(json.dumps({"files": written["files"]}))
    assert copied.latest_step() == 4


def test_nothing_yet(checkpoints):
    assert checkpoints.latest_step() is None and checkpoints.damaged() == {}
    with pytest.raises(FileNotFoundError, match="no whole checkpoint"):
        checkpoints.restore(state(0))


def test_which_are_damaged(checkpoints, tmp_path):
    for step in (1, 2):
        checkpoints.save(state(step), {})
    damage(tmp_path, "sums", 2)
    assert checkpoints.damaged() == {2: "2.json is unreadable"} and checkpoints.latest_step() == 1


@pytest.mark.parametrize("kind", ["flip", "cut", "unfinished", "sums"])
def test_all_damaged_is_refused_with_the_remedy(checkpoints, tmp_path, kind):
    """A run that went on from its first step would write over what can still be saved."""
    for step in (1, 2):
        checkpoints.save(state(step), {})
        damage(tmp_path, kind, step)
    for attempt in (checkpoints.latest_step, lambda: checkpoints.restore(state(0))):
        with pytest.raises(ValueError, match=r"whole \(step 2: .*; step 1: .*\. Copy .* --rerun"):
            attempt()
    assert checkpoints.steps() == [1, 2]


def test_checksums_left_behind_by_a_copy(checkpoints, tmp_path):
    checkpoints.save(state(1), {})
    shutil.rmtree(tmp_path / "checkpoints-checksums")
    with pytest.raises(ValueError, match="checkpoints-checksums back from where they are whole"):
        checkpoints.latest_step()


def test_a_kill_before_the_first_checksums_begins_again(checkpoints, notes, tmp_path):
    checkpoints.save(state(1), {})
    damage(tmp_path, "unfinished", 1)
    assert checkpoints.latest_step() is None and "not finished" in notes[0]
    checkpoints.save(state(1, 2.0), {})
    assert_equal(checkpoints.restore(state(0))[0], state(1, 2.0))


def test_older_ones_go_only_after_the_checksums(tmp_path, monkeypatch):
    """With one kept, a kill in between leaves the one before."""
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=1, notify=lambda _: None)
    checkpoints.save(state(1, 1.0), {})

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checksums, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(state(2, 2.0), {})
    assert_equal(checkpoints.restore(state(0))[0], state(1, 1.0))
    checkpoints.save(state(2, 2.0), {})
    assert checkpoints.steps() == [2]
    checkpoints.close()


def test_a_full_disk_is_told_before_anything_is_written(checkpoints, monkeypatch):
    """In one line, and the run can go on from the checkpoint before."""
    checkpoints.save(state(1), {"source": 1})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(OSError, match=r"needs 1.0 MiB, .* go on with --resume\.") as error:
        checkpoints.save(state(2), {"source": 2})
    assert "\n" not in str(error.value)
    assert checkpoints.steps() == [1]
    assert_equal(checkpoints.restore(state(0))[0], state(1))
