"""The networks under other Keras backends, in a process of its own, where those are installed."""

import ast
import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("run_backend.py")


@pytest.mark.parametrize(("backend", "package"), [("tensorflow", "tensorflow"), ("torch", "torch")])
def test_logits_equal_those_under_jax(backend, package, tmp_path):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, str(SCRIPT), str(tmp_path / "logits.npz")]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)
    compute_logits = runpy.run_path(str(SCRIPT))["compute_logits"]
    for network, theirs in np.load(tmp_path / "logits.npz").items():
        ours = compute_logits(network)
        assert np.abs(ours - theirs).max() < 1e-5 * np.abs(ours).max(), network


def test_no_module_imports_jax_at_its_top():
    """What needs JAX imports it where it is called, under the JAX backend."""
    package = Path(__file__).resolve().parents[2] / "rdepth_keras" / "models"
    files = sorted(package.rglob("*.py"))
    assert len(files) > 20
    for path in files:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in getattr(node, "names", ())]
            names = [getattr(node, "module", None), *names]
            roots = {name.split(".")[0] for name in names if name}
            assert not roots & {"jax", "optax", "losses", "network"}, path
