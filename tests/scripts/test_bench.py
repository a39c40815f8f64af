"""The benchmark: statistics, turns, refusals; and our worker on a network of the smallest size.

Where ``RDEPTH_PYTORCH`` names a Python with torch and NumPy, both sides compute it.
"""

import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "scripts"))

from benchmark import methods, suites
from benchmark.case import Case
from benchmark.figures import Figures, compare, exponent, table
from benchmark.inputs import (
    batched_rate,
    costs,
    crops_a_second,
    find_masks,
    inputs_table,
    write_tiles,
)
from benchmark.turns import Side, check_arrays, lacking, measure, sides
from rdepth_keras import models
from rdepth_keras.data.transforms import RandomCrop
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.layers.basic import BatchNorm
from rdepth_keras.models.layers.domain_norm import TransNorm

SMALL = {"depths": [1, 1, 1, 1], "widths": [8, 12, 16, 24]}
NETWORK = {
    **suites.TWIN_TINY,
    **{"image_encoder": SMALL, "depth_encoder": SMALL, "channels": 8, "auxiliary_channels": 8},
}
ALONE = {**NETWORK, "depth_encoder": None}  # half the time to compile
STEP = Case("step", 2, 64, NETWORK)
INFER = Case("infer", 1, 128, NETWORK, window=64)
# Stands in for a worker: its numbers are given, and it notes when it is asked.
STAND_IN = """
import json, sys
import numpy as np
values, seconds, device, name, case, folder = sys.argv[1:]
if seconds == "never":
    sys.exit("out of luck")
np.savez(f"{folder}/{name}.npz", y=np.array(json.loads(values), "float32"))
print("some library talks")
facts = {"first_s": 3.0, "start_s": 9.0, "device": device, "version": "1", "precision": "float32"}
print(json.dumps(facts), flush=True)
for line in sys.stdin:
    with open(sys.argv[0] + ".asked", "a") as file:
        file.write(name + " ")
    print(json.dumps({"seconds": [float(seconds)] * int(line)}), flush=True)
size = json.loads(case)
temporary = 100 * size["batch"] * size["pixels"] ** 2
print(json.dumps({"peak_bytes": 7_000_000, "temporary_bytes": temporary}))
"""


@pytest.fixture
def stand_in(tmp_path):
    """(name, values, seconds, device) -> a side."""
    path = tmp_path / "worker.py"
    path.write_text(STAND_IN)

    def side(name, values=(1.0, 2.0), seconds="0.5", device="cpu", **options):
        command = (sys.executable, str(path), json.dumps(values), seconds, device)
        return Side(name, command, **options)

    return side


def asked(tmp_path):
    path = tmp_path / "worker.py.asked"
    return path.read_text().split() if path.exists() else []


def test_statistics():
    figures = Figures([2.0, 4.0, 3.0, 2.5], first_s=10.0, peak_bytes=1, facts={"device": "cpu"})
    row = figures.row(images=8)
    assert row["best_s"] == 2 and row["median_s"] == 2.75 and row["spread"] == 1
    assert row["images_per_s"] == 4 and row["compile_s"] == 7.25 and row["device"] == "cpu"


def test_the_ratio_is_to_their_fastest():
    ours, plain, compiled = (Figures([s, s + 1], s + 5, 1, {}) for s in (3.0, 2.0, 1.5))
    found = compare({"ours": ours, "pytorch": plain, "pytorch_compiled": compiled}, STEP)
    assert found["ratio"] == 2 and found["ours_s"] == 3 and found["theirs_s"] == 1.5
    assert set(compare({"ours": ours}, STEP)) == {"ours_s", "batch", "pixels", "sides"}


def test_exponent():
    assert exponent([1, 2, 4], [3, 6, 12]) == pytest.approx(1)
    assert exponent([128, 192, 256], [n**2 / 7 for n in (128, 192, 256)]) == pytest.approx(2)


def test_sides_take_turns(tmp_path, stand_in):
    both = [stand_in("ours", seconds="0.25"), stand_in("pytorch")]
    found = measure(STEP, both, rounds=2, repeats=3)
    assert asked(tmp_path) == ["ours", "pytorch"] * 2
    assert found["ours"].seconds == [0.25] * 6 and found["pytorch"].seconds == [0.5] * 6
    said = table("step small", compare(found, STEP))
    assert "2 x 64 x 64, float32 on cpu" in said
    assert [line.split()[:2] for line in said.splitlines()[2:]] == [
        ["ours", "250.0"],
        ["PyTorch", "500.0"],
        ["ratio", "0.50"],
    ]


def test_a_mismatch_is_refused_and_nothing_is_timed(tmp_path, stand_in):
    both = [stand_in("ours"), stand_in("pytorch", values=(1.0, 2.01))]
    with pytest.raises(ValueError, match="y differs from PyTorch's by 5.0e-03"):
        measure(STEP, both, rounds=1, repeats=1)
    assert asked(tmp_path) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ({"y": [1.0, np.nan]}, {"y": [1.0, 2.0]}, "differs"),
        ({"y": [0.0, 0.0]}, {"y": [0.0, 0.0]}, "one value all over"),
        ({"y": [1.0, 2.0]}, {"y": [1.0, 2.0, 3.0]}, "shape"),
        ({"y": [1.0, 2.0]}, {"z": [1.0, 2.0]}, "Only one .* gives: y, z"),
    ],
)
def test_what_proves_nothing_is_refused(ours, theirs, said):
    ours, theirs = ({k: np.array(v) for k, v in each.items()} for each in (ours, theirs))
    with pytest.raises(ValueError, match=said):
        check_arrays(ours, theirs, "PyTorch", 1e-4)


def test_a_worker_that_dies_says_why(stand_in):
    with pytest.raises(RuntimeError, match="PyTorch's worker ended early.*out of luck"):
        measure(STEP, [stand_in("ours"), stand_in("pytorch", seconds="never")], rounds=1, repeats=1)


def test_torch_compile_is_for_gpus(stand_in):
    compiled = stand_in("pytorch_compiled", device="H100", on_a_gpu=True)
    on_cpu = [stand_in("ours"), stand_in("pytorch"), compiled]
    assert list(measure(STEP, on_cpu, rounds=1, repeats=1)) == ["ours", "pytorch"]
    on_gpu = [stand_in(name, device="H100") for name in ("pytorch", "ours")]
    found = measure(STEP, [*on_gpu, compiled], rounds=1, repeats=1)
    assert list(found) == ["ours", "pytorch", "pytorch_compiled"]


def test_a_gpu_is_not_compared_with_a_cpu(stand_in):
    mixed = [stand_in("ours", device="H100"), stand_in("pytorch")]
    with pytest.raises(ValueError, match="different devices: ours on H100, PyTorch on cpu"):
        measure(STEP, mixed, rounds=1, repeats=1)


def test_what_a_python_lacks(tmp_path):
    assert lacking(sys.executable, ["numpy", "no_such_package"]) == ["no_such_package"]
    with pytest.raises(OSError, match="nowhere"):
        lacking(str(tmp_path / "nowhere"), ["numpy"])
    with pytest.raises(ValueError, match="no Python that runs"):
        lacking("false", ["numpy"])


@pytest.mark.proof
def test_without_pytorch_ours_alone(tmp_path, monkeypatch, call, capsys):
    """The whole command on the smallest network, with a Python that has no packages at all."""
    bare, file = tmp_path / "python", tmp_path / "bench.json"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    file.write_text('{"infer": {"earlier": {"ratio": 1.0}}, "depth": {}}')
    monkeypatch.setitem(suites.CASES, "infer", {"small": replace(INFER, network=ALONE)})
    options = ("--against", "pytorch", "--python", bare, "--json", file)
    assert call("bench", "infer", *options, "--rounds", 1, "--repeats", 1) == 0
    said = capsys.readouterr().out
    assert "has no torch, numpy: ours alone" in said and "ratio" not in said
    stored = json.loads(file.read_text())
    assert stored["depth"] == {} and stored["infer"]["earlier"] == {"ratio": 1.0}
    ours = stored["infer"]["small"]["sides"]["ours"]
    assert ours["repeats"] == 1 and ours["peak_bytes"] > 1e8 and ours["multiply_adds"] > 0
    assert stored["infer"]["small"]["ours_s"] == ours["best_s"]


def test_a_mismatch_is_wrong_use(monkeypatch, call, capsys, stand_in):
    both = [stand_in("ours"), stand_in("pytorch", values=(3.0, 2.0))]
    monkeypatch.setattr("benchmark.turns.sides", lambda *_: both)
    assert call("bench", "step", "--network", "demo") == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: y differs from PyTorch's") and "ratio" not in said.out


def test_growth(tmp_path, monkeypatch, call, capsys, stand_in):
    """A step whose memory is proportional to batch and pixels, and whose time is constant."""
    monkeypatch.setattr("benchmark.turns.sides", lambda *_: [stand_in("ours")])
    assert call("bench", "growth", "--json", tmp_path / "bench.json", "--against", "pytorch") == 0
    assert "ours alone" in capsys.readouterr().out
    found = json.loads((tmp_path / "bench.json").read_text())["growth"]
    for axis, sizes in {"batch": [1, 2, 4], "pixels": [128**2, 192**2, 256**2]}.items():
        assert found[axis]["exponents"] == pytest.approx({"time": 0, "memory": 1}, abs=1e-9)
        assert [row[axis] for row in found[axis]["rows"]] == sizes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--network", "nonsense"), "known are: convnext_t, twin_tiny, demo"),
        (("--rounds", "0"), "--rounds must be above 0"),
        (("--json", "bench.json"), "is no JSON"),
    ],
)
def test_wrong_use(tmp_path, monkeypatch, call, capsys, options, said):
    monkeypatch.chdir(tmp_path)
    Path("bench.json").write_text("no figures")
    assert call("bench", "step", *options) == 2
    assert said in capsys.readouterr().err


@pytest.mark.proof
def test_our_step_learns_and_is_the_same_each_time(tmp_path):
    """The arrays that PyTorch's must agree with: every statistic, and two steps' losses."""
    from benchmark import ours

    measured = ours.step(replace(STEP, network=ALONE), tmp_path)
    arrays = measured.check(measured.run())
    for _ in range(6):
        last = measured.run()
    assert float(last["loss"]) < float(arrays["loss of step 1"])
    with np.load(tmp_path / "weights.npz") as file:
        moving = {path for path in file if "moving" in path}
        assert moving and moving < arrays.keys()
        assert all(np.ptp(file[path]) > 0 for path in file), "a swap of equal values goes unseen"
    assert measured.finish()["temporary_bytes"] > 0


def test_inputs(tmp_path):
    tiles = write_tiles(tmp_path, [], 2)
    assert len(tiles) == 2 and crops_a_second(tiles, 0.05) > 0
    assert batched_rate(tiles, [], 1, 0.05) > 0
    spent = costs(tiles, [RandomCrop(64)], examples=3, rounds=2)
    assert list(spent) == ["RandomCrop", "copy into the batch"] and min(spent.values()) > 0


def test_a_folder_without_tiles_of_loveda_is_refused(call, tmp_path, capsys):
    assert call("bench", "data", "--loveda", tmp_path) == 2
    assert "holds no Train/*/masks_png/*.png; leave it away for noise" in capsys.readouterr().err
    assert call("bench", "growth", "--loveda", tmp_path) == 2
    assert "--loveda is for data; growth reads no tiles" in capsys.readouterr().err
    assert find_masks(None) == []
    mask = tmp_path / "Train/Rural/masks_png/0.png"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"")
    assert find_masks(tmp_path) == [mask]


def test_inputs_in_words():
    rates = {"png": 1.0, "cache": 20.0}
    found = {
        "tiles": "noise",
        "one_core": rates,
        "ratio": 20.0,
        "pipeline": {"2": rates},
        "augmented": {"2": rates},
    }
    said = inputs_table({**found, "milliseconds": {"RandomRotation": 1.5, "copy": 0.5}})
    assert "all augmentations, 2 workers" in said and "one core: 2.00 ms" in said
    assert "RandomRotation" in said and "75%" in said


@pytest.mark.skipif("RDEPTH_PYTORCH" not in os.environ, reason="RDEPTH_PYTORCH names no Python")
@pytest.mark.parametrize("case", [STEP, INFER], ids=lambda case: case.kind)
def test_pytorch_computes_the_same(case):
    both = sides(case, os.environ["RDEPTH_PYTORCH"])
    found = measure(case, both, rounds=1, repeats=1)
    assert list(found) == ["ours", "pytorch"]


def test_a_folder_that_is_missing_is_told_before_an_hour_is_spent(call, tmp_path, capsys):
    assert call("bench", "networks", "--json", tmp_path / "nowhere/figures.json") == 2
    said = capsys.readouterr()
    assert "--json" in said.err and "there is no folder" in said.err and not said.out


@pytest.mark.proof
def test_a_step_of_a_method_beside_the_source_alone(monkeypatch):
    """AdaptSegNet's passes: both domains through the network, and its critics."""
    toy = partial(ResNet, (1, 1, 1, 1), width=4)
    for encoder in ("resnet50_s16", "resnet50_s16_transnorm"):
        norm = TransNorm if encoder.endswith("transnorm") else BatchNorm
        monkeypatch.setitem(models.ENCODERS, encoder, partial(toy, norm=norm, output_stride=16))
    one, other = (methods.count_steps(name) for name in ("source_only_deeplabv2", "transnorm"))
    assert one["multiply_adds"] == one["source_only_multiply_adds"]
    assert other["multiply_adds"] > 2 * other["source_only_multiply_adds"]
