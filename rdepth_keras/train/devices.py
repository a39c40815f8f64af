"""What the computation runs on."""

import shutil
from typing import Literal

import jax

Precision = Literal["auto", "float32", "mixed_bfloat16"]


def compute_dtype(precision: Precision) -> str:
    """Keras dtype policy: ``"auto"`` is mixed bfloat16 on an accelerator, float32 on a CPU."""
    if precision != "auto":
        return precision
    return "float32" if jax.default_backend() == "cpu" else "mixed_bfloat16"


def unused_gpu_warning() -> str | None:
    """What to say where the machine has an NVIDIA GPU and JAX cannot use it, else None."""
    if jax.default_backend() != "cpu" or shutil.which("nvidia-smi") is None:
        return None
    return (
        "WARNING: this machine has an NVIDIA GPU, but JAX was installed for the CPU only and "
        "training would be slower by orders of magnitude. Mend it with: "
        "pip install -U 'jax[cuda12]'"
    )


def describe() -> str:
    """The devices in words, e.g. ``1 x cpu (cpu)``."""
    devices = jax.devices()
    return f"{len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
