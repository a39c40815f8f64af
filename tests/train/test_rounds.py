"""Rounds: equal to a plain loop, whole or not there, and no kill is seen afterwards."""

import io
import itertools
import os
import runpy
import shutil
import signal
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from rdepth_keras.adapt import CBST, SEGMENTER
from rdepth_keras.data.pipeline import Unlabelled, label_path, training_batches
from rdepth_keras.data.png import decode
from rdepth_keras.data.transforms import RandomFlips
from rdepth_keras.labels import IGNORE
from rdepth_keras.optimizers import SGD, Schedule
from rdepth_keras.train.checkpoint import Checkpoints
from rdepth_keras.train.devices import data_mesh, replicated
from rdepth_keras.train.journal import Journal
from rdepth_keras.train.loop import Cadence, run_steps
from rdepth_keras.train.progress import TrainingProgress
from rdepth_keras.train.rounds import Rounds
from rdepth_keras.train.signals import Interrupted
from rdepth_keras.train.state import initial_state
from rdepth_keras.train.step import training_step

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"
mini = SimpleNamespace(**runpy.run_path(str(CONTRACTS / "miniatures.py")))

STEPS, SEED, AT = 8, 3, (3, 6)
METHOD = mini.Rounds(first=3, every=3)
OPTIMIZER = SGD(0.05, Schedule(0.0, power=0.0), clip_norm=1.0)
TRANSFORMS = [RandomFlips()]


class Killed(Exception):
    pass


@dataclass(frozen=True)
class Scenes:
    """Tiles of the miniatures' batches."""

    seed: int
    count: int = 5
    labelled: bool = True

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        tiles = mini.batch(self.seed, self.count)
        return {"id": index, **{name: array[index] for name, array in tiles.items()}}


SOURCE, TARGET = Scenes(0), Unlabelled(Scenes(1))


def batches(tiles, seed):
    return training_batches([tiles], TRANSFORMS, batch_size=4, seed=seed)


@pytest.fixture(scope="module")
def compiled():
    """The programs, for all runs of this file: step and prediction."""
    networks = METHOD.networks(mini.parts())
    mesh = data_mesh(4)
    optimizers = {SEGMENTER: OPTIMIZER}
    options = {"steps": STEPS, "seed": SEED, "placement": replicated(mesh)}
    step = training_step(networks, METHOD, optimizers, **options)

    @jax.jit
    def scores(params, buffers, image):
        logits = networks[SEGMENTER].apply(params, buffers, {"image": image[None]})[0]["logits"]
        return jax.nn.softmax(logits[0]).repeat(2, 0).repeat(2, 1)

    def predict(params, buffers, tile):
        return scores(params, buffers, tile["image"])

    state = initial_state(networks, METHOD, optimizers, seed=SEED)
    return SimpleNamespace(networks=networks, mesh=mesh, step=step, predict=predict, state=state)


def train(compiled, folder, *, step=None, predict=None, said=None, checkpoint_steps=2):
    """From the last checkpoint of the folder, or from the first step, to the last; the state."""
    checkpoints = Checkpoints(folder / "checkpoints", keep=3)
    state = jax.device_put(jax.tree.map(jnp.copy, compiled.state), replicated(compiled.mesh))
    made = {"source": batches(SOURCE, 1), "target": batches(TARGET, 2)}
    if checkpoints.steps():
        state, places = checkpoints.restore(state)
        for name, iterator in made.items():
            iterator.set_state(places[name])
    rounds = Rounds(
        METHOD,
        STEPS,
        folder / "rounds",
        TARGET,
        predict or compiled.predict,
        partial(batches, seed=2),
        (said if said is not None else []).append,
    )
    with TrainingProgress(Console(file=io.StringIO()), STEPS, 100) as progress:
        state = run_steps(
            state,
            step or compiled.step,
            made,
            steps=STEPS,
            mesh=compiled.mesh,
            cadence=Cadence(log_steps=1, checkpoint_steps=checkpoint_steps, keep_checkpoints=3),
            checkpoints=checkpoints,
            journal=Journal(folder / "journal.jsonl"),
            progress=progress,
            learning_rate=OPTIMIZER.rate(STEPS),
            rounds=rounds,
        )
    checkpoints.close()
    return jax.device_get(state)


@pytest.fixture(scope="module")
def whole(compiled, tmp_path_factory):
    folder, said = tmp_path_factory.mktemp("whole"), []
    return SimpleNamespace(state=train(compiled, folder, said=said), folder=folder, said=said)


def labels(folder, at):
    return np.stack(
        [decode(label_path(folder / "rounds" / str(at), i).read_bytes()) for i in range(5)]
    )


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(left, right)


def assert_ends_alike(state, folder, whole):
    assert_same(state, whole.state)
    for at in AT:
        np.testing.assert_array_equal(labels(folder, at), labels(whole.folder, at))


def plain_labels(scores):
    """(tiles, H, W, K) at once: thresholds that keep the better half of each class."""
    best, sure = scores.argmax(-1), scores.max(-1)
    limits = [
        np.quantile(sure[best == c], 0.5) if (best == c).any() else 1 for c in range(mini.CLASSES)
    ]
    relative = scores / np.array(limits, np.float32)
    return np.where(relative.max(-1) >= 1, relative.argmax(-1), IGNORE).astype(np.uint8)


def entropy(logits, label):
    logits = jax.image.resize(logits, (*label.shape, mini.CLASSES), "linear")
    terms = -(jax.nn.one_hot(label, mini.CLASSES) * jax.nn.log_softmax(logits)).sum(-1)
    return terms.sum() / jnp.maximum((label != IGNORE).sum(), 1)


def test_a_method_with_rounds_is_its_plain_loop(compiled, whole):
    network = compiled.networks[SEGMENTER]

    @jax.jit
    @partial(jax.value_and_grad, has_aux=True)
    def loss(own, buffers, source, target, key):
        one, two = jax.random.split(key)
        first, kept = network.apply(own, buffers, source, one)
        second, _ = network.apply(own, kept, target, two)
        first = entropy(first["logits"], source["label"])
        return first + 0.5 * entropy(second["logits"], target["label"]), kept

    start = own = jax.device_get(compiled.state.params[SEGMENTER])
    buffers, velocity = compiled.state.buffers[SEGMENTER], dict.fromkeys(own, 0.0)
    current = [TARGET[index]["label"] for index in range(5)]
    key, sources = jax.random.key(SEED), batches(SOURCE, 1)
    for step in range(STEPS):
        if step in AT:
            tiles = [compiled.predict(own, buffers, TARGET[index]) for index in range(5)]
            current = plain_labels(np.stack(tiles))
        # The target's from the very beginning, of which all but the last are thrown away.
        target = batches(Given(tuple(current)), 2)
        source, target = next(sources), next(itertools.islice(target, step, None))
        now = jax.random.fold_in(jax.random.fold_in(key, step), 0)
        drop = ("id", "depth")
        pair = [{k: v for k, v in part.items() if k not in drop} for part in (source, target)]
        (_, buffers), gradients = loss(own, buffers, *pair, now)
        size = np.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
        for path, gradient in gradients.items():
            decayed = gradient * min(1.0, 1.0 / size) + 5e-4 * own[path]
            velocity[path] = 0.9 * velocity[path] + decayed
        own = {path: own[path] - 0.05 * velocity[path] for path in own}
    moved = np.sqrt(sum(float(((own[path] - start[path]) ** 2).sum()) for path in own))
    for path, values in own.items():
        found = whole.state.params[SEGMENTER][path]
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-4 * moved, err_msg=path)


@dataclass(frozen=True)
class Given:
    labels: tuple
    labelled: bool = True

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return {**TARGET[index], "label": self.labels[index]}


def test_labels_are_new_in_each_round_and_told(whole):
    first, second = (labels(whole.folder, at) for at in AT)
    assert (first != second).any()
    for found in (first, second):
        assert 0.2 < (found != IGNORE).mean() < 0.9
    assert [line.split(" anew ")[1].split(":")[0] for line in whole.said] == [
        "after step 3",
        "after step 6",
    ]
    read = Journal(whole.folder / "journal.jsonl").read()
    assert [entry["labelled"] > 0 for entry in read] == [False] * 3 + [True] * 5


def broken(function, calls):
    """The function, which dies in its last call."""
    counter = itertools.count(1)

    def call(*arguments):
        if next(counter) == calls:
            raise Killed
        return function(*arguments)

    return call


@pytest.mark.parametrize("calls", [4, 5, 7])
def test_killed_between_rounds(compiled, whole, tmp_path, calls):
    """In step ``calls``: right after a round, before and after a checkpoint with its labels."""
    with pytest.raises(Killed):
        train(compiled, tmp_path, step=broken(compiled.step, calls))
    said = []
    state = train(compiled, tmp_path, said=said)
    assert_ends_alike(state, tmp_path, whole)
    # Checkpoints are those of the even steps; a round after the last one is made again.
    restored = (calls - 1) // 2 * 2
    assert len(said) == sum(at > restored for at in AT)


@pytest.mark.parametrize("calls", [1, 8, 13])
def test_killed_inside_a_round(compiled, whole, tmp_path, calls):
    """While tile after tile is predicted, each twice a round; also in the second round."""
    with pytest.raises(Killed):
        train(compiled, tmp_path, predict=broken(compiled.predict, calls))
    at = AT[0] if calls <= 10 else AT[1]
    assert not (tmp_path / "rounds" / str(at)).exists(), "whole or not there"
    assert_ends_alike(train(compiled, tmp_path), tmp_path, whole)


def test_a_whole_round_of_the_restored_step_is_read(compiled, whole, tmp_path):
    with pytest.raises(Killed):
        train(compiled, tmp_path, step=broken(compiled.step, 7))
    assert (tmp_path / "rounds" / "6").is_dir()

    def never(*_):
        raise AssertionError("predicted again")

    assert_ends_alike(train(compiled, tmp_path, predict=never), tmp_path, whole)


def test_labels_that_were_taken_away_are_missed(compiled, tmp_path):
    with pytest.raises(Killed):
        train(compiled, tmp_path, step=broken(compiled.step, 6))
    (tmp_path / "rounds" / "3").rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match=r"labels of step 3 are not in .* to step 4"):
        train(compiled, tmp_path)


@pytest.mark.parametrize("calls", [8, 13])
def test_a_signal_inside_a_round_stops_it_between_two_tiles(compiled, whole, tmp_path, calls):
    """With a checkpoint of the step that the round is of, and nothing of the round."""
    counter = itertools.count(1)

    def struck(*arguments):
        if next(counter) == calls:
            os.kill(os.getpid(), signal.SIGTERM)
        return compiled.predict(*arguments)

    at = AT[0] if calls <= 10 else AT[1]
    with pytest.raises(Interrupted, match=f"SIGTERM at step {at}"):
        train(compiled, tmp_path, predict=struck)
    assert next(counter) == calls + 1, "no tile is predicted any more"
    assert not list((tmp_path / "rounds").glob(f"{at}*"))
    assert_ends_alike(train(compiled, tmp_path), tmp_path, whole)


@pytest.mark.parametrize("what", ["a map", "a map less", "another run", "the record", "no record"])
def test_labels_that_were_exchanged_are_refused(compiled, whole, tmp_path, what):
    shutil.copytree(whole.folder / "rounds", tmp_path / "rounds")
    folder, said = tmp_path / "rounds/3", []
    begin = partial(
        Rounds(
            *(METHOD, STEPS, tmp_path / "rounds", TARGET, compiled.predict),
            partial(batches, seed=2),
            said.append,
            "mine" if what == "another run" else "",
        ).begin,
        *(3, compiled.state._replace(step=jnp.asarray(4)), batches(TARGET, 2)),
    )
    if what == "a map":
        shutil.copy(label_path(tmp_path / "rounds/6", 2), label_path(folder, 2))
    elif what == "a map less":
        label_path(folder, 4).unlink()
    elif what == "the record":
        (folder / "made.json").write_text("{")
    elif what == "no record":  # as of a run that was made before there were records
        (folder / "made.json").unlink()
        begin()
        assert "nobody knows whether its labels changed" in said[0]
        return
    with pytest.raises(ValueError, match=r"rounds/3 are not .* this run made: .* Put them back"):
        begin()


class Yields(mini.Rounds):
    def __init__(self, change):
        super().__init__()
        object.__setattr__(self, "change", change)

    def relabel(self, probabilities, step):
        for index, label in enumerate(super().relabel(probabilities, step)):
            if (changed := self.change(index, label)) is not None:
                yield changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, x: x if i < 3 else None, "for each of the 5 target tiles; it yielded 3"),
        (lambda i, x: x.astype(int), "tile 0 must be uint8 .*; received int64"),
        (lambda i, x: x[1:] if i == 2 else x, r"tile 2 must be uint8 \(16, 16\)"),
        (lambda i, x: np.full_like(x, 3), "train ids below 3 or 255; .* values 3 to 3"),
    ],
)
def test_labels_that_cannot_be_are_refused(compiled, tmp_path, change, message):
    rounds = Rounds(
        Yields(change), STEPS, tmp_path, TARGET, compiled.predict, partial(batches, seed=2)
    )
    state = compiled.state._replace(step=jnp.asarray(3))
    with pytest.raises(ValueError, match=message):
        rounds.begin(3, state, batches(TARGET, 2))
    assert not list(tmp_path.iterdir()), "nothing half-written stays"


def test_the_last_round_and_what_is_cut(compiled, tmp_path):
    rounds = Rounds(METHOD, STEPS, tmp_path, TARGET, compiled.predict, partial(batches, seed=2))
    assert [rounds.last(done) for done in range(8)] == [None, None, None, 3, 3, 3, 6, 6]
    rounds.cut(0)
    for name in ("3", "6", "9.partial"):
        (tmp_path / name).mkdir()
    (tmp_path / ".DS_Store").write_text("a file browser's")
    rounds.cut(5)
    assert {path.name for path in tmp_path.iterdir()} == {"3", ".DS_Store"}
    other = replace(rounds, method=mini.MeanTeacher(), extended_at=(4,))
    assert other.last(100) is None


def test_an_extended_run_labels_anew_where_it_had_ended(compiled, tmp_path):
    """The rounds before would be others, by its new length, and are nowhere."""
    rounds = Rounds(CBST(), 48, tmp_path, TARGET, compiled.predict, partial(batches, seed=2))
    assert rounds.last(40) == 39
    extended = replace(rounds, extended_at=(10, 40))
    assert [extended.last(done) for done in (19, 40, 43, 44)] == [None, 40, 40, 44]
