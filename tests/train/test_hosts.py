"""Two hosts on the loopback address: the numbers of one, killed and resumed, also on one alone."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.proof  # several processes compile, each for itself

TRAIN = (
    *(sys.executable, str(Path(__file__).with_name("tiny.py")), "--dataset", "demo"),
    *("--steps", "18", "--batch-size", "4", "--crop", "32"),
    *("--network.image-encoder", "tiniest", "--network.depth-encoder", "None"),
    *("--network.decoder", "segformer", "--network.channels", "8", "--network.dropout", "0"),
    *("--train-tiles", "8", "--val-tiles", "2", "--tile-pixels", "64"),
    *("--checkpoint-steps", "6", "--log-steps", "1"),
    *("--validation-steps", "9", "--selection", "best"),
    *("--optimizer.learning-rate", "1e-4", "--tensorboard"),
)


def environment(devices: int) -> dict[str, str]:
    flags = os.environ["XLA_FLAGS"].split()
    kept = [flag for flag in flags if "device_count" not in flag]
    kept.append(f"--xla_force_host_platform_device_count={devices}")
    return {**os.environ, "XLA_FLAGS": " ".join(kept)}


def one_host(*options: object, devices: int = 1) -> None:
    command = [*TRAIN, *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(devices))
    assert done.returncode == 0, done.stderr[-3000:]


def two_hosts(*options: object, second: tuple[str, ...] = ()) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    hosts = ("--hosts.coordinator", f"127.0.0.1:{port}", "--hosts.count", "2", "--hosts.index")
    return [
        subprocess.Popen(
            [*TRAIN, *map(str, options), *hosts, str(index), *(second * index)],
            env=environment(1),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]


def wait(processes: list[subprocess.Popen]) -> None:
    for process in processes:
        _, error = process.communicate(timeout=900)
        assert process.returncode == 0, error[-3000:]


def losses(directory: Path) -> list[float]:
    lines = (directory / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in entries if "validation" in entry] == [9, 18]
    entries = [entry for entry in entries if "loss" in entry]
    assert [entry["step"] for entry in entries] == list(range(1, 19))
    return [entry["loss"] for entry in entries]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    directory = tmp_path_factory.mktemp("hosts") / "alone"
    one_host("--out", directory)
    return directory


def test_the_numbers_of_one_host(alone, tmp_path):
    wait(two_hosts("--out", tmp_path / "both"))
    np.testing.assert_allclose(losses(tmp_path / "both"), losses(alone), rtol=1e-3)
    scores = [json.loads((run / "metrics.json").read_text()) for run in (alone, tmp_path / "both")]
    assert scores[1]["miou"] == pytest.approx(scores[0]["miou"], abs=0.02)


def test_hosts_with_other_settings_are_refused(tmp_path):
    """Each would move its own copy of the weights in its own way."""
    processes = two_hosts("--out", tmp_path / "run", second=("--optimizer.weight-decay", "0.5"))
    for process in processes:
        _, error = process.communicate(timeout=900)
        assert process.returncode == 2
        assert "The hosts have different settings, data or versions" in error
    assert not (tmp_path / "run" / "experiment.json").exists()


def test_killed_and_resumed_on_other_hosts_and_devices(alone, tmp_path):
    """Two hosts, killed; two again, one asked to stop; one host with two devices to the end."""
    directory = tmp_path / "both"
    kill(two_hosts("--out", directory), directory, 6)
    stop(two_hosts("--out", directory, "--resume"), directory, 12)
    one_host("--out", directory, "--resume", devices=2)
    np.testing.assert_allclose(losses(directory), losses(alone), rtol=1e-3)


def kill(processes: list[subprocess.Popen], directory: Path, step: int) -> None:
    """SIGKILL for all, once there is a checkpoint of the step."""
    await_checkpoint(processes, directory, step)
    for process in processes:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert len((directory / "journal.jsonl").read_text().splitlines()) < 18, "killed too late"


def stop(processes: list[subprocess.Popen], directory: Path, step: int) -> None:
    """SIGTERM for the second host alone: both save and stop."""
    await_checkpoint(processes, directory, step)
    processes[1].send_signal(signal.SIGTERM)
    for process in processes:
        process.communicate(timeout=300)
        assert process.returncode == 143


def await_checkpoint(processes: list[subprocess.Popen], directory: Path, step: int) -> None:
    while not (directory / "checkpoints-checksums" / f"{step}.json").exists():
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)
