"""What all tests share. They run in harsher weather than production: two CPU devices, and warnings
are errors."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Before anything imports JAX. The suite compiles much and computes little: light optimisation, and
# a cache that the workers and the scripts started by tests share.
if "PYTEST_XDIST_WORKER" not in os.environ:
    COMPILATIONS = tempfile.mkdtemp(prefix="rdepth-tests-xla-")
    atexit.register(shutil.rmtree, COMPILATIONS, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = COMPILATIONS
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0 "
    "--xla_cpu_use_fusion_emitters=false --xla_llvm_disable_expensive_passes=true",
)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import jax
import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.folder.depth_record import DepthRecord

ROOT = Path(__file__).resolve().parents[1]
PROOFS = int(os.environ.get("RDEPTH_PROOFS", "1"))


LONG = (
    *("test_resume.py", "test_hosts.py", "test_real_tiles.py", "test_methods.py"),
    *("test_train.py", "test_training.py", "test_rounds.py"),
)


def pytest_collection_modifyitems(items):
    """The longest files first, so that no worker is left alone with one at the end.

    Long proofs are skipped unless they are asked for.
    """
    items.sort(key=lambda item: item.path.name not in LONG)
    if PROOFS < 2:
        skip = pytest.mark.skip(reason="a long proof; it runs with RDEPTH_PROOFS=2, as in .ci/run")
        for item in items:
            if item.get_closest_marker("proof"):
                item.add_marker(skip)


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


@pytest.fixture
def strict_ranks():
    """Implicit rank promotion raises; for our own functions, since Keras's layers rely on it."""
    with jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(scope="session")
def proofs() -> int:
    """How often slow proofs repeat: RDEPTH_PROOFS, few by default."""
    return PROOFS


@pytest.fixture(scope="session")
def mutations() -> int:
    """How many seeded mutations of a file are tried, for each kind of file: RDEPTH_MUTATIONS."""
    return int(os.environ.get("RDEPTH_MUTATIONS", "60"))


@pytest.fixture(scope="session")
def kills() -> int:
    """How often a preparation is killed before it may finish: RDEPTH_KILLS, once by default."""
    return int(os.environ.get("RDEPTH_KILLS", "1"))


@pytest.fixture
def mapped(tmp_path) -> tuple[Path, Path]:
    """A picture of 64 x 64 and its map in a domain's folder, by the estimator "own"."""
    slope = np.add.outer(2 * np.arange(64), np.arange(64))
    noise, places = np.random.default_rng(0).integers(0, 40, (64, 64)), []
    image = np.stack([slope + noise + shift for shift in range(3)], -1)
    for kind, pixels in (("images", image), ("depths", slope.T)):
        places.append(tmp_path / kind / "a.png")
        places[-1].parent.mkdir()
        places[-1].write_bytes(png.encode(pixels.astype(np.uint8)))
    record = DepthRecord(tmp_path)
    record.begin("own", "1234")
    record.note(*places)
    return places[0], places[1]
