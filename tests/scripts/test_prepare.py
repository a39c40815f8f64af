import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rdepth_keras.data import png
from rdepth_keras.data.loveda.prepared import open_loveda, prepared_configs
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


def test_zips_and_folders_give_the_same_records(tmp_path):
    manual = tmp_path / "manual"
    manual.mkdir()
    for split in ("Train", "Val"):
        with zipfile.ZipFile(manual / f"{split}.zip", "w") as archive:
            for path in (DUMMY / split).rglob("*.png"):
                archive.write(path, path.relative_to(DUMMY))
    done = prepare(manual, tmp_path / "data", "--config", "depths_png")
    assert done.returncode == 0, done.stderr
    prepared = open_loveda(tmp_path / "data")
    assert ("test", "urban") not in prepared.splits()
    for tile in map(prepared.tiles("val", "urban").__getitem__, range(2)):
        path = DUMMY / f"Val/Urban/images_png/{tile['id']}.png"
        np.testing.assert_array_equal(tile["image"], png.decode(path.read_bytes()))


def test_prepared_data_are_reused_and_overwritten_on_demand(tmp_path):
    manual = shutil.copytree(DUMMY, tmp_path / "manual")
    assert prepare(manual, tmp_path, "--config", "depths_png").returncode == 0
    shutil.rmtree(manual / "Test")
    assert prepare(manual, tmp_path, "--config", "depths_png").returncode == 0
    assert ("test", "urban") in open_loveda(tmp_path).splits()
    assert prepare(manual, tmp_path, "--config", "depths_png", "--overwrite").returncode == 0
    assert ("test", "urban") not in open_loveda(tmp_path).splits()


def test_a_cut_dataset_says_so(tmp_path):
    done = prepare(DUMMY, tmp_path, "--config", "depths_png", "--max_examples_per_split", "2")
    assert done.returncode == 0, done.stderr
    assert "PARTIAL: train_rural has 2 of 3 tiles" in done.stdout
    assert "val_rural has" not in done.stdout
    assert len(open_loveda(tmp_path).tiles("train", "rural")) == 2


def spoil(manual: Path, what: str) -> None:
    folder = manual / "Val/Rural"
    if what == "truncated PNG":
        path = folder / "images_png/2523.png"
        path.write_bytes(path.read_bytes()[:-40])
    elif what == "mask size":
        (folder / "masks_png/2522.png").write_bytes(png.encode(np.ones((48, 47), np.uint8)))
    elif what == "mask value":
        (folder / "masks_png/2522.png").write_bytes(png.encode(np.full((48, 48), 9, np.uint8)))
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
        ("no folder", "", "Train/Urban/images_png/1366.png"),
        ("format", "--file_format tfrecord", "array_record only"),
        ("unknown flag", "--colour red", "unrecognized arguments: --colour red"),
        ("unknown config", "--config nothing", "nothing"),
        ("nothing to write", "--max_examples_per_split 0", "empty dataset that looks finished"),
        ("no consent", "--download", "give --accept_license with --download"),
        ("no server", "--download --accept_license --archives_url http://127.0.0.1:9", "127.0.0.1"),
        ("not there", "--verify", "is not prepared in"),
    ],
)
def test_wrong_use_is_one_line_and_leaves_nothing_half_done(tmp_path, what, flags, message):
    manual = shutil.copytree(DUMMY, tmp_path / "manual")
    spoil(manual, what)
    config = [] if "--config" in flags else ["--config", "depths_png"]
    done = prepare(manual, tmp_path / "data", *config, *flags.split())
    assert done.returncode == 2
    complaint = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(complaint) == 1
    assert message in complaint[0]
    assert "Traceback" not in done.stderr
    assert prepared_configs(tmp_path / "data") == ()
    assert not list((tmp_path / "data").glob("loveda_rdepth/[a-z]*/*"))


def test_a_download_without_a_dataset_stops_there(tmp_path, monkeypatch, capsys):
    specification = importlib.util.spec_from_file_location("prepare", ROOT / "scripts/prepare.py")
    script = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "prepare", script)
    specification.loader.exec_module(script)
    fetched = []
    monkeypatch.setattr(script, "download", lambda folder, **_: fetched.append(folder))
    flags = ["--download", "--accept_license", "--manual_dir", str(tmp_path / "LoveDA")]
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


def test_real_tiles(loveda, tmp_path):
    """The tiles of LoveDA with made-up depth: what is read back is what lies in the files."""
    manual = tmp_path / "manual"
    link_with_depth(loveda, manual)
    done = prepare(manual, tmp_path / "data", "--config", "depths_png")
    assert done.returncode == 0, done.stderr
    prepared = open_loveda(tmp_path / "data")
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


def test_verify_tells_a_part_from_another_dataset(loveda, tmp_path):
    manual = tmp_path / "manual"
    link_with_depth(loveda, manual)
    assert prepare(manual, tmp_path / "data", "--config", "depths_png").returncode == 0
    done = prepare(manual, tmp_path / "data", "--verify")
    assert done.returncode == 0, done.stderr
    assert "train_rural: 1363 of 1366 tiles (3, 4, 5, 6, 7, 8, ...)" in done.stdout
    assert "train_urban: the masks" in done.stdout
    assert "test_urban: all 820 tiles" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("PARTIAL")
    assert prepare(DUMMY, tmp_path / "dummy", "--config", "depths_png").returncode == 0
    done = prepare(DUMMY, tmp_path / "dummy", "--verify")
    assert done.returncode == 1
    assert "train_urban: tiles 1366, 1367, 1368 are not 1024x1024 pixels" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("WRONG")
