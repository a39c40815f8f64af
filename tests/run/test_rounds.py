"""A method of rounds in a run directory: its labels are kept there, and a stopped run goes on."""

import io
import os
import runpy
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from rdepth_keras import run
from rdepth_keras.adapt import CBST, METHODS, SEGMENTER
from rdepth_keras.assembly import inference_network
from rdepth_keras.data.demo.dataset import Demo
from rdepth_keras.experiment import Resources, Training
from rdepth_keras.infer import Inference
from rdepth_keras.labels import IGNORE
from rdepth_keras.models import ENCODERS, Twin
from rdepth_keras.models.encoders.convnext import convnext
from rdepth_keras.recipes import recipe
from rdepth_keras.run.directory import Run
from rdepth_keras.train.loop import Cadence
from rdepth_keras.train.signals import Interrupted

MINIATURES = Path(__file__).resolve().parents[1] / "contracts" / "miniatures.py"
Miniature = runpy.run_path(str(MINIATURES))["Rounds"]


@dataclass(frozen=True)
class Rounds(Miniature):
    """Labels the surer half of every tile."""

    def relabel(self, probabilities, step):
        for found in probabilities:
            sure = found.max(-1) >= np.median(found.max(-1))
            yield np.where(sure, found.argmax(-1), IGNORE).astype(np.uint8)


class Struck(io.StringIO):
    """Sends a signal to this process when a round is told: so it stops after one more step."""

    def write(self, text):
        if "labelled" in text:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


# Both label the target after steps 2 and 5 of 7.
METHODS_OF_ROUNDS = {
    "rounds": Rounds(first=2, every=3),
    "cbst": CBST(start=2 / 7, every=3 / 7, share=0.5),
}


@pytest.fixture(params=METHODS_OF_ROUNDS)
def experiment(request, monkeypatch):
    encoder = partial(convnext, depths=(1, 1, 1, 1), widths=(4, 4, 4, 4))
    monkeypatch.setitem(ENCODERS, "tiniest", encoder)
    monkeypatch.setitem(METHODS, "rounds", Rounds)
    return recipe("demo").changed(
        data=Demo(train_tiles=3, val_tiles=1, test_tiles=1, tile_pixels=64),
        network=Twin("tiniest", None, decoder="segformer", channels=4, auxiliary_channels=None),
        method=METHODS_OF_ROUNDS[request.param],
        training=Training(
            weights="none", steps=7, batch_size=2, crop=32, inference=Inference(window_pixels=None)
        ),
        resources=Resources(cadence=Cadence(log_steps=1, checkpoint_steps=2, keep_checkpoints=9)),
    )


def variables(own):
    params, buffers = inference_network(own.experiment).init()
    found, _ = own.checkpoints().restore_variables(
        {SEGMENTER: params}, {SEGMENTER: buffers}, average=False
    )
    return found[SEGMENTER]


def labels(own):
    return {path.relative_to(own.labels): path.read_bytes() for path in own.labels.rglob("*.png")}


@pytest.mark.proof  # in parts, tests/train/test_rounds.py has it
def test_stopped_inside_a_round_and_resumed_it_is_the_run_that_was_not(experiment, tmp_path):
    whole, said = Run(tmp_path / "whole"), io.StringIO()
    run.start(experiment, whole, Console(file=said, width=200))
    assert said.getvalue().count("labelled the target's 3 tiles anew after step") == 2
    assert "train/urban (without labels) 3" in said.getvalue()
    assert sorted(path.name for path in whole.labels.iterdir()) == ["2", "5"]

    stopped = Run(tmp_path / "stopped")
    with pytest.raises(Interrupted, match="at step 3"):
        run.start(experiment, stopped, Console(file=Struck(), width=200))
    assert stopped.metrics is None and [path.name for path in stopped.labels.iterdir()] == ["2"]
    run.resume(stopped.experiment, stopped, Console(quiet=True))
    assert labels(stopped) == labels(whole) and len(labels(whole)) == 6
    expected, found = variables(whole), variables(stopped)
    for path, value in expected.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    assert stopped.metrics == whole.metrics
