"""Compiling in a process of its own, whose JAX takes a GPU for granted."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdepth_keras.experiment import Experiment, to_dict
from rdepth_keras.plan.devices import Name

PLUGINS = ("jax_cuda12_plugin", "jax_cuda13_plugin")
# Nothing can be timed without a device, and without times Triton finds no tiles for some products.
FLAGS = (
    "--xla_gpu_autotune_level=0 --xla_gpu_require_complete_aot_autotune_results=false "
    "--xla_gpu_enable_triton_gemm=false"
)


@dataclass(frozen=True)
class Compiled:
    """A compiled training step, of one device.

    Attributes:
        parameters: of the segmenter.
        argument_bytes: state and batch.
        temporary_bytes: activations, gradients and scratch memory.
        peak_bytes: most that is alive at once; results take the place of the state.
        lowering_seconds: of tracing, on this machine.
        compile_seconds: of XLA, on this machine.
        text: the scheduled program.
    """

    parameters: int
    argument_bytes: int
    temporary_bytes: int
    peak_bytes: int
    lowering_seconds: float
    compile_seconds: float
    text: str


def check_installed() -> None:
    """Raises ImportError, with the remedy, where JAX has no compiler for NVIDIA GPUs."""
    if not any(importlib.util.find_spec(name) for name in PLUGINS):
        raise ImportError(
            "Compiling for a GPU needs JAX's libraries for one, though no GPU and no driver: "
            "pip install -e '.[cuda12]' (5.5 GB)"
        )


def compile_apart(experiment: Experiment, device: Name, count: int = 1) -> Compiled:
    """See :func:`rdepth_keras.plan.compile.compile_step`; weights are random, no file is read.

    ``precision`` "auto" is what it would be on the GPU.

    Raises:
        ImportError: without the extra ``cuda12``.
        ValueError: where the batch does not split, or the network cannot be built so.
        RuntimeError: where the process ends otherwise, with its last line.
    """
    check_installed()
    asked = {"experiment": to_dict(settled(experiment)), "device": device, "count": count}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "compiled.json"
        done = subprocess.run(
            [sys.executable, "-m", "rdepth_keras.plan.compile", str(result)],
            input=json.dumps(asked),
            env=environment(os.environ),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise RuntimeError(f"Compiling ended with {done.returncode}: {last}")
        found = json.loads(result.read_text(encoding="utf-8"))
    if "refused" in found:
        raise ValueError(found["refused"])
    return Compiled(**found)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Of the compiling process; what would change the program is left out."""
    dropped = ("JAX_COMPILATION_CACHE_DIR", "JAX_NUM_PROCESSES", "JAX_COORDINATOR_ADDRESS")
    return {
        **{name: value for name, value in own.items() if name not in dropped},
        "JAX_PLATFORMS": "cpu",
        "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        "XLA_FLAGS": FLAGS,
    }


def settled(experiment: Experiment) -> Experiment:
    """As it would train on a GPU, but from random weights, which change no shape."""
    precision = experiment.training.precision
    return experiment.changed(
        training={
            "precision": "mixed_bfloat16" if precision == "auto" else precision,
            "weights": "none",
            "depth_weights": None,
        }
    )


def usable(experiment: Experiment, devices: int) -> int:
    """How many of a host's devices would train it: as many as a batch splits over evenly.

    With ``accumulate``, one part of a batch. Raises ValueError for less than one device.
    """
    if devices < 1:
        raise ValueError(f"--devices must be at least 1; received {devices}.")
    tiles = experiment.training.batch_size // experiment.resources.economy.accumulate
    return max((count for count in range(1, devices + 1) if tiles % count == 0), default=1)
