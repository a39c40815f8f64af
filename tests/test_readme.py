"""The README's Python runs as it stands there, and its commands name scripts that exist."""

import re
from pathlib import Path

import pytest

from rdepth_keras.data.folder.classes import load_classes

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.proof
@pytest.mark.filterwarnings("ignore")  # another project's Python may warn
def test_the_python_blocks_run():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    names: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)


def test_the_class_file_is_one(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "classes.yaml").write_text(block)
    assert load_classes(tmp_path / "classes.yaml").names == ("ground", "roof")


def test_the_scripts_exist():
    scripts = set(re.findall(r"python (scripts/\w+\.py)", README))
    assert "scripts/train.py" in scripts
    for script in scripts:
        assert (ROOT / script).is_file(), script


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
