"""The table of GPUs is sane."""

import re
from typing import get_args

import pytest

from rdepth_keras.plan.devices import DEVICES, Name

GIB = 1 << 30


def test_every_name_has_its_device():
    assert get_args(Name) == tuple(DEVICES)
    assert len({device.title for device in DEVICES.values()}) == len(DEVICES)


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_figures_are_of_a_gpu(device):
    assert 16 * GIB < device.memory_bytes < 288 * GIB
    assert 0.5e12 < device.bandwidth < 10e12
    rates = device.rates
    assert rates.bfloat16 >= rates.tf32 * 1.9 and rates.tf32 >= rates.float32 * 0.9
    # Two operations a lane and clock are the data sheet's float32, within the boost clock's spread.
    lanes = 2 * device.multiprocessors * device.lanes * device.clock_ghz * 1e9
    assert rates.float32 == pytest.approx(lanes, rel=0.1)
    assert device.source


def test_the_target_tells_xla_the_device():
    text = DEVICES["l40s"].target
    assert re.search(r"cuda_compute_capability \{ major: 8 minor: 9 \}", text)
    assert "memory_bandwidth: 864000000000\n" in text
    assert "device_memory_size: 47670000000\n" in text
    assert text.count("{") == text.count("}")
