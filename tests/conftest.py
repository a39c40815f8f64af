"""What all tests share. They run in harsher weather than production: two CPU devices, warnings are
errors, and implicit rank promotion raises."""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def loveda() -> Path:
    """The folder of real LoveDA tiles: RDEPTH_LOVEDA, or shared/loveda beside the checkout.

    Skips where it is missing; fails instead under RDEPTH_LOVEDA_REQUIRED=1.
    """
    folder = Path(os.environ.get("RDEPTH_LOVEDA", ROOT.parent / "shared" / "loveda"))
    if folder.is_dir():
        return folder
    reason = f"real LoveDA tiles are not at {folder} (set RDEPTH_LOVEDA)"
    if os.environ.get("RDEPTH_LOVEDA_REQUIRED") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def proofs() -> int:
    """How often slow proofs repeat: RDEPTH_PROOFS, few by default."""
    return int(os.environ.get("RDEPTH_PROOFS", "2"))
