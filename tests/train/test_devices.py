"""Where a computation runs; joining hosts that are told, or found."""

import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from rdepth_keras.train import devices
from rdepth_keras.train.devices import Hosts, join_hosts

ROOT = Path(__file__).resolve().parents[2]
JOIN = """
import jax
from rdepth_keras.train.devices import Hosts, any_host, join_hosts
join_hosts(Hosts(auto=True))
print(jax.process_count(), jax.process_index(), any_host(jax.process_index() == 1))
"""


def on_cluster(**variables):
    """A process that joins by itself, in an environment of its own."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not re.match("SLURM|OMPI|PMI|JAX_|KUBERNETES|JOB_", name)
    }
    return subprocess.Popen(
        [sys.executable, "-c", JOIN],
        env=clean | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def free_job() -> int:
    """A job number whose port (JAX derives it from the number) is free."""
    for job in random.sample(range(1000, 5000), 100):
        with socket.socket() as port:
            try:
                port.bind(("", 61440 + job % 4096))
            except OSError:
                continue
        return job
    raise AssertionError("no free port")


@pytest.mark.proof
def test_two_tasks_of_a_slurm_job_find_each_other():
    job = {
        "SLURM_JOB_ID": str(free_job()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
    }
    tasks = [on_cluster(**job, SLURM_PROCID=str(index), SLURM_LOCALID="0") for index in range(2)]
    try:
        answers = [task.communicate(timeout=300) for task in tasks]
    finally:
        for task in tasks:
            task.kill()
    for index, (task, (said, error)) in enumerate(zip(tasks, answers, strict=True)):
        assert task.returncode == 0, error[-2000:]
        assert f"2 {index} True" in said.splitlines()  # among Gloo's own lines, in any order


def test_no_cluster_is_one_line_with_the_remedy(monkeypatch):
    def initialize():
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    with pytest.raises(ValueError, match=r"no cluster .* srun, .* --hosts.coordinator") as error:
        join_hosts(Hosts(auto=True))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("told", [{"coordinator": "a:1"}, {"count": 2}, {"index": 0}])
def test_auto_and_told_at_once(told):
    with pytest.raises(ValueError, match=r"leave --hosts\.coordinator"):
        Hosts(auto=True, **told)


@pytest.fixture
def joined(monkeypatch):
    """What JAX was asked to join."""
    asked = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *told: asked.append(told))
    for name in ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
        monkeypatch.delenv(name, raising=False)
    return asked


def test_hosts_that_are_told(joined, monkeypatch):
    join_hosts(Hosts())
    assert joined == []
    join_hosts(Hosts("10.0.0.1:12", 2, 0))
    monkeypatch.setenv("JAX_COORDINATOR_ADDRESS", "10.0.0.2:34")
    monkeypatch.setenv("JAX_NUM_PROCESSES", "3")
    join_hosts(Hosts(index=1))
    assert joined == [("10.0.0.1:12", 2, 0), ("10.0.0.2:34", 3, 1)]


@pytest.mark.parametrize("hosts", [Hosts(count=2), Hosts(index=0), Hosts("10.0.0.1:12", 2)])
def test_hosts_that_are_half_told(joined, hosts):
    with pytest.raises(ValueError, match="Several hosts need"):
        join_hosts(hosts)
    assert joined == []


def test_a_batch_takes_as_many_devices_as_it_splits_over():
    assert jax.device_count() == 2, "tests run on two CPU devices"
    assert [devices.data_mesh(tiles).size for tiles in (None, 1, 2, 3, 4)] == [2, 1, 2, 1, 2]
    batch = {
        "id": np.arange(4),
        "image": np.zeros((4, 8, 8, 3), np.uint8),
        "depth": np.zeros((4, 8, 8, 1), np.float32),
        "label": np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8),
    }
    arrays = devices.shard_batch(batch, devices.data_mesh(4))
    assert "id" not in arrays and len(arrays["label"].sharding.device_set) == 2
    np.testing.assert_array_equal(arrays["label"], batch["label"])


def test_uneven_batches_name_the_multiple(monkeypatch):
    devices.check_batch_size(6, 3)
    with pytest.raises(ValueError, match="Use a multiple of 4 for --batch-size"):
        devices.check_batch_size(6, 4)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(ValueError, match="Use a multiple of 4 for --batch-size"):
        devices.check_batch_size(6, 2)


def test_precision_by_device(monkeypatch):
    assert devices.compute_dtype("auto") == "float32"
    assert devices.compute_dtype("mixed_bfloat16") == "mixed_bfloat16"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert devices.compute_dtype("auto") == "mixed_bfloat16"


def test_an_unused_gpu_is_told(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert devices.unused_gpu_warning() is None
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/nvidia-smi")
    assert "pip install" in (devices.unused_gpu_warning() or "")


def test_the_devices_in_words():
    assert devices.describe() == "2 x cpu (cpu), 1 host"
    assert devices.any_host(True) and not devices.any_host(False)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is done")
def test_what_compiling_took_goes_back(monkeypatch):
    """After what took long; by the event that JAX tells, and in a library that can."""
    trimmed, listeners, heard = [], [], []
    libraries = [SimpleNamespace(malloc_trim=trimmed.append), SimpleNamespace()]
    with monkeypatch.context() as patch:
        patch.setattr(devices.ctypes, "CDLL", lambda _: libraries.pop(0))
        register = "register_event_duration_secs_listener"
        patch.setattr(jax.monitoring, register, listeners.append)
        devices.free_after_compiling()
        devices.free_after_compiling()
    with_glibc, without = listeners

    def hear(event, duration_secs, **_):
        heard.append(event)

    jax.monitoring.register_event_duration_secs_listener(hear)
    jax.jit(lambda x: x + np.float32(0.1234))(1.0)
    jax.monitoring.unregister_event_duration_listener(hear)
    assert devices.COMPILED in heard
    for listener in (with_glibc, without):
        for event, seconds in (("other", 9.0), (devices.COMPILED, 0.5), (devices.COMPILED, 2.0)):
            listener(event, seconds, module="jit_step")
    assert trimmed == [0]
