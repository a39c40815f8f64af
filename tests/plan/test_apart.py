"""Compiling in a process of its own: what it is given, and what it says where it cannot."""

import importlib.util
import subprocess

import pytest

from rdepth_keras.adapt import SourceOnly
from rdepth_keras.models import Twin
from rdepth_keras.plan import apart, report
from rdepth_keras.plan.devices import DEVICES
from rdepth_keras.recipes import recipe

INSTALLED = any(importlib.util.find_spec(name) for name in apart.PLUGINS)
compiles = pytest.mark.skipif(not INSTALLED, reason="the extra cuda12 is not installed")


def test_without_the_extra_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install -e '\.\[cuda12\]'"):
        apart.check_installed()


def test_the_environment_is_that_of_a_machine_without_gpu():
    own = {"PATH": "here", "XLA_FLAGS": "--other", "JAX_COMPILATION_CACHE_DIR": "there"}
    found = apart.environment(own)
    assert found["PATH"] == "here" and "JAX_COMPILATION_CACHE_DIR" not in found
    assert found["XLA_FLAGS"] == apart.FLAGS
    assert (found["JAX_PLATFORMS"], found["CUDA_VISIBLE_DEVICES"]) == ("cpu", "-1")


def test_a_gpu_trains_in_bfloat16_unless_told_otherwise():
    experiment = apart.settled(recipe("rdepth_b_s"))
    assert experiment.training.precision == "mixed_bfloat16"
    assert experiment.training.weights == "none"
    exact = recipe("rdepth_b_s").changed(training={"precision": "float32"})
    assert apart.settled(exact).training.precision == "float32"


@pytest.mark.parametrize(
    ("batch", "accumulate", "devices", "count"),
    [(4, 1, 1, 1), (4, 1, 8, 4), (16, 1, 8, 8), (16, 4, 8, 4), (6, 1, 4, 3)],
)
def test_as_many_devices_train_as_share_a_batch_evenly(batch, accumulate, devices, count):
    base = recipe("demo")
    economy = type(base.resources.economy)(accumulate=accumulate)
    one = base.changed(training={"batch_size": batch}, resources={"economy": economy})
    assert apart.usable(one, devices) == count


def test_no_devices_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        apart.usable(recipe("demo"), 0)


def test_the_end_of_the_process_is_told(monkeypatch):
    monkeypatch.setattr(apart, "check_installed", lambda: None)

    def run(command, **options):
        return subprocess.CompletedProcess(command, 3, "", "Traceback\nValueError: no compiler\n")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RuntimeError, match="ended with 3: ValueError: no compiler"):
        apart.compile_apart(recipe("demo"), "h200")


def small(**training):
    """A network that compiles in less than a minute."""
    options = {"decoder": "segformer", "channels": 8, "auxiliary_channels": None, "drop_path": 0.0}
    network = Twin("atto", None, **options)
    return recipe("demo").changed(
        network=network, method=SourceOnly(), training={"batch_size": 2, "crop": 32, **training}
    )


@compiles
def test_a_step_is_compiled_for_gpus_that_are_not_there():
    """Two of them, which share a batch: one compilation, for it takes a minute."""
    compiled = apart.compile_apart(small(), "h200", 2)
    assert 0 < compiled.parameters * 3 * 4 <= compiled.argument_bytes < compiled.peak_bytes
    found = report.described(small(), compiled, DEVICES["h200"], 3)
    assert found["kinds"]["convolutions"]["kernels"] > 0  # cuDNN's, not the CPU's shifted products
    assert found["kernels"] > 50 and found["seconds_at_least"] > 0 and len(found["layers"]) == 3
    gradients = found["collectives"]["all-reduce"]
    assert gradients["count"] >= 1 and gradients["bytes"] >= 2 * compiled.parameters


@compiles
def test_a_batch_that_does_not_split_is_refused():
    economy = type(small().resources.economy)(accumulate=2)
    with pytest.raises(ValueError, match="does not split evenly"):
        apart.compile_apart(small(batch_size=3).changed(resources={"economy": economy}), "h200")
