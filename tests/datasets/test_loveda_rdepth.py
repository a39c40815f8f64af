import importlib.util
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda.prepared import FLAT_DEPTH, open_loveda, prepared_configs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "datasets/loveda_rdepth"
DUMMY = FOLDER / "dummy_data"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
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


def test_a_config_of_its_own_for_another_checkpoint(builder_module, sources, tmp_path, monkeypatch):
    """As `tfds build --config` makes it of JSON; the record says what it was estimated with."""
    opened = []

    def load(origin, precision):
        opened.append(origin)
        return SimpleNamespace(fingerprint="f" * 32)

    estimator = SimpleNamespace(load_estimator=load, has_gpu=lambda: False)
    monkeypatch.setitem(sys.modules, "rdepth_keras.depth.estimator", estimator)
    kind = builder_module.Builder.builder_config_cls
    config = kind(name="checkpoint_own", description="Depth by own.", origin="someone/own")
    builder = builder_module.Builder(config=config, data_dir=tmp_path)
    assert builder.data_dir == f"{tmp_path}/loveda_rdepth/checkpoint_own/1.0.0"
    for origin, recorded in (("someone/own", "someone/own"), (str(tmp_path), tmp_path.name)):
        opening = sources.Opening("checkpoint_own", origin, "its own", tmp_path / "cache", 1)
        said = sources.open_source(opening).describe()
        assert opened[-1] == origin and said["origin"] == recorded
        assert said["source"] == "checkpoint_own" and said["licence"] == "its own"
    ready_made = sources.Opening("depths_png", "", "your own", tmp_path / "cache", 1)
    assert sources.open_source(ready_made).describe()["source"] == "depths_png"


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


@pytest.fixture(scope="module")
def ready_made(tmp_path_factory) -> Path:
    """The dummy tiles with their ready-made maps, prepared: the folder of the records."""
    folder = tmp_path_factory.mktemp("ready_made")
    command = ["scripts/prepare.py", "--config", "depths_png", "--manual_dir", DUMMY]
    assert run(*command, "--data_dir", folder).returncode == 0
    return folder / "loveda_rdepth/depths_png/1.0.0"


def test_records_hold_the_range_of_the_source(ready_made):
    import tensorflow_datasets as tfds

    raw = {name: tfds.decode.SkipDecoding() for name in ("image", "depth", "label")}
    builder = tfds.builder_from_directory(ready_made)
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


def test_another_checkpoint_of_the_same_name_is_refused(
    builder_module, ready_made, tmp_path, capsys
):
    """Not what is prepared already is taken for what was asked for."""
    config = {"name": "checkpoint_hf", "description": "d"}
    prepared = tmp_path / "loveda_rdepth/checkpoint_hf/1.0.0"
    shutil.copytree(ready_made, prepared)
    checkpoints = [tmp_path / version / "hf" for version in ("v1", "v2")]
    for place in checkpoints:
        place.mkdir(parents=True)
        (place / "config.json").write_text(str(place))
    content = json.loads((prepared / "metadata.json").read_text())

    def build(asked, **noted):
        depth = {"source": "checkpoint_hf", "licence": "its own", **noted}
        (prepared / "metadata.json").write_text(json.dumps(content | {"depth": depth}))
        kind = builder_module.Builder.builder_config_cls(**config, origin=str(asked))
        builder_module.Builder(config=kind, data_dir=tmp_path).download_and_prepare()
        return capsys.readouterr().out

    told = builder_module.describe_origin(str(checkpoints[0]))
    said = build(checkpoints[0], **told)
    assert f"{prepared} is prepared and stays as it is" in said and "does not say" not in said
    with pytest.raises(
        ValueError, match=r"1\.0\.0 holds depth by hf, and now another .*--overwrite"
    ):
        build(checkpoints[1], **told)
    with pytest.raises(ValueError, match=r"holds depth by a/b-c, and now another"):
        build("a-b/c", origin="a/b-c")
    assert "does not say by which checkpoint" in build(checkpoints[1], origin="hf"), "older data"
    with pytest.raises(
        ValueError, match=r"as depth by checkpoint_hf, and holds depth by depths_png"
    ):
        build("", source="depths_png")
    assert "does not say" not in build(tmp_path / "gone/hf", **told), "nothing to compare with"


@pytest.fixture
def sources(builder_module):
    return importlib.import_module("loveda_rdepth.depth_sources")


@pytest.fixture
def clock(sources, monkeypatch):
    """Time that passes only when told to: ``clock.now``."""
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(sources.time, "monotonic", lambda: time.now)
    return time


def test_the_forecast_is_of_what_is_estimated(sources, clock, tmp_path, capsys):
    """40 of 100 images lie in the cache; the others take 2 s each, the first one 60 s."""
    depth = sources.quantise(np.eye(4))
    before = sources.DepthCache(tmp_path, "weights")
    for number in range(40):
        before.put(str(number), depth)
    cache = sources.WatchedCache(tmp_path, "weights", sources.Forecast(100))
    for number in range(100):
        if cache.get(str(number)) is None:
            clock.now += 60 if number == 40 else 2
            cache.put(str(number), depth)
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "Depth: 0.50 images/s, about 2 min for the rest.",
        "Depth: 0.50 images/s, about 72 s for the rest.",
        "Depth: 0.50 images/s, about 24 s for the rest.",
    ]


def test_the_forecast_leaves_the_first_batch_out(sources, clock, capsys):
    forecast = sources.Forecast(14_464, batch_size=16)
    for batch in range(20):
        clock.now += 90 if batch == 0 else 8
        for _ in range(16):
            forecast.count()
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "Depth: 2.00 images/s, about 2.0 h for the rest." and len(others) == 2


@pytest.fixture(scope="module")
def manual_dir(tmp_path_factory) -> Path:
    """Dummy tiles without ready-made depth, with a small random checkpoint."""
    folder = tmp_path_factory.mktemp("manual")
    shutil.copytree(DUMMY, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("depths_png"))
    assert run(ROOT / "tests/depth/make_checkpoint.py", folder / "depth_checkpoint").returncode == 0
    return folder


def command(manual_dir: Path, data_dir: Path, config: str = "checkpoint") -> list:
    flags = ["--config", config, "--manual_dir", manual_dir, "--data_dir", data_dir]
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


def kept(data_dir: Path) -> dict[Path, int]:
    """The files of the depth cache, and when they were written."""
    return {path: path.stat().st_mtime_ns for path in data_dir.rglob("*.npz")}


def prepare_and_kill(manual_dir: Path, data_dir: Path, number: int) -> bool:
    """Kills a preparation soon after its next map, or, every third time, after its start.

    False where it was finished by then.
    """
    before = len(kept(data_dir))
    process = subprocess.Popen(
        [sys.executable, *map(str, command(manual_dir, data_dir))],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        count = len(kept(data_dir))
        if count > before or (number % 3 == 2 and count):
            break
        time.sleep(0.02)
    time.sleep(random.Random(number).uniform(0, 0.5))
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL and not prepared_configs(data_dir)


@needs_prepare
def test_killed_preparations_go_on(manual_dir, undisturbed, tmp_path, kills):
    """Killed at random times, then finished: the same bytes as undisturbed."""
    expected = contents(undisturbed / "loveda_rdepth/checkpoint/1.0.0")
    killed = 0
    for number in range(4 * kills):
        if prepare_and_kill(manual_dir, tmp_path, number):
            killed += 1
        else:  # it was quicker, and begins anew
            assert contents(tmp_path / "loveda_rdepth/checkpoint/1.0.0") == expected
            shutil.rmtree(tmp_path)
        if killed == kills:
            break
    before = kept(tmp_path)
    assert killed == kills and before
    done = run(*command(manual_dir, tmp_path))
    assert done.returncode == 0, done.stderr
    assert before.items() <= kept(tmp_path).items()
    assert contents(tmp_path / "loveda_rdepth/checkpoint/1.0.0") == expected


def commands(word: str) -> list[list[str]]:
    """The words of the dataset's README's commands that hold this one."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if word in line]


def moved(words: list[str], folder: Path) -> list[str]:
    """The same on the dummy tiles, with its results in ``folder``."""
    places = {name: str(folder / name) for name in ("data", "data_beam", "report.png")}
    return [(places | {"LoveDA": str(DUMMY)}).get(word, word) for word in words]


def test_the_readme_names_every_config_and_its_licence(builder_module):
    rows = dict(re.findall(r"^\| `(\w+)`(?: \(default\))? \|.*\| (.+) \|$", README, re.MULTILINE))
    assert rows == {
        name: "its own" if name == "checkpoint" else config.licence
        for name, config in builder_module.CONFIGS.items()
    }


def test_commands_of_the_readme_work(tmp_path):
    (build,), (report,) = commands("py datasets/loveda_rdepth --config depths"), commands("report")
    for words in (build, report):
        done = run(*moved(words[1:], tmp_path))
        assert done.returncode == 0, done.stderr
    assert "nearer than road" in done.stdout
    assert png.decode((tmp_path / "report.png").read_bytes()).shape[2] == 3


@needs_prepare
@pytest.mark.parametrize("beam", [False, True], ids=["plain", "two Beam workers"])
def test_tfds_build_gives_the_same_bytes(tmp_path, beam):
    """With Beam, by the README's command."""
    ((_, _, *words),) = commands("tfds build")
    words = moved(words, tmp_path)
    words = words if beam else [word for word in words if "beam_pipeline" not in word]
    done = run("-m", "tensorflow_datasets.scripts.cli.main", *words)
    assert done.returncode == 0, done.stderr
    done = run(*command(DUMMY, tmp_path / "ours", "depths_png"))
    assert done.returncode == 0, done.stderr
    theirs = contents(tmp_path / "data_beam/loveda_rdepth")
    assert theirs == contents(tmp_path / "ours/loveda_rdepth")


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


def test_the_metadata_are_plain_json(ready_made):
    tiles = json.loads((ready_made / "metadata.json").read_text())["tiles"]
    assert tiles["train_rural"]["ids"] == [0, 1, 2]
    assert tiles["train_rural"][FLAT_DEPTH] == []
    assert tiles["test_rural"]["labelled"] is False
