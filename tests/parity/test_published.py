"""Real checkpoints against the values their authors publish: transformers' own tests."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("run_published.py")
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
# The values, and how far ours may be off: their picture is a PNG, ours the JPEG it was made from.
PUBLISHED = {
    "depth_anything": (
        [[8.8223, 8.6483, 8.6216], [8.3332, 8.6047, 8.7545], [8.6547, 8.6885, 8.7472]],
        0.02,
    ),
    "segformer": (
        [
            [[-4.6310, -5.5232, -6.2356], [-5.1921, -6.1444, -6.5996], [-5.4424, -6.2790, -6.7574]],
            [
                [-12.1391, -13.3122, -13.9554],
                [-12.8732, -13.9352, -14.3563],
                [-12.9438, -13.8226, -14.2513],
            ],
            [
                [-12.5134, -13.4686, -14.4915],
                [-12.8669, -14.4343, -14.7758],
                [-13.2523, -14.5819, -15.0694],
            ],
        ],
        0.02,
    ),
    "convnext": ([-0.0260, -0.4739, 0.1911], 0.05),
}


@pytest.fixture(scope="module")
def hub():
    """Skips where the hub cannot be reached."""
    try:
        urllib.request.urlopen(HUB, timeout=10).close()
    except urllib.error.HTTPError:
        pass  # it answers
    except OSError as error:
        pytest.skip(f"{HUB} cannot be reached: {error}")


@pytest.mark.network
@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("network", PUBLISHED)
def test_published_weights_give_published_values(network, tmp_path):
    if network == "depth_anything" and find_spec("keras_hub") is None:
        pytest.skip("KerasHub (extra `prepare`) is missing")
    environment = {**os.environ, "HF_HUB_OFFLINE": "0"}  # the other tests stay offline
    command = [sys.executable, SCRIPT, network, tmp_path / "found.npy"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    expected, tolerance = PUBLISHED[network]
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=tolerance, rtol=0)
