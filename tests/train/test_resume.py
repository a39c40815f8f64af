"""Struck at random times and resumed, a run ends as an undisturbed one, bit for bit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

DRIVER = Path(__file__).with_name("kill_and_resume.py")


def arrays(directory: Path) -> dict[str, np.ndarray]:
    """Everything in the last checkpoint and in the best one, by name."""
    import orbax.checkpoint as ocp

    found = {}
    for folder in ("checkpoints", "best"):
        with ocp.CheckpointManager((directory / folder).absolute()) as manager:
            step = manager.latest_step()
            items = {name: ocp.args.StandardRestore() for name in ("variables", "rest")}
            restored = manager.restore(step, args=ocp.args.Composite(**items))
            found[f"{folder}/step"] = np.asarray(step)
        import jax

        for name in ("variables", "rest"):
            for path, value in jax.tree_util.tree_leaves_with_path(restored[name]):
                found[f"{folder}/{name}/{jax.tree_util.keystr(path)}"] = np.asarray(value)
    return found


def journal(directory: Path) -> list[dict]:
    lines = (directory / "journal.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    for entry in entries:
        entry.pop("time", None)
        assert entry.pop("run"), "each has its own"
    return entries


def labels(directory: Path) -> dict[str, bytes]:
    """What the rounds made of the target's tiles, by round and tile."""
    folder = directory / "labels"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


@pytest.mark.proof
def test_kill_and_resume(tmp_path, proofs):
    """For each proof SIGKILL, SIGTERM and a disk that is full."""
    blows = 3 * proofs
    command = [sys.executable, str(DRIVER), str(tmp_path), str(blows)]
    flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag]
    environment = {**os.environ, "XLA_FLAGS": " ".join(flags)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=3600)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["struck"] == blows and said["seeds"] > 1, "with rounds and without"
    for seed in range(said["seeds"]):
        whole, killed = tmp_path / f"whole{seed}", tmp_path / f"killed{seed}"
        assert journal(killed) == journal(whole)
        assert labels(killed) == labels(whole) and len(labels(whole)) == (8 if seed % 2 else 0)
        expected, found = arrays(whole), arrays(killed)
        assert expected.keys() == found.keys()
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
        scores = [json.loads((run / "metrics.json").read_text()) for run in (whole, killed)]
        assert scores[0] == scores[1]
