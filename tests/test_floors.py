"""Modules import only from floors below (README, "The house"); heavy imports have a place."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rdepth_keras"

FLOORS = {
    "arrays": 0,
    "labels": 0,
    "atomic": 0,
    "startup": 0,
    "naming": 0,
    "packing": 1,
    "tiling": 1,
    "checkpoints": 1,
    "models": 2,
    "depth": 2,
    "data": 3,
    "network": 3,
    "counting": 3,
    "losses": 3,
    "infer": 4,
    "optimizers": 4,
    "adapt": 5,
    "train": 6,
    "evaluate": 6,
    "predict": 6,
    "experiment": 7,
    "recipes": 8,
    "assembly": 8,
    "run": 9,
    "plan": 9,
    "command": 9,
}
# Outside packages that only these modules may import, at their top or inside a function.
CONFINED = {
    "tensorflow": set(),
    "torch": set(),
    "rasterio": {"predict/raster.py"},
    "keras_hub": {"depth"},
    "orbax": {"train/checkpoint.py"},
    "grain": {"data"},
    "tensorflow_datasets": {"data"},
    "tyro": {"command.py", "experiment"},  # there: the names of flags
    "PIL": {
        "data/folder/colours.py",
        "data/folder/oddities.py",
        "evaluate/examples.py",
        "depth/estimator.py",
    },
    "simplejpeg": {"data/jpeg.py"},
    "cattrs": {"experiment/record.py"},
    "safetensors": {"checkpoints.py"},
    "huggingface_hub": {"checkpoints.py"},
    "jinja2": {"evaluate/page.py"},
    "matplotlib": {"evaluate/plots.py"},
}
# These floors never touch an accelerator.
HOST_ONLY = ("arrays", "labels", "atomic", "naming", "tiling", "checkpoints", "data")


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def violations(own: str, names: set[str]) -> list[str]:
    """Project imports that are not from a floor below (the own folder is fine)."""
    found = []
    for name in sorted(names):
        parts = name.split(".")
        outside = len(parts) < 2 or parts[0] != "rdepth_keras" or parts[1] == own
        if not outside and FLOORS.get(parts[1], -1) >= FLOORS[own]:
            found.append(name)
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_floors(path):
    if path == PACKAGE / "__init__.py":
        return
    assert room(path) in FLOORS, f"{path} has no floor: add it to the table here and in the README"
    assert not violations(room(path), imports(path))


def test_a_violation_is_found():
    assert violations("models", {"rdepth_keras.train.step"}) == ["rdepth_keras.train.step"]
    assert violations("train", {"rdepth_keras.evaluate"}) == ["rdepth_keras.evaluate"]
    assert violations("train", {"rdepth_keras.adapt.method", "rdepth_keras.train.state"}) == []


@pytest.mark.parametrize("package", CONFINED)
def test_confined_packages(package):
    for path in modules():
        relative = path.relative_to(PACKAGE).as_posix()
        if any(name.split(".")[0] == package for name in imports(path)):
            allowed = CONFINED[package]
            assert relative in allowed or relative.split("/")[0] in allowed, relative


def test_host_floors_do_not_import_accelerator_code():
    for path in modules():
        if room(path) in HOST_ONLY:
            used = {name.split(".")[0] for name in imports(path)}
            assert not used & {"jax", "keras", "optax"}, path


def test_the_readme_draws_the_same_house():
    drawing = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in FLOORS:
        assert f"`{name}" in drawing, f"README's table of floors leaves out {name}"


def test_datasets_is_no_package():
    """It would shadow Hugging Face's `datasets` and make transformers believe it is installed."""
    assert not (ROOT / "datasets" / "__init__.py").exists()
