"""The examples of CONTRIBUTING.md: each, in its file and with its line, does what is promised."""

import io
import json
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from rich.console import Console

from rdepth_keras import models, run
from rdepth_keras.adapt import METHODS
from rdepth_keras.data.datasets import DATASETS
from rdepth_keras.experiment import from_json, to_json
from rdepth_keras.infer import Inference
from rdepth_keras.models import ARCHITECTURES, MODELS
from rdepth_keras.recipes import recipe

TEXT = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
TABLES = (DATASETS, ARCHITECTURES, MODELS, METHODS)


@pytest.fixture(scope="module")
def names():
    """What the blocks define, one after the other; the tables are put back afterwards."""
    before = [dict(table) for table in TABLES]
    found: dict = {"__name__": "contributing"}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, "CONTRIBUTING.md", "exec"), found)
    yield found
    for table, old in zip(TABLES, before, strict=True):
        table.clear()
        table.update(old)


def test_each_example_is_one_file_of_thirty_lines_and_one_line(names):
    files = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert [len(block.splitlines()) <= 45 for block in files] == [True] * 6
    assert "stripes" in DATASETS and "plain" in MODELS and "minimum_entropy" in METHODS


@pytest.mark.proof
def test_a_network_of_ones_own_is_a_keras_model(names):
    logits = models.build("plain", classes=3)({"image": np.zeros((1, 64, 48, 3), "uint8")})
    assert logits.shape == (1, 64, 48, 3)


@pytest.mark.proof
def test_all_three_train_together_survive_json_and_are_scored(names, tmp_path):
    small = {"steps": 3, "batch_size": 2, "crop": 32, "inference": Inference(window_pixels=None)}
    experiment = recipe("demo").changed(
        data=names["Stripes"](count=2),
        network=names["Plain"](channels=8),
        method=names["MinimumEntropy"](entropy_weight=0.1),
        training=small,
    )
    assert from_json(to_json(experiment)) == experiment
    own, said = run.Run(tmp_path / "run"), io.StringIO()
    result = run.start(experiment, own, Console(file=said, width=200))
    assert 0 <= result["miou"] <= 1 and result["dataset"] == "stripes"
    assert "Training on 4 tiles: train/rural 2, val/rural 2" in said.getvalue()
    entries = [entry for entry in own.journal.read() if "entropy" in entry]
    assert len(entries) == 2 and all(0 < entry["entropy"] <= 1 for entry in entries)
    assert json.loads((own.directory / "experiment.json").read_text())["data"]["count"] == 2
    assert jax.tree.leaves(own.environment["trained_on"]) == [2, 2, 2]
