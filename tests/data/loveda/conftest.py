"""The dummy tiles, prepared once for all tests here."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DUMMY = ROOT / "datasets/loveda_rdepth/dummy_data"


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> Path:
    """What scripts/prepare.py makes of them; read it, but change nothing in it."""
    folder = tmp_path_factory.mktemp("prepared")
    command = [sys.executable, ROOT / "scripts/prepare.py", "--config", "depths_png"]
    subprocess.run(
        [*command, "--manual_dir", DUMMY, "--data_dir", folder],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder
