"""Training on from another run: what fits is taken, the rest is named; more steps after the end."""

import dataclasses
import io
import shutil
from functools import partial
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
from rich.console import Console

from rdepth_keras import run
from rdepth_keras.adapt import SEGMENTER, DAFormer, SourceOnly
from rdepth_keras.adapt.daformer import PRETRAINED
from rdepth_keras.assembly import assemble, inference_network
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import Choice, Resources, Training
from rdepth_keras.infer import Inference
from rdepth_keras.labels import LOVEDA, ClassTable
from rdepth_keras.models import ENCODERS, Twin
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.recipes import recipe
from rdepth_keras.recipes.deviation import changes as left
from rdepth_keras.run import transfer
from rdepth_keras.run.directory import Run
from rdepth_keras.train.loop import Cadence

FOUR = ClassTable(tuple("abcd"), (0, 1, 2, 3), ((0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9)), (255,))


@dataclasses.dataclass(frozen=True)
class FourClasses(Demo):
    """The demo's scenes with all but the first four classes ignored."""

    classes: ClassTable = FOUR

    def open(self, place, with_depth=True):
        found = super().open(place, with_depth)

        def tiles(split, domain):
            whole = [dict(tile) for tile in found.tiles(split, domain)]
            for tile in whole:
                tile["label"] = np.where(tile["label"] < 4, tile["label"], 255).astype(np.uint8)
            return Listed(tuple(whole))

        return dataclasses.replace(found, tiles=tiles)


@dataclasses.dataclass(frozen=True)
class Listed:
    tiles: tuple
    labelled: bool = True

    def __len__(self):
        return len(self.tiles)

    def __getitem__(self, index):
        return self.tiles[index]


@pytest.fixture(autouse=True, scope="module")
def tiniest():
    ENCODERS["tiniest"] = partial(convnext, depths=(1, 1, 1, 1), widths=(4, 4, 4, 4))
    yield
    del ENCODERS["tiniest"]


def small(**training):
    scenes = {"train_tiles": 2, "val_tiles": 1, "test_tiles": 1, "tile_pixels": 64}
    return recipe("demo").changed(
        data=Demo(**scenes),
        network=Twin("tiniest", None, decoder="segformer", channels=4, auxiliary_channels=None),
        training=Training(
            **{"weights": "none", "steps": 2, "batch_size": 2, "crop": 32, **training},
            inference=Inference(window_pixels=None),
        ),
        resources=Resources(cadence=Cadence(log_steps=1)),
    )


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A finished run of two steps."""
    own = Run(tmp_path_factory.mktemp("first") / "run")
    run.start(small(), own, Console(quiet=True))
    return own


def variables(own):
    experiment = own.experiment
    params, buffers = inference_network(experiment).init()
    found = own.checkpoints().restore_variables({SEGMENTER: params}, {SEGMENTER: buffers}, False)
    return found[0][SEGMENTER]


def start_from(experiment, first, directory):
    said = io.StringIO()
    experiment = experiment.changed(training={"start_from": str(first.directory)})
    run.start(experiment, Run(directory), Console(file=said, width=300))
    return Run(directory), said.getvalue()


@pytest.mark.proof
def test_all_of_it_fits(first, tmp_path):
    """At a rate of nearly nothing, the new run stays where the first one ended."""
    slow = dataclasses.replace(small().optimizers.segmenter, learning_rate=1e-30)
    own, said = start_from(small(seed=5).changed(optimizers={"segmenter": slow}), first, tmp_path)
    assert f"starts from step 2 of {first}" in said and "do not fit" not in said
    expected, found = variables(first), variables(own)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    assert [entry["step"] for entry in own.journal.read()] == [1, 2]
    assert any("start_from" in change for change in left(own.experiment))
    assert own.environment["seen"] == {"Demo rural": "labelled Train, labelled Val"}


@pytest.mark.proof
def test_classifiers_of_other_classes_start_anew_and_are_named(first, tmp_path):
    scenes = {"train_tiles": 2, "val_tiles": 1, "test_tiles": 1, "tile_pixels": 64}
    from rdepth_keras.data.datasets import DATASETS

    DATASETS["four"] = FourClasses
    try:
        own, said = start_from(small().changed(data=FourClasses(**scenes)), first, tmp_path)
        assert "head/classifier/kernel" in said and "do not fit" in said
        assert list(own.metrics["iou"]) == list("abcd")
    finally:
        del DATASETS["four"]


@dataclasses.dataclass(frozen=True)
class Turned(Demo):
    """The demo's classes in reverse order: as many, and none of them the same."""

    classes: ClassTable = ClassTable(
        LOVEDA.names[::-1], LOVEDA.values[::-1], LOVEDA.colors[::-1], LOVEDA.ignored
    )


@pytest.mark.parametrize("data", [Demo(), Turned()])
def test_as_many_classes_in_another_order_are_other_classes(monkeypatch, data):
    monkeypatch.setattr(transfer, "restore", lambda own, *network: (*network[:2], 2))
    first, second, said = small(seed=1), small(seed=2).changed(data=data), []
    whole, own = inference_network(first).init()[0], assemble(second)
    parent = SimpleNamespace(experiment=first, metrics={})
    taken, step = transfer.start_from(parent, second, own, said.append)
    assert step == 2
    heads = {"head/classifier/kernel", "head/classifier/bias"} if data == Turned() else set()
    for path, value in taken.state.params[SEGMENTER].items():
        expected = own.state.params[SEGMENTER] if path in heads else whole
        np.testing.assert_array_equal(value, expected[path], err_msg=path)
    assert all((path in " ".join(said)) == bool(heads) for path in heads or ["do not fit"])


class Keeping(SourceOnly):
    """With a network that stays as it was built."""

    def networks(self, parts):
        return {SEGMENTER: parts.segmenter, "reference": parts.build("reference")}


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"frozen": ("image_encoder",)}, "image_encoder"),
        ({"method": Keeping()}, "reference"),
    ],
)
def test_what_never_trains_is_taken_whole(monkeypatch, parts, name):
    """From a shallower encoder it would be random in part, or of two kinds."""
    monkeypatch.setitem(
        ENCODERS, "deeper", partial(convnext, depths=(2, 1, 1, 1), widths=(4, 4, 4, 4))
    )
    monkeypatch.setattr(transfer, "restore", lambda own, *network: (*network[:2], 2))
    encoder = {"image_encoder": "deeper", "frozen": parts.pop("frozen", ())}
    begun = small(start_from="/runs/A").changed(**parts, network=encoder)
    own, same = assemble(begun), begun.changed(method=small().method)
    for weights in ("none", "published/weights"):
        given = begun.changed(training={"weights": weights})
        message = rf"{name} never trains here, and .* fits \d+ of its \d+ .*stage1_block2"
        parent = SimpleNamespace(experiment=small(), metrics={})
        with pytest.raises(ValueError, match=message):
            transfer.start_from(parent, given, own, pytest.fail)
    transfer.start_from(SimpleNamespace(experiment=same, metrics={}), begun, own, lambda _: None)


@pytest.mark.proof
def test_killed_before_its_first_checkpoint_it_starts_there_again(first, tmp_path):
    own, said = Run(tmp_path / "run"), io.StringIO()
    own.begin(small(start_from=str(first.directory)))
    run.resume(own.experiment, own, Console(file=said, width=300))
    assert f"starts from step 2 of {first}" in said.getvalue()
    said = io.StringIO()
    run.resume(own.experiment, own, Console(file=said, width=300))
    assert "starts from" not in said.getvalue() and "resumed at step 2" in said.getvalue()


@pytest.mark.proof
def test_a_run_that_has_not_come_to_its_end_is_told(first, tmp_path):
    shutil.copytree(first.directory, tmp_path / "early")
    early = Run(tmp_path / "early")
    (early.directory / "metrics.json").unlink()
    told = f"WARNING: {early} has not come to its end; go on with --resume."
    assert told in start_from(small(), early, tmp_path / "run")[1]
    assert "its end" not in start_from(small(), first, tmp_path / "other")[1]


@pytest.mark.proof
def test_a_teacher_and_a_reference_are_of_the_run_as_well(first):
    """They would else be what the experiment's own weights, none, are drawn as."""
    begun = small(seed=5, start_from=str(first.directory))
    experiment = begun.changed(method=DAFormer(feature_weight=0.1))
    state = transfer.start_from(first, experiment, assemble(experiment), lambda _: None)[0].state
    expected, reference = variables(first), state.params[PRETRAINED]
    assert reference and all(path.startswith("image_encoder/") for path in reference)
    for found in (state.params[SEGMENTER], state.memory["teacher"], reference):
        for path, value in found.items():
            np.testing.assert_array_equal(value, expected[path], err_msg=path)


@pytest.mark.proof
def test_nothing_fits(first, tmp_path):
    other = Twin("tiniest", None, decoder="segformer", channels=4, auxiliary_channels=None)
    experiment = small().changed(network=dataclasses.replace(other, image_encoder="atto"))
    with pytest.raises(FileNotFoundError, match="holds no run"):
        start_from(experiment, Run(tmp_path / "nowhere"), tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.proof
def test_a_finished_run_is_given_more_steps(first, tmp_path):
    own, said = Run(tmp_path / "run"), io.StringIO()
    run.start(small(), own, Console(quiet=True))
    console = Console(file=said, width=300)
    longer = own.experiment.changed(training={"steps": 4})
    refused = patch("rdepth_keras.run.training.prepare", side_effect=ValueError("files changed"))
    with refused, pytest.raises(ValueError, match="files changed"):
        run.resume(longer, own, console)
    assert not said.getvalue(), "what is refused was not extended"
    run.resume(longer, own, console)
    assert "extended from 2 to 4 steps: the learning rate goes on with" in said.getvalue()
    assert [entry["step"] for entry in own.journal.read()] == [1, 2, 3, 4]
    assert own.experiment.training.extended_at == (2,) and own.metrics["step"] == 4
    assert any("extended_at" in change for change in left(own.experiment))
    run.resume(own.experiment, own, console)  # and is what it is from then on
    for change in ({"steps": 3}, {"steps": 6, "crop": 64}):
        with pytest.raises(ValueError, match="has other settings"):
            run.resume(own.experiment.changed(training=change), own, console)


@pytest.mark.proof
def test_an_unfinished_run_is_not_extended(first, tmp_path):
    own = Run(tmp_path)
    own.begin(small())
    with pytest.raises(ValueError, match=r"training\.steps: 2 -> 4"):
        run.resume(small(steps=4), own, Console(quiet=True))
    assert Choice() == own.experiment.training.choice
