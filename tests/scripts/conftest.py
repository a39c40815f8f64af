"""Running scripts inside the test's process."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def call(monkeypatch):
    """(script name, arguments) -> exit code, of a script that runs under `command.guarded`."""

    def run(script: str, *arguments: object) -> int:
        specification = importlib.util.spec_from_file_location(script, SCRIPTS / f"{script}.py")
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, script, module)
        specification.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [f"{script}.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            module.command.guarded(module.main)
        return stop.value.code

    return run
