import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda.checks import flat_depths
from rdepth_keras.data.loveda.prepared import open_loveda, prepared_configs
from rdepth_keras.depth.presets import PRESETS
from rdepth_keras.labels import LOVEDA

ROOT = Path(__file__).parents[2]
DUMMY = ROOT / "datasets/loveda_rdepth/dummy_data"


WITHOUT_TENSORFLOW = """
import runpy
from importlib.machinery import PathFinder

find = PathFinder.find_spec
hidden = ("tensorflow", "apache_beam", "keras_hub", "transformers")

def find_others(name, *place):
    return None if name.split(".")[0] in hidden else find(name, *place)

PathFinder.find_spec = find_others
runpy.run_path({script!r}, run_name="__main__")
"""


def prepare(manual_dir: Path, data_dir: Path, *flags: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "scripts/prepare.py", "datasets/loveda_rdepth"]
    places = ["--manual_dir", manual_dir, "--data_dir", data_dir]
    return subprocess.run(
        [*command, *places, *flags], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def script(monkeypatch):
    """The script as a module: most of what it does needs no process of its own."""
    specification = importlib.util.spec_from_file_location("prepare", ROOT / "scripts/prepare.py")
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "prepare", module)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def build(script, capsys):
    """Builds of ready-made depth in this process; returns what is printed."""

    def build(manual_dir: Path, data_dir: Path, *flags: str) -> str:
        places = ["--manual_dir", str(manual_dir), "--data_dir", str(data_dir)]
        assert script.main([*places, "--config", "depths_png", *flags]) == 0
        return capsys.readouterr().out

    return build


def test_two_builds_are_equal_to_the_byte_and_need_no_tensorflow(tmp_path):
    shim = tmp_path / "without_tensorflow.py"
    shim.write_text(WITHOUT_TENSORFLOW.format(script=str(ROOT / "scripts/prepare.py")))
    flags = ["--config", "depths_png", "--manual_dir", DUMMY, "--data_dir"]
    for name in ("one", "other"):
        command = [sys.executable, shim, *flags, tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    one, other = (contents(tmp_path / name / "loveda_rdepth") for name in ("one", "other"))
    one_info, other_info = (tree.pop("depths_png/1.0.0/dataset_info.json") for tree in (one, other))
    assert one == other
    assert one_info.replace(b"/one/", b"/other/") == other_info


def test_zips_and_folders_give_the_same_records(build, tmp_path):
    manual = tmp_path / "manual"
    manual.mkdir()
    for split in ("Train", "Val"):
        with zipfile.ZipFile(manual / f"{split}.zip", "w") as archive:
            for path in (DUMMY / split).rglob("*.png"):
                archive.write(path, path.relative_to(DUMMY))
    shutil.copytree(DUMMY / "Val/Urban/masks_png", manual / "Val/Urban/masks_png")
    told = [line for line in build(manual, tmp_path / "data").splitlines() if "beside it" in line]
    assert told == [
        "WARNING: Val/Urban/masks_png is read from the folder, not from Val.zip beside it."
    ]
    prepared = open_loveda(tmp_path / "data")
    assert ("test", "urban") not in prepared.splits()
    for tile in map(prepared.tiles("val", "urban").__getitem__, range(2)):
        path = DUMMY / f"Val/Urban/images_png/{tile['id']}.png"
        np.testing.assert_array_equal(tile["image"], png.decode(path.read_bytes()))


def test_prepared_data_are_reused_and_overwritten_on_demand(build, data_dir, tmp_path):
    manual = shutil.copytree(DUMMY, tmp_path / "manual")
    shutil.copytree(data_dir / "loveda_rdepth", tmp_path / "loveda_rdepth")
    shutil.rmtree(manual / "Test")
    folder = tmp_path / "loveda_rdepth/depths_png/1.0.0"
    said = f"{folder} is prepared and stays as it is; --overwrite prepares it again."
    assert said in build(manual, tmp_path)
    assert ("test", "urban") in open_loveda(tmp_path).splits()
    assert said not in build(manual, tmp_path, "--overwrite")
    assert ("test", "urban") not in open_loveda(tmp_path).splits()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_failed_overwrite_leaves_what_was_prepared(script, capsys, data_dir, tmp_path):
    shutil.copytree(data_dir / "loveda_rdepth", tmp_path / "loveda_rdepth")
    before = contents(tmp_path / "loveda_rdepth")
    manual = shutil.copytree(DUMMY, tmp_path / "manual")
    spoil(manual, "truncated PNG")
    flags = ("--manual_dir", manual, "--data_dir", tmp_path, "--config", "depths_png")
    assert "truncated PNG" in refusal(script, capsys, *flags, "--overwrite")
    assert contents(tmp_path / "loveda_rdepth") == before


def test_a_cut_dataset_says_so(build, tmp_path):
    said = build(DUMMY, tmp_path, "--max_examples_per_split", "2")
    assert "PARTIAL: train_rural has 2 of 3 tiles" in said
    assert "val_rural has" not in said
    assert len(open_loveda(tmp_path).tiles("train", "rural")) == 2
    assert "PARTIAL: train_rural has 2 of 3 tiles" in build(DUMMY, tmp_path), "once more"


def test_what_is_absent_and_constant_is_said(build, tmp_path):
    manual = shutil.copytree(DUMMY, tmp_path / "manual")
    shutil.rmtree(manual / "Test")
    for number in (1366, 1368):
        path = manual / f"Train/Urban/depths_png/{number}.png"
        path.write_bytes(png.encode(np.zeros((48, 48, 3), np.uint8)))
    said = build(manual, tmp_path / "data")
    assert "prepared without: Test/Urban, Test/Rural." in said
    assert "WARNING: 2 depth maps are flat" in said
    assert "Train/Urban 1366, Train/Urban 1368" in said
    tiles = open_loveda(tmp_path / "data").tiles("train", "urban")
    for pixels in (False, True):
        assert flat_depths(tiles, pixels) == ["train_urban 1366", "train_urban 1368"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    """The dummy tiles, prepared."""
    folder = tmp_path_factory.mktemp("prepared")
    assert prepare(DUMMY, folder, "--config", "depths_png").returncode == 0
    return folder


def spoil(manual: Path, what: str) -> None:
    folder = manual / "Val/Rural"
    if what == "truncated PNG":
        path = folder / "images_png/2523.png"
        path.write_bytes(path.read_bytes()[:-40])
    elif what == "mask size":
        (folder / "masks_png/2522.png").write_bytes(png.encode(np.ones((48, 47), np.uint8)))
    elif what == "mask value":
        (folder / "masks_png/2522.png").write_bytes(png.encode(np.full((48, 48), 9, np.uint8)))
    elif what == "lower case":
        (manual / "Val/Urban").rename(manual / "Val/urban")
    elif what == "mask missing":
        (folder / "masks_png/2522.png").unlink()
    elif what == "depth missing":
        (folder / "depths_png/2522.png").unlink()
    elif what == "no folder":
        shutil.rmtree(manual)


@pytest.mark.parametrize(
    ("what", "flags", "message"),
    [
        ("truncated PNG", "", "Val/Rural/images_png/2523.png: truncated PNG"),
        ("mask size", "", "Val/Rural/masks_png/2522.png: 48x47 pixels, but its image has 48x48"),
        ("mask value", "", "Val/Rural/masks_png/2522.png: The mask holds the values [9]"),
        ("mask missing", "", "tiles without a mask in masks_png: 1 of 2 (ids 2522)"),
        ("depth missing", "", "tiles without a depth map in depths_png: 1 of 2 (ids 2522)"),
        ("lower case", "", "Val: missing are Urban, but there are urban. Rename what is meant"),
        ("no folder", "", "Train/Urban/images_png/1366.png"),
        ("format", "--file_format tfrecord", "array_record only"),
        ("unknown flag", "--colour red", "unrecognized arguments: --colour"),
        ("unknown config", "--config nothing", "give one of depth_anything_v1_small, "),
        ("nothing to write", "--max_examples_per_split 0", "empty dataset that looks finished"),
        ("no consent", "--download", "give --accept_license with --download"),
        ("no server", "--download --accept_license --archives_url http://127.0.0.1:9", "127.0.0.1"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing_half_done(
    script, capsys, monkeypatch, tmp_path, what, flags, message
):
    monkeypatch.setattr(script, "download", partial(script.download, wait_seconds=0))
    manual = shutil.copytree(DUMMY, tmp_path / "manual")
    spoil(manual, what)
    config = [] if "--config" in flags else ["--config", "depths_png"]
    places = ["--manual_dir", manual, "--data_dir", tmp_path / "data"]
    assert message in refusal(script, capsys, *places, *config, *flags.split())
    assert prepared_configs(tmp_path / "data") == ()
    assert not list((tmp_path / "data").glob("loveda_rdepth/[a-z]*/*"))


def test_an_error_of_the_whole_program_is_one_line(tmp_path):
    done = prepare(tmp_path / "nowhere", tmp_path / "data", "--config", "depths_png")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "error: " in line]
    assert "Train/Urban/images_png/1366.png" in line


def test_without_arguments_it_explains_itself(script, capsys):
    assert script.main([]) == 2
    said = capsys.readouterr().err
    for word in ("--download --accept_license", "--folder DIR", "--verify", *PRESETS, "depths_png"):
        assert word in said
    assert script.main(["--help"]) == 0
    assert capsys.readouterr().out == said


def refusal(script, capsys, *arguments):
    """The one line of an error, for wrong use."""
    with pytest.raises(SystemExit) as stop:
        script.main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    return line


def test_the_builder_is_found_from_any_directory(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert script.find_builder("datasets/loveda_rdepth") == str(script.DATASET)
    assert script.find_builder("mnist") == "mnist"
    (tmp_path / "datasets/loveda_rdepth").mkdir(parents=True)
    assert script.find_builder("datasets/loveda_rdepth") == "datasets/loveda_rdepth"


@pytest.mark.parametrize("flags", [[], ["--folder", "."]])
def test_an_unknown_config_lists_the_known_ones(script, capsys, flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refusal(script, capsys, "--config", "depth_anything_v9", *flags)
    assert all(name in said for name in (*PRESETS, "OWNER/NAME", "a folder with config.json"))
    assert not list(tmp_path.iterdir())


def test_one_flag_takes_names_of_all_kinds(script, tmp_path, monkeypatch):
    """As they are where a config bears that name; else a config made for the checkpoint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint").mkdir()  # bears a config's name, and is none of its own
    for name in (None, "depths_png", "checkpoint", *PRESETS):
        assert script.builder_config(name) == script.prepared_config(name) == name
    folder = tmp_path / "my checkpoint"
    folder.mkdir()
    names = {
        "someone/own-depth": "checkpoint_someone-own-depth",
        folder: "checkpoint_my-checkpoint",
    }
    for source, name in names.items():
        config = json.loads(script.builder_config(str(source)))
        assert config["name"] == name == script.prepared_config(str(source))
        assert config["origin"] == str(source)


def test_a_config_is_a_name(script, capsys):
    said = refusal(script, capsys, "--config", '{"a": 1}')
    assert "--config takes the name of a source, not JSON" in said


@pytest.fixture
def own(tmp_path):
    """A folder of two domains, one of them unlabelled, and its class file."""
    rng = np.random.default_rng(0)
    for place, kinds in (("train/A", ("images", "masks")), ("val/B", ("images", "depths"))):
        for kind in kinds:
            for number in range(2):
                shape = (9, 8, 3) if kind == "images" else (9, 8)
                path = tmp_path / "own" / place / kind / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                most = 2 if kind == "masks" else 256
                path.write_bytes(png.encode(rng.integers(0, most, shape, np.uint8)))
    (tmp_path / "own/classes.yaml").write_text(
        "classes:\n  - {name: a, value: 0, color: [0, 0, 0]}\n"
        "  - {name: b, value: 1, color: [9, 9, 9]}\nignored: []\n"
    )
    return tmp_path / "own"


@pytest.mark.parametrize(
    ("folder", "said"), [("", "nothing came"), ("s3://bucket/own", "is an address")]
)
def test_what_is_no_folder_here_is_refused(script, own, folder, said, capsys):
    """Without a name it would be LoveDA that is looked at."""
    with pytest.raises(SystemExit) as stop:
        script.main(["--verify", "--folder", folder, "--classes", str(own / "classes.yaml")])
    assert stop.value.code == 2 and said in capsys.readouterr().err


def test_verify_a_folder(script, own, capsys):
    flags = ["--verify", "--folder", str(own), "--classes", str(own / "classes.yaml")]
    assert script.main(flags) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train/A: 2 tiles, 2 labelled, without depth",
        "val/B: 2 tiles, 0 labelled, with depth",
        "WARNING: without depth maps, which others have, so that no network that reads depth "
        f"trains or is scored there, 1 of 2: {own / 'train/A'}",
        "SOUND but for 1 WARNING: every file was read.",
    ]
    (own / "train/A/masks/0.png").write_bytes(png.encode(np.full((9, 8), 5, np.uint8)))
    (own / "val/B/depths/1.png").write_bytes(png.encode(np.zeros((9, 8), np.uint8)))
    (own / "val/B/images/1.png").write_bytes(b"")
    assert script.main(flags) == 1
    said = capsys.readouterr().out
    assert "A/masks/0.png: The mask holds the values [5]" in said
    assert "B/images/1.png: empty file" in said and said.endswith("WRONG: 2 faults.\n")
    assert "WARNING: 1 depth map is flat" in said and "B/depths/1.png" in said
    (own / "val/B/images/1.jpg").write_bytes(b"")
    assert script.main(flags) == 1
    said = capsys.readouterr().out
    assert "bear the same name; remove one. Until that is mended no pixel of val/B is read." in said


def test_verify_a_folder_needs_its_classes(script, own, capsys):
    assert "needs --classes FILE" in refusal(script, capsys, "--verify", "--folder", own)


def test_verify_what_is_not_there(script, tmp_path, capsys):
    said = refusal(script, capsys, "--verify", "--data_dir", tmp_path, "--config", "depths_png")
    assert "loveda_rdepth/depths_png is not prepared in" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--classes c.yaml", "Preparing LoveDA takes no --classes: leave it away"),
        ("--accept_license", "Preparing LoveDA takes no --accept_license"),
        ("--folder D --overwrite", "--folder takes no --overwrite"),
        ("--folder D --max_examples_per_split 4", "--folder takes no --max_examples_per_split"),
        ("--folder D --depth_report r.png", "--depth_report takes no --folder"),
        ("--verify --download", "--verify takes no --download"),
        ("--verify --manual_dir D x", "--verify takes no --manual_dir, --datasets"),
        ("--verify --folder D --config c", "--verify, --folder takes no --config"),
        ("--download --accept_license --folder D", "--folder takes no --accept_license, --down"),
        ("--depth_report r.jpg", "name it .png, not r.jpg"),
        ("--depth_report nowhere/r.png", "--depth_report nowhere/r.png: there is no folder"),
    ],
)
def test_no_flag_is_passed_over(script, capsys, flags, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refusal(script, capsys, *flags.split())
    assert not list(tmp_path.iterdir())


def test_a_depth_report_replaces_nothing(script, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "open_loveda", lambda *_: pytest.fail("before any work"))
    (tmp_path / "tile.png").write_bytes(b"a picture")
    said = refusal(script, capsys, "--depth_report", tmp_path / "tile.png")
    assert "tile.png would be replaced: delete it, or name another" in said
    assert (tmp_path / "tile.png").read_bytes() == b"a picture"


def test_a_download_without_a_dataset_stops_there(script, tmp_path, monkeypatch, capsys):
    fetched = []
    monkeypatch.setattr(script, "download", lambda folder, **_: fetched.append(folder))
    monkeypatch.setenv("HOME", str(tmp_path))
    flags = ["--download", "--accept_license", "--manual_dir=~/LoveDA"]
    assert script.main([*flags, "--data_dir", str(tmp_path / "data")]) == 0
    assert fetched == [tmp_path / "LoveDA"]
    said = capsys.readouterr().out
    assert f"prepare.py datasets/loveda_rdepth --config CONFIG --manual_dir {fetched[0]}" in said
    assert not list(tmp_path.iterdir())


def link_with_depth(loveda: Path, manual: Path) -> None:
    """The real tiles, linked, and their brightness for a depth."""
    for path in loveda.glob("*/*/*/*.png"):
        copy = manual / path.relative_to(loveda)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(path)
        if path.parent.name == "images_png":
            depth = manual / path.parent.parent.relative_to(loveda) / "depths_png" / path.name
            depth.parent.mkdir(parents=True, exist_ok=True)
            image = png.decode(path.read_bytes())
            depth.write_bytes(png.encode(image.mean(-1).astype(np.uint8)))


@pytest.fixture(scope="module")
def real(loveda, tmp_path_factory) -> Path:
    """The tiles of LoveDA with made-up depth, prepared."""
    folder = tmp_path_factory.mktemp("real")
    link_with_depth(loveda, folder / "manual")
    done = prepare(folder / "manual", folder / "data", "--config", "depths_png")
    assert done.returncode == 0, done.stderr
    return folder / "data"


def test_real_tiles(loveda, real):
    """What is read back is what lies in the files."""
    prepared = open_loveda(real)
    seen = 0
    for split, domain in prepared.splits():
        tiles = prepared.tiles(split, domain)
        folder = loveda / split.title() / domain.title()
        assert tiles.labelled == (folder / "masks_png").is_dir()
        for tile in map(tiles.__getitem__, range(len(tiles))):
            image = png.decode((folder / f"images_png/{tile['id']}.png").read_bytes())
            np.testing.assert_array_equal(tile["image"], image)
            if tiles.labelled:
                mask = png.decode((folder / f"masks_png/{tile['id']}.png").read_bytes())
                counts = np.bincount(LOVEDA.decode(tile["label"]).ravel(), minlength=8)
                np.testing.assert_array_equal(counts, np.bincount(mask.ravel(), minlength=8))
            seen += 1
    assert seen == len(list(loveda.glob("*/*/images_png/*.png")))


@pytest.mark.proof
def test_verify_tells_a_part_from_another_dataset(script, real, data_dir, capsys):
    assert script.main(["--verify", "--data_dir", str(real)]) == 0
    said = capsys.readouterr().out
    assert "train_rural: 1363 of 1366 tiles (3, 4, 5, 6, 7, 8, ...)" in said
    assert "train_urban: the masks" in said
    assert "test_urban: all 820 tiles" in said
    assert said.splitlines()[-1].startswith("PARTIAL")
    assert script.main(["--verify", "--data_dir", str(data_dir)]) == 1
    said = capsys.readouterr().out
    assert "train_urban: tiles 1366, 1367, 1368 are not 1024x1024 pixels" in said
    assert said.splitlines()[-1].startswith("WRONG")
