import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda import open_loveda, prepared_configs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "datasets/loveda_rdepth"
DUMMY = FOLDER / "dummy_data"
needs_prepare = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("keras_hub", "tensorflow", "apache_beam"))),
    reason="the extra `prepare` is not installed",
)


@pytest.fixture(scope="module")
def builder_module():
    sys.path.insert(0, str(FOLDER.parent))
    yield importlib.import_module("loveda_rdepth.loveda_rdepth_dataset_builder")
    sys.path.remove(str(FOLDER.parent))


def run(*command, timeout: float = 400) -> subprocess.CompletedProcess:
    # Beam's worker processes find the builder by PYTHONPATH
    path = os.pathsep.join([str(FOLDER.parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a prepared config but the one that holds its path."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "dataset_info.json"
    }


def test_dummy_data_are_what_the_script_writes(tmp_path):
    assert run(FOLDER / "make_dummy_data.py", tmp_path).returncode == 0
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")}
    assert files == {path.relative_to(DUMMY) for path in DUMMY.rglob("*.png")}
    for file in files:
        np.testing.assert_array_equal(
            png.decode((tmp_path / file).read_bytes()), png.decode((DUMMY / file).read_bytes())
        )


def test_without_a_config_only_the_published_depth_is_built(builder_module):
    builder = builder_module.Builder
    assert [config.name for config in builder.BUILDER_CONFIGS] == ["depth_anything_v1_large"]
    for name in ("depths_png", "checkpoint", "depth_anything_v2_small", "depth_anything_v1_large"):
        assert builder.get_builder_config(name).name == name
    assert builder.get_builder_config("nothing") is None


def test_every_config_says_its_source_and_licence(builder_module):
    for name, config in builder_module.CONFIGS.items():
        assert config.name == name
        assert len(config.description) > 30
        assert config.licence in ("Apache-2.0", "CC-BY-NC-4.0", "your own")
    assert "CC-BY-NC-4.0" in builder_module.CONFIGS["depth_anything_v2_large"].description


def test_what_the_dataset_says_of_itself(builder_module, tmp_path):
    info = builder_module.Builder(config="depths_png", data_dir=tmp_path).info
    assert "urban and rural" in info.description
    assert "wang2021loveda" in info.citation
    assert info.features["label"].names[:3] == ["no-data", "background", "building"]
    assert info.features["domain"].names == ["urban", "rural"]
    assert info.features["depth"].np_dtype == np.uint16
    assert info.file_format.value == "array_record"


def test_records_hold_the_range_of_the_source(tmp_path):
    command = ["scripts/prepare.py", "--config", "depths_png", "--manual_dir", DUMMY]
    assert run(*command, "--data_dir", tmp_path).returncode == 0
    import tensorflow_datasets as tfds

    raw = {name: tfds.decode.SkipDecoding() for name in ("image", "depth", "label")}
    builder = tfds.builder_from_directory(tmp_path / "loveda_rdepth/depths_png/1.0.0")
    for split, domain in (("train_urban", 0), ("val_rural", 1)):
        for record in builder.as_data_source(split, decoders=raw):
            (path,) = DUMMY.glob(f"*/*/depths_png/{record['id']}.png")
            source = png.decode(path.read_bytes())
            assert record["depth_minimum"] == source.min()
            assert record["depth_maximum"] == source.max()
            assert record["domain"] == domain
            assert record["labelled"]
            stored = png.decode(record["depth"])
            assert stored.dtype == np.uint16
            assert (stored.min(), stored.max()) == (0, 65535)


@pytest.fixture(scope="module")
def manual_dir(tmp_path_factory) -> Path:
    """Dummy tiles without ready-made depth, with a small random checkpoint."""
    folder = tmp_path_factory.mktemp("manual")
    shutil.copytree(DUMMY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("depths_png"))
    assert run(ROOT / "tests/depth/make_checkpoint.py", folder / "depth_checkpoint").returncode == 0
    return folder


def command(manual_dir: Path, data_dir: Path) -> list:
    flags = ["--config", "checkpoint", "--manual_dir", manual_dir, "--data_dir", data_dir]
    return ["scripts/prepare.py", "datasets/loveda_rdepth", *flags]


@pytest.fixture(scope="module")
def undisturbed(manual_dir, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(*command(manual_dir, folder))
    assert done.returncode == 0, done.stderr
    return folder


@needs_prepare
def test_depth_of_a_checkpoint(undisturbed):
    prepared = open_loveda(undisturbed)
    assert prepared.config == "checkpoint"
    assert len(prepared.depth["fingerprint"]) == 32
    tiles = prepared.tiles("train", "urban")
    assert {tiles[i]["id"] for i in range(3)} == {1366, 1367, 1368}
    for i in range(3):
        depth = tiles[i]["depth"]
        assert (depth.min(), depth.max()) == (0, 1)
        assert len(np.unique(depth)) > 500


@needs_prepare
def test_killed_preparations_go_on(manual_dir, undisturbed, tmp_path):
    """Killed at random times, then finished: the same bytes as undisturbed."""
    cached = 0
    for kill in range(int(os.environ.get("RDEPTH_KILLS", "1"))):
        moment = random.Random(kill)
        process = subprocess.Popen(
            [sys.executable, *map(str, command(manual_dir, tmp_path))],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            count = len(list(tmp_path.rglob("*.npz")))
            if count > cached or (kill % 3 == 2 and count):
                break
            time.sleep(0.02)
        time.sleep(moment.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        cached = len(list(tmp_path.rglob("*.npz")))
        if prepared_configs(tmp_path):
            break  # it was quicker
    assert cached > 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    done = run(*command(manual_dir, tmp_path))
    assert done.returncode == 0, done.stderr
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert contents(tmp_path / "loveda_rdepth/checkpoint/1.0.0") == contents(
        undisturbed / "loveda_rdepth/checkpoint/1.0.0"
    )


@needs_prepare
@pytest.mark.parametrize("beam", [False, True], ids=["plain", "two Beam workers"])
def test_tfds_build_gives_the_same_bytes(tmp_path, beam):
    flags = ["--config", "depths_png", "--manual_dir", DUMMY, "--file_format", "array_record"]
    workers = "runner=DirectRunner,direct_num_workers=2,direct_running_mode=multi_processing"
    options = [f"--beam_pipeline_options={workers}"] if beam else []
    tool = ["-m", "tensorflow_datasets.scripts.cli.main", "build"]
    dataset = "datasets/loveda_rdepth"
    done = run(*tool, dataset, *flags, *options, "--data_dir", tmp_path / "tfds")
    assert done.returncode == 0, done.stderr
    done = run("scripts/prepare.py", dataset, *flags, "--data_dir", tmp_path / "ours")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "tfds/loveda_rdepth") == contents(tmp_path / "ours/loveda_rdepth")


@needs_prepare
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("folder", "depth_checkpoint/config.json is missing"),
        ("weights", "is damaged or no safetensors file"),
    ],
)
def test_a_bad_checkpoint_stops_before_the_work(manual_dir, tmp_path, spoil, message):
    shutil.copytree(manual_dir, tmp_path / "manual")
    checkpoint = tmp_path / "manual/depth_checkpoint"
    if spoil == "folder":
        shutil.rmtree(checkpoint)
    else:
        (checkpoint / "model.safetensors").write_bytes(b"cut")
    done = run(*command(tmp_path / "manual", tmp_path / "data"))
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if "error: " in line and message in line]
    assert "Checking" not in done.stderr
    assert prepared_configs(tmp_path / "data") == ()


def test_the_metadata_are_plain_json(tmp_path):
    done = run(
        "scripts/prepare.py",
        "--manual_dir",
        DUMMY,
        "--data_dir",
        tmp_path,
        "--config",
        "depths_png",
    )
    assert done.returncode == 0
    text = (tmp_path / "loveda_rdepth/depths_png/1.0.0/metadata.json").read_text()
    tiles = json.loads(text)["tiles"]
    assert tiles["train_rural"]["ids"] == [0, 1, 2]
    assert tiles["test_rural"]["labelled"] is False
