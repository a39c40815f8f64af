"""A short scheduled program, written by hand as XLA writes one."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def program() -> str:
    return Path(__file__).with_name("step.hlo").read_text(encoding="utf-8")
