"""Which Keras backend the package takes, and what it says of an unused GPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def python(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**clean, **environment},
        cwd=ROOT,
        timeout=300,
    )


def backend(code: str, **environment: str) -> str:
    done = python("-c", code + "; import keras; print(keras.backend.backend())", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def test_jax_unless_someone_chose(tmp_path):
    """Keras's configuration file is no choice: Keras writes it itself, naming TensorFlow."""
    (tmp_path / "keras.json").write_text('{"backend": "tensorflow"}')
    assert backend("import rdepth_keras", KERAS_HOME=str(tmp_path)) == "jax"


@pytest.mark.proof
def test_the_environment_and_an_imported_keras_are_choices():
    assert backend("import rdepth_keras", KERAS_BACKEND="numpy") == "numpy"
    code = (
        "import os; os.environ['KERAS_BACKEND'] = 'numpy'; import keras; "
        "del os.environ['KERAS_BACKEND']; import rdepth_keras"
    )
    assert backend(code) == "numpy"


@pytest.mark.proof
def test_models_import_elsewhere():
    code = "from rdepth_keras import models; print(len(models.MODELS) > 3)"
    assert python("-c", code, KERAS_BACKEND="numpy").stdout.strip() == "True"


@pytest.mark.proof
def test_training_refuses_another_backend(tmp_path):
    out = tmp_path / "run"
    options = ("--dataset", "demo", "--train-tiles", "2", "--out", out)
    done = python("scripts/train.py", *options, KERAS_BACKEND="numpy")
    assert done.returncode == 2
    assert "KERAS_BACKEND=jax" in done.stderr and done.stderr.count("\n") == 1
    assert not out.exists()


def test_an_unused_gpu_is_told_loudly(tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    code = "from rdepth_keras.train.devices import unused_gpu_warning; print(unused_gpu_warning())"
    assert "pip install -U 'jax[cuda12]'" in python("-c", code, PATH=path).stdout
    assert python("-c", code).stdout.strip() == "None"


def test_a_backend_that_is_not_installed_is_one_line():
    done = python("scripts/evaluate.py", "--help", KERAS_BACKEND="none_such")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout
    assert done.stderr.startswith("error: KERAS_BACKEND=none_such, but") and "jax" in done.stderr
