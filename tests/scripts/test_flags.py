"""The flags of README's commands are those of the scripts."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("script", ["train", "evaluate", "predict", "sweep", "submit", "reproduce"])
def test_flags_of_the_commands_exist(script, call, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert call(script, "--help") == 0
    known, lines = capsys.readouterr().out, re.findall(rf"scripts/{script}\.py[^\n`]*", README)
    assert lines
    assert "``" not in known, "a docstring's own marks"
    for line in lines:
        for flag in re.findall(r"--[\w.-]+", line.split(" -- ")[0]):
            assert re.search(rf"{re.escape(flag)}\b", known), f"{flag} in: {line}"
